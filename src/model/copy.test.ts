/**
 * A state that shares parts with the one before it is the state that JSON gives back, whatever reducers do: a fold in one go and
 * one from a stored state agree.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JSON_BYTES_MAX, JSON_DEPTH_MAX, keptCopy, type Copied } from './json.ts';
import { Twins } from './same-items.ts';
import { drawn } from '../../test/fuzz/seed.ts';

type State = { list: unknown[]; inner: { list: unknown[]; byId: Record<string, unknown> }; [field: string]: unknown };

/** A step of a reducer: pure, of a state, a number and a value from the event. */
type Step = (state: State, n: number, value: unknown) => State;

const onList =
  (change: (list: unknown[], n: number, value: unknown) => unknown[]): Step =>
  (state, n, value) =>
    n % 2 === 0
      ? { ...state, list: change(state.list, n, value) }
      : { ...state, inner: { ...state.inner, list: change(state.inner.list, n, value) } };

const onFields =
  (change: (byId: Record<string, unknown>, n: number, value: unknown) => Record<string, unknown>): Step =>
  (state, n, value) => ({ ...state, inner: { ...state.inner, byId: change(state.inner.byId, n, value) } });

const STEPS: Readonly<Record<string, Step>> = {
  push: onList((list, _, value) => [...list, value]),
  pushMany: onList((list, n, value) => list.concat(Array.from({ length: n % 90 }, (_, at) => ({ at, value })))),
  unshift: onList((list, n, value) => [value, n, ...list]),
  shift: onList((list, n) => list.slice(n % 5)),
  pop: onList((list, n) => list.slice(0, list.length - (n % 5))),
  window: onList((list, n, value) => [...list.slice(n % 3), value]),
  splice: onList((list, n, value) => list.toSpliced(n % (list.length + 1), n % 4, value, n)),
  filter: onList((list, n) => list.filter((_, at) => at % 7 !== n % 7)),
  map: onList((list, n, value) => list.map((item, at) => (at % 50 === n % 50 ? value : item))),
  deepen: onList((list, n) => list.map((item, at) => (at === n % 80 ? { item } : item))),
  reverse: onList((list) => list.toReversed()),
  rotate: onList((list, n) => [...list.slice(n % 30), ...list.slice(0, n % 30)]),
  zeros: onList((list, n) => list.map((item, at) => (at % 10 === n % 10 ? -0 : item))),
  numbers: onList((list, n) => list.map((item) => (typeof item === 'number' ? item * (n % 3) * -1 : item))),
  clear: onList((list, n) => list.slice(0, n % 3)),
  double: onList((list, n) =>
    list.length > 300 ? list.slice(0, 70) : n % 3 === 0 ? [...list, ...list] : [list, ...list.slice(0, 90)],
  ),
  named: onList((list, _, value) => Object.assign([...list, value], { total: value })),
  set: onFields((byId, n, value) => ({ ...byId, [`id${n % 200}`]: value })),
  setMany: onFields((byId, n, value) => ({
    ...byId,
    ...Object.fromEntries(Array.from({ length: n % 90 }, (_, at) => [`of${n}-${at}`, value])),
  })),
  zeroFields: onFields((byId) =>
    Object.fromEntries(Object.entries(byId).map(([id, item]) => [id, typeof item === 'number' ? item * -0 : item])),
  ),
  remove: onFields((byId, n) => Object.fromEntries(Object.entries(byId).filter(([id]) => id !== `id${n % 200}`))),
  undo: onFields((byId, n) => ({ ...byId, [`id${n % 200}`]: undefined })),
  others: onFields((byId, n) => Object.fromEntries(Object.entries(byId).filter((_, at) => at % 5 !== n % 5))),
  turned: onFields((byId) => Object.fromEntries(Object.entries(byId).toReversed())),
  alias: (state, n) => ({ ...state, [`was${n % 2}`]: state.inner.list, inner: { ...state.inner } }),
  swap: (state) => ({ ...state, list: state.inner.list, inner: { ...state.inner, list: state.list } }),
  grow: (state) => ({ ...state, before: state['before'] === undefined ? { ...state.inner } : undefined }),
  same: (state) => state,
  event: (state, _, value) => ({ ...state, last: value, first: value }),
  getter: (state, n) => ({
    ...state,
    get seen() {
      return n;
    },
  }),
};

