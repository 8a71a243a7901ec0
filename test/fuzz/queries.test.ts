/**
 * Random states and queries against a plain filter and sort, written here by the sentences of the documentation alone: it shares
 * nothing with what plans, matches and compares.
 */
/* eslint-disable vitest/valid-expect -- a message says which query it was */
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { Document } from '../../src/engine/reading/document.ts';
import { entriesOf, keyOf } from '../../src/engine/queries/sort-key.ts';
import type { Cursor } from '../../src/engine/queries/where-types.ts';
import { seeded, type Random } from '../support/seed.ts';
import { StoredDocuments, type Given } from '../support/stored-documents.ts';
import { collect, onLocalStores } from '../support/stores.ts';
import { hostile, SPECIAL } from './hostile.ts';
import { drawn, runs } from './seed.ts';

// --- The plain one ----------------------------------------------------------------------------------------------------------

type State = Record<string, unknown>;
type Row = Required<Pick<Given, 'id' | 'version' | 'changed'>> & { readonly state: unknown };

function at(row: Row, path: string): unknown {
  if (path.startsWith('$')) return row[path.slice(1) as 'id'];
  let here: unknown = row.state;
  for (const name of path.split('.')) {
    const isObject = typeof here === 'object' && here !== null && !Array.isArray(here);
    if (!isObject || !Object.keys(here as object).includes(name)) return undefined;
    here = (here as State)[name];
  }
  return here;
}

const RANKS = ['undefined', 'null', 'false', 'true', 'number', 'string'];
function rank(value: unknown): number {
  const name = typeof value === 'boolean' || value === null ? String(value) : typeof value;
  return RANKS.includes(name) ? RANKS.indexOf(name) : RANKS.length;
}

/** Code points one by one: their order is that of the bytes of UTF-8. A lone surrogate is U+FFFD there. */
function codePoints(text: string): number[] {
  return Array.from(text.toWellFormed(), (character) => character.codePointAt(0)!);
}
function lexical(one: readonly number[], other: readonly number[]): number {
  const differs = one.findIndex((value, index) => value !== other[index]);
  if (differs < 0) return one.length === other.length ? 0 : -1;
  return differs >= other.length ? 1 : Math.sign(one[differs]! - other[differs]!);
}

/** The first 256 bytes; a NUL counts as two, which both fit or neither. */
function beginning(text: unknown): number[] {
  const first: number[] = [];
  let room = 256;
  for (const byte of Buffer.from(text as string)) {
    room -= byte === 0 ? 2 : 1;
    if (room < 0) break;
    first.push(byte);
  }
  return first;
}

function ordered(one: unknown, other: unknown): number {
  if (rank(one) !== rank(other)) return Math.sign(rank(one) - rank(other));
  if (typeof one === 'number') return one < (other as number) ? -1 : one > (other as number) ? 1 : 0;
  if (typeof one !== 'string') return 0;
  return lexical(beginning(one), beginning(other));
}

function holds(row: Row, where: State): boolean {
  return Object.entries(where).every(([name, asked]) => {
    if (name === 'AND') return (asked as State[]).every((one) => holds(row, one));
    if (name === 'OR') return (asked as State[]).some((one) => holds(row, one));
    if (name === 'NOT') return !holds(row, asked as State);
    const value = at(row, name);
    const operators = typeof asked === 'object' && asked !== null ? asked : { eq: asked };
    return Object.entries(operators).every(([operator, operand]) => asks(operator, value, operand));
  });
}

function asks(operator: string, value: unknown, operand: unknown): boolean {
  switch (operator) {
    case 'eq':
      return value === operand;
    case 'ne':
      return !(value === operand);
    case 'in':
      return (operand as unknown[]).some((one) => one === value);
    case 'exists':
      return operand === true ? value !== undefined : value === undefined;
    case 'startsWith':
      return typeof value === 'string' && value.slice(0, (operand as string).length) === operand;
    case 'has':
      return Array.isArray(value) && value.some((one) => one === operand);
    default: {
      if (typeof value !== typeof operand) return false;
      const difference =
        typeof value === 'string'
          ? lexical(codePoints(value), codePoints(operand as string))
          : Number(value! > operand!) - Number(value! < operand!);
      return { lt: difference < 0, lte: difference <= 0, gt: difference > 0, gte: difference >= 0 }[operator]!;
    }
  }
}

function plain(rows: readonly Row[], where: State, orderBy: readonly State[]): string[] {
  const last = Object.values(orderBy.at(-1) ?? { x: 'asc' })[0] === 'desc' ? -1 : 1;
  return rows
    .filter((row) => row.changed > 0 && holds(row, where))
    .sort((one, other) => {
      for (const field of orderBy) {
        const [[path, direction]] = Object.entries(field) as [[string, unknown]];
        const difference =
          path === '$id' ? lexical(codePoints(one.id), codePoints(other.id)) : ordered(at(one, path), at(other, path));
        if (difference !== 0) return direction === 'asc' ? difference : -difference;
      }
      return last * lexical(codePoints(one.id), codePoints(other.id));
    })
    .map(({ id }) => id);
}

