/** What a run of the model-based test is made of: plain data, so that fast-check can shrink it and print it. */
import * as fc from 'fast-check';
import { IDS } from '../../simulation/domain/draw.ts';
import {
  attachable,
  COMMANDS,
  FAILURE_TYPE,
  POISONS,
  type CommandName,
  type DefinitionShape,
  type DomainShape,
  type Emit,
  type IdField,
  type Input,
  type KeyPart,
  type KeyShape,
  type Poison,
  type ReleaseShape,
  type Twist,
  type TypeShape,
} from '../../simulation/domain/shape.ts';
import type { Query } from '../../simulation/laws/finds.ts';
import type { Limits } from '../../src/limits.ts';

/** A command as drawn: what it names by number is fitted to what there is. */
export interface CallPlan {
  readonly server: number;
  readonly command: CommandName;
  readonly input: Input;
  /** One of a few ids, so that they are met again. */
  readonly id: number | undefined;
  /** Asks once more for what was asked for before: so many calls ago. */
  readonly again: number | undefined;
  readonly actor: boolean;
  /** Rests on a document that was read before: so many readings ago, at that version or one that may not be there yet. */
  readonly rests: { readonly ago: number; readonly ahead: boolean } | undefined;
}

export type Step =
  | { readonly kind: 'calls'; readonly calls: readonly CallPlan[] }
  | { readonly kind: 'reopen'; readonly server: number; readonly release: number; readonly calls: readonly CallPlan[] }
  | {
      readonly kind: 'get';
      readonly server: number;
      readonly collection: number;
      readonly ids: readonly string[];
      readonly at: PastPlan;
    }
  | {
      readonly kind: 'history';
      readonly server: number;
      readonly collection: number;
      readonly id: string;
      readonly from: number;
    }
  | { readonly kind: 'status'; readonly server: number }
  | { readonly kind: 'fold'; readonly server: number; readonly collection: number }
  | {
      readonly kind: 'find';
      readonly server: number;
      readonly collection: number;
      readonly query: Query;
      /** Whether it waits for what its server has told of. */
      readonly fresh: boolean;
    }
  | {
      readonly kind: 'events';
      readonly server: number;
      readonly from: number;
      readonly before: number | undefined;
      readonly type: number | undefined;
      readonly reverse: boolean;
    }
  | { readonly kind: 'outcome'; readonly server: number; readonly id: number };

export type PastPlan = { readonly by: 'position' | 'version' | 'time'; readonly value: number } | undefined;

/** How far off a clock is that is right, at most, in milliseconds. */
export const DRIFT_MAX_MS = 2_000;

export interface ServerPlan {
  readonly release: number;
  readonly limits: Partial<Limits>;
  /** How far its clock is off, in milliseconds. */
  readonly drift: number;
}

export interface RunPlan {
  readonly shape: DomainShape;
  /** The first opens first. */
  readonly servers: readonly ServerPlan[];
  /** Whether callers change what they are given, as far as it lets itself be changed. */
  readonly changesGiven: boolean;
  readonly steps: readonly Step[];
  /** Turns of the event loop before each call of a store, in a circle: who comes first. */
  readonly delays: readonly number[];
}

const TYPES = ['E0', 'E1', 'E2'] as const;
const COLLECTIONS = ['c0', 'c1', 'c2'] as const;
const ID_FIELDS: readonly IdField[] = ['a', 'b', 'list'];

const id = fc.constantFrom(...IDS);
const idFields = fc.subarray([...ID_FIELDS], { minLength: 1 });
const number = fc.nat(20);