/** A fold that goes through text after each event, as one from stored states does. */
const stored = (state: unknown): State => JSON.parse(JSON.stringify(state)) as State;

function assertFrozen(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  expect(Object.isFrozen(value)).toBe(true);
  for (const part of Object.values(value)) assertFrozen(part);
}

function made(copied: Copied) {
  if ('fault' in copied) throw new Error(copied.fault.problem);
  return copied as { readonly copy: State; readonly bytes: number };
}

const scalars = fc.oneof(fc.string({ maxLength: 5 }), fc.integer(), fc.constant(-0), fc.boolean(), fc.constant(null));
const values = fc.oneof(
  scalars,
  fc.object({ maxDepth: 3, values: [scalars], key: fc.string({ maxLength: 3 }) }),
  fc.array(scalars),
);
const starts = fc.record({
  items: fc.array(values, { maxLength: 20 }),
  length: fc.oneof({ weight: 5, arbitrary: fc.nat({ max: 150 }) }, { weight: 1, arbitrary: fc.constant(2_050) }),
});

const long = (length: number): object[] => Array.from({ length }, (_, n) => ({ n }));
const first = (list: unknown[]) => made(keptCopy({ list })).copy;
const next = (before: State, list: unknown[], twins?: Twins) => made(keptCopy({ ...before, list }, before, twins)).copy;

/** Makes a copy that has a fault. */
const seen = (): string => ('fault' in keptCopy(NaN) ? 'seen' : '');