// --- What is drawn ------------------------------------------------------------------------------------------------------------

const LONG = 'é'.repeat(126);
const TEXTS = [
  '',
  'a',
  'b',
  'ab',
  'Par',
  'Paris',
  'e\u0301',
  'é',
  '\u{ffff}',
  '\u{10000}',
  '😀',
  '😀a',
  '\ue000',
  '\u0001',
  '"',
  "'",
  '\\',
  '%',
  LONG + 'abc',
  LONG + 'abcd',
  LONG + 'abcé',
  LONG + 'abce',
  LONG + 'ab😀',
  `${LONG}abcd${'x'.repeat(300)}`,
  `${LONG}abcd${'y'.repeat(300)}`,
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(257),
  'true',
  'null',
  '1',
  '["a"]',
];
const LONG_TEXTS = TEXTS.filter((text) => text.length > 100);
/** Texts that only states can have. */
const ODD = [
  '\ud800',
  '\ud83d',
  'a\0',
  'a\0b',
  '\0',
  `${'x'.repeat(255)}\0`,
  `${'x'.repeat(254)}\0`,
  `${'x'.repeat(255)}\ud83d`,
];
const NUMBERS = [
  0,
  1,
  -1,
  5,
  10,
  0.1,
  -0.1,
  2 ** 53,
  2 ** 53 - 1,
  2 ** 53 + 2,
  -(2 ** 53),
  2 ** 62,
  1e21,
  1e300,
  -1e300,
  5e-324,
  -5e-324,
  1.7976931348623157e308,
];
const SCALARS: unknown[] = [null, true, false, ...TEXTS, ...NUMBERS];
const COMPARING = ['lt', 'lte', 'gt', 'gte'];
const PATHS = ['a', 'b', 'c', 'n.x', 'n.y', 'n', 'constructor'];
const FACTS = ['$id', '$version', '$changed'];
const INDEXES = [['a'], ['a', 'b'], ['b', 'n.x'], ['c', 'a', 'b'], ['n.x', 'n.y']];

