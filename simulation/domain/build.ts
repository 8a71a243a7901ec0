/** Makes a release of a random domain: real collections and commands, of plain data. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { all, domain, failure, nothing, type, type AnyCollection, type AnyCommand } from 'tidemark';
import type { Ref } from '../../src/model/reads.ts';
import {
  COMMANDS,
  definedIn,
  FAILURE_TYPE,
  typeNames,
  type CommandName,
  type DomainShape,
  type Input,
  type KeyPart,
  type KeyShape,
} from './shape.ts';
import {
  followed,
  follows,
  frozenState,
  initialState,
  reduceState,
  verdict,
  type Fields,
  type FoldContext,
  type State,
  type View,
} from './user-code.ts';

/** A release of the application, ready to be opened. */
export interface Release {
  readonly index: number;
  readonly collections: ReadonlyMap<string, AnyCollection>;
  readonly commands: ReadonlyMap<CommandName, AnyCommand>;
}

/** What `PREPARE` waits for. */
export type Wait = (input: unknown, context: { readonly id: string }) => Promise<void>;

export type Reducer = (state: State, event: Fields, context: Omit<FoldContext, 'salt'>) => State;

/** `planted` changes the reducer: how a defect is planted in what is made of its states. */
export function buildRelease(
  shape: DomainShape,
  index: number,
  wait: Wait,
  planted: (reducer: Reducer) => Reducer = (reducer) => reducer,
): Release {
  const release = shape.releases[index]!;
  const { handles, knows, freezes, indexes } = release;
  const market = domain({ events: schemas(shape, knows) } as never);
  const collections = new Map<string, AnyCollection>();
  for (const { name } of shape.collections) {
    const handled = handles[name];
    if (!handled) continue;
    const defined = definedIn(shape, index, name);
    const { number: definition, key, salt } = defined;
    const reducer = planted(freezes ? freezing(salt) : reducing(salt));
    const reduce = Object.fromEntries(handled.map((type) => [type, reducer]));
    const initial = handled.length % 2 === 0 ? initialState(defined) : () => initialState(defined);
    const given = { definition, key: keyOf(key, knows), initial, reduce, indexes };
    collections.set(name, market.collection(name, given as never));
  }
  const commands = new Map<CommandName, AnyCommand>();
  for (const name of COMMANDS) {
    const reads = follows(name) ? walking(collections) : asking(collections);
    const prepare = name === 'PREPARE' ? wait : undefined;
    // Named, as the domain may declare it among its events.
    const failureType = `${name}_FAILED`;
    commands.set(name, market.command(name, { input: type<Input>(), prepare, reads, decide, failureType } as never));
  }
  return { index, collections, commands };
}

const reducing =
  (salt: number): Reducer =>
  (state, event, { id, time }) =>
    reduceState(state, event, { id, time, salt });
const freezing =
  (salt: number): Reducer =>
  (state, event, { id, time }) =>
    frozenState(reduceState(state, event, { id, time, salt }));

function decide({ found }: { found: readonly View[] }, input: Input, { time }: { time: number }): unknown {
  switch (input.twist) {
    case 'throw':
      throw new Error('thrown on purpose');
    case 'nothing':
      return [];
    case 'promise':
      return Promise.resolve([]);
    case 'invalid':
      return { ...input.emits[0]!, n: -1 };
    case 'unknown':
      return { type: 'NO_SUCH_TYPE', n: 1 };
    default: {
      const decided = verdict(found, input, time);
      if (decided.kind === 'failure') return failure(decided.reason, decided.details as never);
      if (decided.kind === 'nothing') return nothing();
      if (decided.kind === 'error') throw new TypeError('no verdict');
      return decided.events.length === 1 ? decided.events[0] : decided.events;
    }
  }
}

type Collections = ReadonlyMap<string, AnyCollection>;

/** The refs that this release's code can make: others are of collections that it doesn't have. */
function refs(collections: Collections, { reads }: Input): Ref<State>[] {
  return reads.flatMap(([collection, id]) => collections.get(collection)?.ref(id) ?? []);
}

function asking(collections: Collections) {
  return (input: Input) => ({ found: refs(collections, input) });
}

function walking(collections: Collections) {
  return function* (input: Input) {
    const first = yield* all(refs(collections, input));
    const next = followed(first, input);
    const ref = next && (collections.get(next[0])?.ref(next[1]) as Ref<State> | undefined);
    return { found: ref ? [...first, yield* ref] : first };
  };
}

function keyOf(key: KeyShape, knows: readonly string[]): unknown {
  if ('fields' in key) return key.fields.length === 1 ? key.fields[0] : key.fields;
  const known = Object.entries(key.types).filter(([type]) => knows.includes(type));
  return Object.fromEntries(known.map(([type, part]) => [type, partOf(part)]));
}

function partOf(part: KeyPart): unknown {
  if ('calls' in part) {
    const { calls } = part;
    if (calls === 'parity') return ({ n = 0 }: Fields) => `p${n % 2}`;
    return (event: Fields) => event[calls];
  }
  return part.length === 1 ? part[0] : part;
}

/** Schemas that keep the fields of their type, and refuse a negative number. */
function schemas(shape: DomainShape, knows: readonly string[]): Record<string, unknown> {
  const known = shape.types.filter(({ name }) => knows.includes(name));
  const made = Object.fromEntries(known.map(({ name, fields }) => [name, schemaOf(keptFields(fields))]));
  if (typeNames(shape).includes(FAILURE_TYPE)) made[FAILURE_TYPE] = schemaOf(FAILURE_FIELDS);
  return made;
}

export const FAILURE_FIELDS: readonly string[] = ['a', 'b', 'list', 'reason', 'details'];

export function keptFields(fields: readonly string[]): readonly string[] {
  return [...fields, 'n', 'saw', 'at'];
}

function schemaOf(kept: readonly string[]): unknown {
  const validate = (value: Record<string, unknown>): StandardSchemaV1.Result<object> => {
    if (typeof value['n'] === 'number' && value['n'] < 0) return { issues: [{ message: 'negative', path: ['n'] }] };
    return { value: Object.fromEntries(kept.filter((name) => name in value).map((name) => [name, value[name]])) };
  };
  return { '~standard': { version: 1, vendor: 'simulation', validate } };
}