describe('a state after the one before', () => {
  test('is what JSON gives back, frozen, with the size of one made at once', () => {
    const names = fc.constantFrom(...Object.keys(STEPS));
    const events = fc.array(fc.tuple(names, fc.nat({ max: 1_000 }), values), { maxLength: 25 });
    fc.assert(
      fc.property(starts, events, fc.boolean(), ({ items, length }, events, withTwins) => {
        const filled = Array.from({ length }, (_, at) => items[at % (items.length || 1)] ?? at);
        const byId = Object.fromEntries(filled.map((item, at) => [`id${at}`, item]));
        const initial = stored({ list: filled, inner: { list: filled.slice(0, 100), byId } });
        const twins = withTwins ? new Twins() : undefined;
        let ours = made(keptCopy(initial));
        let theirs = initial;
        for (const [name, n, value] of events) {
          const step = STEPS[name]!;
          // The event is frozen; a value of it may become a part of the state.
          ours = made(keptCopy(step(ours.copy, n, value), ours.copy, twins));
          theirs = stored(step(theirs, n, value));
          expect(ours.copy).toStrictEqual(theirs);
          expect(JSON.stringify(ours.copy)).toBe(JSON.stringify(theirs));
          expect(ours.bytes).toBe(made(keptCopy(theirs)).bytes);
          assertFrozen(ours.copy);
        }
      }),
      drawn(30, 100),
    );
  });

  test('shares what it has of it: items, parts and whole lists', () => {
    for (const length of [10, 100, 5_000]) {
      const before = first(long(length));
      const grown = next(before, [...before.list, { n: 'new' }]);
      expect(grown.list.slice(0, -1).every((item, at) => item === before.list[at])).toBe(true);
      expect(made(keptCopy({ ...grown, n: 1 }, grown)).copy.list).toBe(grown.list);
      const moved = next(before, [...before.list.slice(3), { n: 'new' }]);
      expect(moved.list.slice(0, -1).every((item, at) => item === before.list[at + 3])).toBe(true);
    }
  });

  test('nobody holds a part of a long list that can change, and what JSON drops is dropped', () => {
    for (const length of [100, 5_000]) {
      const before = first(long(length));
      const item = { n: 'new', gone: undefined, zero: -0 };
      const list = Object.assign([...before.list, item], { total: { cents: 5 }, [Symbol('s')]: 1 });
      const grown = next(before, list);
      item.n = 'changed';
      list.total.cents = 7;
      expect(Reflect.ownKeys(grown.list)).toHaveLength(length + 2);
      expect(grown.list.at(-1)).toStrictEqual({ n: 'new', zero: 0 });
      assertFrozen(grown);
      // A proxy answers otherwise the next time.
      let answers = 0;
      const proxy = new Proxy([...before.list, 1], {
        get: (target, name) => (name === `${length}` ? (answers += 1) : (Reflect.get(target, name) as unknown)),
      });
      const copied = next(before, proxy);
      expect(copied.list.at(-1)).toBe(copied.list.at(-1));
      expect(copied.list).not.toBe(proxy);
      // Frozen by the reducer, with an item that isn't.
      const inside = { n: 1 };
      const frozen = next(before, Object.freeze([...before.list, inside]) as unknown as unknown[]);
      inside.n = 2;
      expect(frozen.list.at(-1)).toStrictEqual({ n: 1 });
    }
  });

  test('finds what is no JSON in a long list, wherever it stands', () => {
    const before = first(long(5_000));
    for (const at of [0, 2_500, 4_999]) {
      for (const wrong of [NaN, undefined, new Date(0), () => 1]) {
        const copied = keptCopy({ ...before, list: before.list.with(at, wrong) }, before, new Twins());
        expect(copied).toMatchObject({ fault: { path: `list[${at}]` } });
      }
      expect(Object.is(next(before, before.list.with(at, -0)).list[at], 0)).toBe(true);
    }
    const holes = [...before.list];
    delete holes[7];
    expect(keptCopy({ list: holes }, before)).toMatchObject({ fault: { path: 'list[7]' } });
  });

  test('keeps the limits: of bytes for what is shared, of levels for what moves, of a cycle', () => {
    const text = 'x'.repeat(JSON_BYTES_MAX / 100);
    let state = first(Array.from({ length: 64 }, () => text));
    state = next(state, [...state.list, ...Array.from({ length: 35 }, () => text)]);
    expect(keptCopy({ list: [...state.list, text] }, state)).toMatchObject({ over: true });
    // What goes makes room for what comes, also if that comes first.
    expect(next(state, [text, ...state.list.slice(0, -1)]).list).toHaveLength(99);
    let deep = first(long(100));
    for (let levels = 3; levels < JSON_DEPTH_MAX; levels += 1) deep = next(deep, deep.list.with(0, [deep.list[0]]));
    expect(keptCopy({ ...deep, list: deep.list.with(0, [deep.list[0]]) }, deep)).toMatchObject({
      fault: { problem: expect.stringContaining('nested deeper') as string },
    });
    // What was deepest has gone: there is room again.
    const flat = next(deep, deep.list.with(0, 0));
    expect(next(flat, flat.list.with(1, [flat.list])).list).toHaveLength(100);
    const cycle: unknown[] = [...flat.list];
    cycle.push(cycle);
    expect(keptCopy({ ...flat, list: cycle }, flat, new Twins())).toMatchObject({
      fault: { problem: expect.any(String) as string },
    });
  });

  test('what is read may have getters that copy something else, and what JSON drops of a large object is dropped', () => {
    const fields = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`f${n}`, n]));
    const before = made(keptCopy({ fields, list: long(100) })).copy as State & { fields: object };
    const hidden = Object.defineProperty({ ...before.fields, [Symbol('s')]: {} }, 'f1', { enumerable: false });
    const withGetter = Object.defineProperty(hidden, 'f0', { get: seen, enumerable: true });
    const list = Object.defineProperty([...before.list], 5, { get: seen, enumerable: true });
    const { copy, bytes } = made(keptCopy({ fields: withGetter, list }, before, new Twins()));
    const expected = stored({ fields: { ...fields, f0: 'seen', f1: undefined }, list: before.list.with(5, 'seen') });
    expect(copy).toStrictEqual(expected);
    expect(bytes).toBe(made(keptCopy(expected)).bytes);
    expect(Object.getOwnPropertyDescriptor(copy.list, 5)).toHaveProperty('value', 'seen');
    expect(Reflect.ownKeys(copy['fields'] as object)).toHaveLength(99);
    const polluted = { ...before.fields, toString: Object.prototype.toString };
    expect(keptCopy({ ...before, fields: polluted }, before)).toMatchObject({ fault: { path: 'fields.toString' } });
    const proto = JSON.parse(JSON.stringify(before.fields).replace('"f5"', '"__proto__"')) as object;
    expect(keptCopy({ ...before, fields: proto }, before)).toMatchObject({ fault: { path: 'fields.__proto__' } });
  });
});