class Draw {
  readonly random: Random;
  /** What most values are drawn from. */
  pool: readonly unknown[] = SCALARS;
  constructor(random: Random) {
    this.random = random;
  }
  /** Values that are near to each other meet, and part where it matters. */
  another(): void {
    this.pool = this.pick([SCALARS, SCALARS, LONG_TEXTS, NUMBERS, [null, 1, 2, 'a', 'b']]);
  }
  below(bound: number): number {
    return Math.floor(this.random() * bound);
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
  /** Few different values meet more often. */
  scalar(from = this.pool): unknown {
    return this.below(4) === 0 ? this.pick([null, 1, 5, 'a', 'ab', true]) : this.pick(from);
  }
  value(): unknown {
    const kind = this.below(14);
    if (kind === 0) return this.some(3, () => this.scalar());
    if (kind === 1) return { x: this.scalar() };
    return this.scalar(kind === 2 ? ODD : this.pool);
  }
  state(): unknown {
    if (this.below(40) === 0) return this.pick<unknown>([5, 'text', null, [1], {}]);
    const state: State = {};
    for (const field of ['a', 'b', 'c', 'constructor']) if (this.below(4) > 0) state[field] = this.value();
    if (this.below(3) > 0)
      state['n'] = this.below(6) === 0 ? this.value() : { x: this.value(), ...(this.below(2) && { y: this.value() }) };
    return state;
  }
  id(): string {
    return (
      this.pick(['a', 'B', 'é', 'e\u0301', '😀', '\uffff', 'zz', '0', '~']) +
      this.pick(['', '', 'a', '😀', '\uffff']) +
      this.below(60)
    );
  }
  row(version: number): Row {
    const changed = this.below(10) === 0 ? 0 : version - this.below(version);
    return { id: this.id(), state: this.state(), version, changed };
  }
  rows(count: number): Row[] {
    const rows = new Map<string, Row>();
    for (let n = 1; n <= count; n += 1) {
      const row = this.row(1 + this.below(9));
      rows.set(row.id, row);
    }
    return [...rows.values()];
  }
  condition(path: string): unknown {
    const text = (): string => this.pick(this.pool === LONG_TEXTS ? LONG_TEXTS : TEXTS);
    const number = (): number => (path === '$version' || path === '$changed' ? this.below(10) : this.pick(NUMBERS));
    const scalar = (): unknown =>
      path === '$id' ? this.pick([this.id(), text()]) : path.startsWith('$') ? number() : this.scalar();
    const comparable = (): unknown =>
      path === '$id' ? this.id() : path.startsWith('$') || this.below(2) ? number() : text();
    const operators: (() => State)[] = [
      () => ({ eq: scalar() }),
      () => ({ ne: scalar() }),
      () => ({ in: this.some(6, scalar) }),
      () => ({ exists: this.below(2) === 0 }),
      () => ({ [this.pick(['lt', 'lte'])]: comparable() }),
      () => ({ [this.pick(['gt', 'gte'])]: comparable() }),
      () => ({ gte: comparable(), lt: comparable() }),
    ];
    if (!path.startsWith('$')) operators.push(() => ({ has: scalar() }));
    if (path !== '$version' && path !== '$changed')
      operators.push(() => ({ startsWith: this.pick(['', 'a', 'é', 'Par', text()]) }));
    if (this.below(3) === 0) return scalar();
    return this.below(4) === 0 ? { ...this.pick(operators)(), ...this.pick(operators)() } : this.pick(operators)();
  }
  where(depth = 3): State {
    const where: State = {};
    for (let n = this.below(3); n > 0; n -= 1) {
      const path = this.below(6) === 0 ? this.pick(FACTS) : this.pick(PATHS);
      where[path] = this.condition(path);
    }
    if (depth === 0) return where;
    if (this.below(5) === 0) where['AND'] = this.some(2, () => this.where(depth - 1));
    if (this.below(4) === 0) where['OR'] = this.some(3, () => this.where(depth - 1));
    if (this.below(5) === 0) where['NOT'] = this.where(depth - 1);
    return where;
  }
  orderBy(): State[] {
    const paths = this.below(2)
      ? [...this.pick(INDEXES)].slice(0, 1 + this.below(3))
      : this.some(3, () => this.pick([...PATHS, ...FACTS]));
    const same = this.pick(['asc', 'desc']);
    const mixed = this.below(4) === 0;
    return [...new Set(paths)].map((path) => ({ [path]: mixed ? this.pick(['asc', 'desc']) : same }));
  }
}

/** Promises that the caller rejects itself. */
const swallow = (): void => undefined;
process.on('unhandledRejection', swallow);
afterAll(async () => {
  await setImmediate();
  process.off('unhandledRejection', swallow);
});

// --- What must hold -------------------------------------------------------------------------------------------------------------

test('the bytes of keys are in the order of values', () => {
  const draw = new Draw(seeded());
  for (let n = 0; n < runs(3_000); n += 1) {
    const [one, other] = [draw.some(4, () => draw.value()), draw.some(4, () => draw.value())];
    const count = Math.min(one.length, other.length);
    const expected = one
      .slice(0, count)
      .reduce<number>((found, value, index) => found || ordered(value, other[index]), 0);
    const [oneId, otherId] = [draw.id(), draw.id()];
    const ids = lexical(codePoints(oneId), codePoints(otherId));
    const key = (values: unknown[], id: string): Buffer => keyOf(values.slice(0, count), id);
    expect(Buffer.compare(key(one, oneId), key(other, otherId)), JSON.stringify([one, other])).toBe(expected || ids);
  }
});

test('texts and numbers of any kind keep their order, and keys their bound', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 300 }));
  const value = fc.oneof(
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(...NUMBERS, null, true),
  );
  fc.assert(
    fc.property(value, value, (one, other) => {
      expect(Math.sign(Buffer.compare(keyOf([one], 'x'), keyOf([other], 'x')))).toBe(ordered(one, other));
    }),
    drawn(2_000),
  );
  const fields = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const long of ['x', '\0', '😀', '\uffff']) {
    const state = Object.fromEntries(fields.map((field) => [field, long.repeat(1_000)]));
    const [entry] = entriesOf([{ number: 1, fields }], 'é'.repeat(256), state);
    expect(entry!.key.length).toBeLessThanOrEqual(6 * 258 + 512);
  }
});

async function compared(
  stored: StoredDocuments,
  rows: readonly Row[],
  where: State,
  orderBy: State[],
  limit: number,
): Promise<void> {
  const { queries, collection } = stored;
  const expected = plain(rows, where, orderBy);
  const shown = JSON.stringify({ where, orderBy, limit });
  const found: Document<unknown>[] = [];
  let after: Cursor | undefined;
  do {
    const page = await queries.find(collection, { where, orderBy, limit, after });
    expect(page.documents.length <= limit && (page.next === undefined || page.documents.length === limit), shown).toBe(
      true,
    );
    found.push(...page.documents);
    after = page.next;
  } while (after !== undefined);
  expect(
    found.map(({ id }) => id),
    shown,
  ).toEqual(expected);
  for (const { id, state, version, changed } of found) {
    expect({ id, state, version, changed }).toEqual(rows.find((row) => row.id === id));
  }
  expect(await queries.count(collection, { where }), shown).toBe(expected.length);
  const listed = await collect(queries.list(collection, { where }));
  expect(
    listed.map(({ id }) => id),
    shown,
  ).toEqual(plain(rows, where, []));
}