const keyPart: fc.Arbitrary<KeyPart> = fc.oneof(
  { weight: 3, arbitrary: idFields as fc.Arbitrary<KeyPart> },
  fc.constant<KeyPart>(['lines[].ref']),
  fc.constantFrom('a' as const, 'list' as const, 'parity' as const).map((calls): KeyPart => ({ calls })),
);
const key: fc.Arbitrary<KeyShape> = fc.oneof(
  idFields.map((fields): KeyShape => ({ fields })),
  fc
    .tuple(keyPart, keyPart, keyPart)
    .map((parts): KeyShape => ({ types: Object.fromEntries(parts.map((part, n) => [TYPES[n]!, part])) })),
);
const all = [...TYPES, FAILURE_TYPE];
// Mostly all of them: of releases that each lack what the other has, one can't be opened.
const handled = fc.oneof({ weight: 2, arbitrary: fc.constant(all) }, fc.subarray(all));
const freezes = fc.boolean();
const indexes = fc.subarray([['count'], ['hash'], ['count', 'hash']]);
const defined: fc.Arbitrary<DefinitionShape> = fc.record({ key, salt: fc.nat(3), marked: fc.boolean() });
const release = fc.record({
  knows: fc.oneof({ weight: 4, arbitrary: fc.constant([...TYPES]) }, fc.subarray([...TYPES])),
  handles: fc
    .tuple(
      ...COLLECTIONS.map((name) =>
        fc.option(
          handled.map((types) => [name, types] as const),
          { freq: 4, nil: undefined },
        ),
      ),
    )
    .map((collections) => Object.fromEntries(collections.filter((one) => one !== undefined))),
  freezes,
  indexes,
  // Mostly the first.
  raised: fc.tuple(...COLLECTIONS.map(() => fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(2)))),
});

export const shape: fc.Arbitrary<DomainShape> = fc
  .record({
    fields: fc.tuple(...TYPES.map(() => fc.tuple(fc.subarray([...ID_FIELDS]), fc.boolean()))),
    types: fc.integer({ min: 1, max: 3 }),
    declaresFailure: fc.boolean(),
    definitions: fc.array(fc.array(defined, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
    freezes,
    indexes,
    releases: fc.array(release, { maxLength: 2 }),
  })
  .map(({ fields, types: count, declaresFailure, definitions, freezes, indexes, releases }) => {
    const types: TypeShape[] = fields
      .slice(0, count)
      .map(([ids, lines], n) => ({ name: TYPES[n]!, fields: lines ? [...ids, 'lines'] : ids }));
    const names = new Set<string>([...types.map(({ name }) => name), ...(declaresFailure ? [FAILURE_TYPE] : [])]);
    const collections = definitions.map((all, n) => ({
      name: COLLECTIONS[n]!,
      definitions: all.map(({ key, ...more }) => ({ key: fitKey(key, names), ...more })),
    }));
    const full: ReleaseShape = {
      knows: [...names],
      handles: Object.fromEntries(
        collections.map(({ name, definitions }) => [name, attachable(definitions[0]!.key, [...names])]),
      ),
      freezes,
      indexes,
    };
    const others = releases.map(({ handles, knows, freezes, indexes, raised }): ReleaseShape => {
      const known = [...names].filter((type) => type === FAILURE_TYPE || knows.some((one) => one === type));
      const numbers = collections.map(({ definitions }, n) => 1 + (raised[n]! % definitions.length));
      const fitted = collections.flatMap(({ name, definitions }, n) => {
        const types = handles[name];
        const { key } = definitions[numbers[n]! - 1]!;
        return types ? [[name, attachable(key, types).filter((type) => known.includes(type))] as const] : [];
      });
      if (fitted.length === 0) return full;
      const defined = collections.map(({ name }, n) => [name, numbers[n]!] as const);
      return {
        knows: known,
        handles: Object.fromEntries(fitted),
        definitions: Object.fromEntries(defined),
        freezes,
        indexes,
      };
    });
    return { types, declaresFailure, collections, releases: [full, ...others] };
  });

function fitKey(key: KeyShape, names: ReadonlySet<string>): KeyShape {
  if ('fields' in key) return key;
  return { types: Object.fromEntries(Object.entries(key.types).filter(([type]) => names.has(type))) };
}

const few = <T>(value: fc.Arbitrary<T>, maxLength = 3): fc.Arbitrary<T[]> => fc.array(value, { maxLength });
const maybe = <T>(value: fc.Arbitrary<T>, freq = 2): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq });

const ids = { a: maybe(id), b: maybe(fc.option(id)), list: maybe(few(id)) };