/** The answer, or the error that was thrown. */
async function answer(ask: (given: unknown) => unknown, given: unknown): Promise<unknown> {
  try {
    return await ask(given);
  } catch (error) {
    return error;
  }
}

function isAllowed(result: unknown): boolean {
  if (!Error.isError(result)) return true;
  const { code, name } = result as { code?: string; name: string };
  // The signal's, where a position is waited for that never comes.
  return code === 'InvalidInput' || name === 'TimeoutError';
}

onLocalStores('over stored documents', (makeStore) => {
  test('random queries find what a plain filter finds, in its order, page by page', async () => {
    const draw = new Draw(seeded());
    for (let set = 0; set < runs(3, 8); set += 1) {
      draw.another();
      const rows = draw.rows(20 + draw.below(200));
      await using stored = await StoredDocuments.on(makeStore(), draw.below(4) === 0 ? [] : INDEXES);
      await stored.put(rows);
      // A failed one is in no answer.
      await stored.put([{ id: 'failed', state: { a: 1 }, failed: 'it threw' }]);
      for (let n = 0; n < 60; n += 1) await compared(stored, rows, draw.where(), draw.orderBy(), 1 + draw.below(30));
    }
  });

  test('each operator with each value finds what a plain filter finds, by an index', async () => {
    const states = [...SCALARS, ...ODD, undefined, [], ['a'], {}].map((a) => (a === undefined ? {} : { a }));
    const rows = states.map((state, n): Row => ({ id: `r${n}`, state, version: 1, changed: 1 }));
    await using stored = await StoredDocuments.on(makeStore(), [['a']]);
    await stored.put(rows);
    for (const value of SCALARS) {
      const operators = ['eq', 'ne', ...(typeof value === 'number' || typeof value === 'string' ? COMPARING : [])];
      if (typeof value === 'string') operators.push('startsWith');
      for (const operator of operators) await compared(stored, rows, { a: { [operator]: value } }, [{ a: 'desc' }], 7);
    }
  });

  test('whatever is given: what is wrong is named, and nothing else is thrown', async () => {
    await using stored = await StoredDocuments.on(makeStore(), INDEXES);
    await stored.put(new Draw(seeded()).rows(50));
    const { queries, collection } = stored;
    const any = fc.oneof(hostile, fc.constantFrom(...SPECIAL));
    const within = any.chain((make) =>
      fc
        .constantFrom<(value: unknown) => unknown>(
          (value) => value,
          (where) => ({ where }),
          (a) => ({ where: { a } }),
          (a) => ({ where: { a: { in: a } } }),
          (a) => ({ where: { a: { gte: a } } }),
          (OR) => ({ where: { OR } }),
          (one) => ({ where: { AND: [one] } }),
          (NOT) => ({ where: { NOT } }),
          (orderBy) => ({ orderBy }),
          (one) => ({ orderBy: [one] }),
          (limit) => ({ limit }),
          (after) => ({ after }),
          (fresh) => ({ fresh, signal: AbortSignal.timeout(1) }),
          (signal) => ({ signal }),
        )
        .map((wrap) => (): unknown => wrap(make())),
    );
    await fc.assert(
      fc.asyncProperty(within, async (make) => {
        const asks: ((given: unknown) => unknown)[] = [
          (given) => queries.find(collection, given),
          (given) => queries.count(collection, given),
          (given) => queries.list(collection, given).next(),
          (given) => queries.watch(collection, given, undefined).next(),
        ];
        for (const ask of asks) expect(await answer(ask, make())).toSatisfy(isAllowed);
      }),
      drawn(150, 300),
    );
  });

  test('entries follow random changes: each index holds the keys of what is stored, and nothing else', async () => {
    const draw = new Draw(seeded());
    await using stored = await StoredDocuments.on(makeStore(), INDEXES);
    const rows = new Map<string, Row>();
    for (let step = 0; step < runs(15, 40); step += 1) {
      const changed = draw.rows(draw.below(30));
      await stored.put(changed);
      for (const row of changed) rows.set(row.id, row);
      await compared(stored, [...rows.values()], draw.where(), draw.orderBy(), 1 + draw.below(30));
    }
    for (const { number } of stored.indexes) {
      const page = await stored.session.stored({ set: stored.set, index: number, limit: 1_000 });
      const expected = [...rows.keys()].flatMap((id) => stored.entries(id).filter(({ index }) => index === number));
      const inOrder = expected.toSorted((one, other) => Buffer.compare(one.key, other.key));
      expect(page!.documents.map(({ id }) => id)).toEqual(inOrder.map(({ id }) => id));
    }
  });
});