const poison: fc.Arbitrary<Poison | undefined> = fc.oneof(
  { weight: 60, arbitrary: fc.constant(undefined) },
  // Most documents can take it in.
  { weight: 30, arbitrary: fc.constant<Poison>('throws at times') },
  fc.constantFrom(...POISONS),
);

const emit: fc.Arbitrary<Emit> = fc.record({
  type: fc.constantFrom(...TYPES),
  ...ids,
  lines: maybe(few(id)),
  n: fc.nat(996),
  poison,
});

const twist: fc.Arbitrary<Twist> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Twist>('none') },
  fc.constantFrom<Twist>('odd', 'idle', 'fail', 'throw', 'invalid', 'unknown', 'nothing', 'promise'),
);

const input: fc.Arbitrary<Input> = fc.record({
  ...ids,
  n: fc.nat(99),
  reads: few(fc.tuple(fc.constantFrom(...COLLECTIONS), id)),
  further: maybe(
    fc.record({ collection: fc.constantFrom(...COLLECTIONS), ids: fc.array(id, { minLength: 1, maxLength: 2 }) }),
  ),
  twist,
  emits: fc.array(emit, { minLength: 1, maxLength: 3 }),
});

const call: fc.Arbitrary<CallPlan> = fc.record({
  server: number,
  command: fc.constantFrom(...COMMANDS),
  input,
  id: maybe(fc.nat(5)),
  again: maybe(number, 4),
  actor: fc.boolean(),
  rests: maybe(fc.record({ ago: number, ahead: fc.boolean() }), 6),
});

const past: fc.Arbitrary<PastPlan> = maybe(
  fc.record({ by: fc.constantFrom('position' as const, 'version' as const, 'time' as const), value: number }),
);

const field = fc.constantFrom('count' as const, 'hash' as const);

const query: fc.Arbitrary<Query> = fc.record({
  where: maybe(fc.record({ field, is: fc.constantFrom('eq' as const, 'gte', 'lt', 'ne'), value: fc.nat(9) })),
  orderBy: fc.uniqueArray(fc.record({ field, descends: fc.boolean() }), { maxLength: 2, selector: (one) => one.field }),
  limit: fc.integer({ min: 1, max: 4 }),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('calls' as const),
      calls: fc.array(call, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('reopen' as const), server: number, release: number, calls: few(call) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('get' as const),
      server: number,
      collection: number,
      ids: fc.array(id, { minLength: 1, maxLength: 3 }),
      at: past,
    }),
  },
  fc.record({
    kind: fc.constant('history' as const),
    server: number,
    collection: number,
    id,
    from: fc.oneof(fc.constant(0), fc.nat(5)),
  }),
  fc.record({
    kind: fc.constant('events' as const),
    server: number,
    from: number,
    before: maybe(number),
    type: maybe(number),
    reverse: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('status' as const), server: number }),
  fc.record({ kind: fc.constant('fold' as const), server: number, collection: number }),
  fc.record({ kind: fc.constant('find' as const), server: number, collection: number, query, fresh: fc.boolean() }),
  fc.record({ kind: fc.constant('outcome' as const), server: number, id: fc.nat(5) }),
);

const limits: fc.Arbitrary<Partial<Limits>> = fc.record({
  triesMax: fc.integer({ min: 1, max: 4 }),
  batchCommitsMax: fc.constantFrom(1_000, 1, 2),
  batchBytesMax: fc.constantFrom(1_000_000, 1, 400),
  cacheEntriesMax: fc.constantFrom(1_000, 1, 2, 4),
  queueCommandsMax: fc.constantFrom(1_000, 1_000, 2),
});

const server: fc.Arbitrary<ServerPlan> = fc.record({
  release: fc.oneof(fc.constant(0), number),
  limits,
  drift: fc.nat(DRIFT_MAX_MS),
});

export const plan: fc.Arbitrary<RunPlan> = fc.record({
  shape,
  changesGiven: fc.boolean(),
  delays: fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }),
  servers: fc.array(server, { minLength: 1, maxLength: 3 }),
  steps: fc.array(step, { minLength: 1, maxLength: 14 }),
});
