/** Refs and reads: which documents a decision rests on. */
import { InvalidDefinition, InvalidInput } from '../errors.ts';
import { isPlainObject, markOf } from '../realm.ts';
import { brand, brandOf } from './brand.ts';
import type { Frozen } from './event.ts';
import { isPromise } from './foreign.ts';
import { idFault } from './id.ts';
import type { Folded } from './reduce.ts';

declare const STATE: unique symbol;

/** A document as a decision sees it: not its version, since unhandled events move that without changing the ground. */
export interface Read<State> {
  readonly id: string;
  /** Whether an event that its collection handles was ever attached to it. */
  readonly exists: boolean;
  readonly state: Frozen<State>;
}

/** What a decision sees of a folded document. */
export function readOf(id: string, { changed, state }: Folded): Read<unknown> {
  return Object.freeze({ id, exists: changed > 0, state: state as never });
}

/** A document that is asked for. In a generator, `yield*` gives the document. */
export interface Ref<State> {
  readonly collection: string;
  readonly id: string;
  readonly [STATE]?: State;
  [Symbol.iterator](): Generator<readonly AnyRef[], Read<State>, readonly Read<unknown>[]>;
}

// eslint-disable-next-line typescript/no-explicit-any -- a ref to a document of any collection
export type AnyRef = Ref<any>;

/** What `reads` may return: refs, arrays of refs or undefined in an object; or it is a generator that asks by `yield*`. */
export type Reads =
  | { readonly [name: string]: AnyRef | readonly AnyRef[] | undefined }
  | Generator<readonly AnyRef[], unknown, readonly Read<unknown>[]>;

type DocumentFor<R> =
  R extends Ref<infer State> ? Read<State> : R extends readonly Ref<infer State>[] ? readonly Read<State>[] : R;

/** What `decide` gets for what `reads` returned. */
export type Documents<R> =
  R extends Generator<readonly AnyRef[], infer Result, readonly Read<unknown>[]>
    ? Result
    : { readonly [K in keyof R]: DocumentFor<R[K]> };

const MARK = markOf('ref');

class CollectionRef<State> implements Ref<State> {
  static {
    brand(this.prototype, MARK, true);
  }

  declare readonly [STATE]?: State;
  readonly collection: string;
  readonly id: string;

  constructor(collection: string, id: string) {
    this.collection = collection;
    this.id = id;
  }

  *[Symbol.iterator](): Generator<readonly AnyRef[], Read<State>, readonly Read<unknown>[]> {
    const [read] = yield [this];
    return read as Read<State>;
  }
}

/** Makes a ref. @throws InvalidInput if the id is none */
export function refTo<State>(collection: string, id: string): Ref<State> {
  const fault = idFault(id);
  if (fault) {
    throw new InvalidInput(
      `The id of a document of ${collection} ${fault}. Pass the id of the document that is meant.`,
      {
        collection,
        path: 'id',
      },
    );
  }
  return new CollectionRef<State>(collection, id);
}

/**
 * Reads several documents in one step of a generator.
 *
 * @example
 * ```ts
 * import { all, domain, failure, type } from 'tidemark';
 *
 * const club = domain({ events: { JOINED: type<{ team_id: string; member_ids: string[] }>() } });
 * const teams = club.collection('teams', {
 *   key: 'team_id',
 *   initial: { members: [] as string[] },
 *   reduce: { JOINED: (_, { member_ids }) => ({ members: member_ids }) },
 * });
 * const members = club.collection('members', { key: 'member_ids', initial: {}, reduce: { JOINED: (state) => state } });
 * club.command('DISBAND', {
 *   input: type<{ team_id: string }>(),
 *   *reads({ team_id }) {
 *     const team = yield* teams.ref(team_id);
 *     return { team, all: yield* all(team.state.members.map((id) => members.ref(id))) };
 *   },
 *   decide: (found) => failure(found.all.length > 0 ? 'STILL_MEMBERS' : 'NO_SUCH_TEAM'),
 * });
 * ```
 */
export function all<State>(
  refs: readonly Ref<State>[],
): Generator<readonly AnyRef[], readonly Read<State>[], readonly Read<unknown>[]> {
  return asked([...refs]);
}

function* asked<State>(
  refs: readonly Ref<State>[],
): Generator<readonly AnyRef[], readonly Read<State>[], readonly Read<unknown>[]> {
  return (refs.length === 0 ? [] : yield refs) as readonly Read<State>[];
}

/** Asks for documents stage by stage: each yield is one trip to the store. Returns what `decide` gets. */
export type ReadStages = Generator<readonly AnyRef[], unknown, readonly Read<unknown>[]>;

/** An object of refs: they are all asked for at once. */
export interface Gathered {
  readonly refs: readonly AnyRef[];
  /** What `decide` gets, of what was found for the refs. */
  documents(found: readonly Read<unknown>[]): unknown;
}

/** Looks at what `reads` returned. @throws InvalidDefinition if it is neither an object of refs nor a generator */
export function readsOf(command: string, reads: unknown): Gathered | ReadStages {
  if (isPromise(reads)) return wrongReads(command, 'returned a promise; it must be synchronous');
  if (typeof reads !== 'object' || reads === null) return wrongReads(command, 'returned no object');
  if (Symbol.asyncIterator in reads) return wrongReads(command, 'is an asynchronous generator; it must be synchronous');
  if (isGenerator(reads)) return stagesOf(command, reads);
  if (Array.isArray(reads) || !isPlainObject(reads))
    return wrongReads(command, 'returned something else than an object of refs');
  return gather(command, reads as Record<string, unknown>);
}

function* stagesOf(command: string, reads: Generator<unknown, unknown, unknown>): ReadStages {
  let step = reads.next();
  while (!step.done) {
    const asked: readonly unknown[] = Array.isArray(step.value) ? step.value : [];
    if (asked.length === 0 || !areRefs(asked)) return wrongReads(command, 'yielded something else than refs');
    step = reads.next(yield asked as readonly AnyRef[]);
  }
  return step.value;
}

function gather(command: string, reads: Record<string, unknown>): Gathered {
  const refs: AnyRef[] = [];
  for (const name in reads) {
    if (!Object.hasOwn(reads, name)) continue;
    const value = reads[name];
    const several: readonly unknown[] | undefined = Array.isArray(value) ? value : undefined;
    for (const one of several ?? [value]) {
      if (one === undefined && !several) continue;
      if (!isRef(one)) return wrongReads(command, `returned something else than refs in ${name}`);
      refs.push(one);
    }
  }
  return { refs, documents: (found) => handOut(reads, found) };
}

function handOut(reads: Record<string, unknown>, found: readonly Read<unknown>[]): unknown {
  let next = 0;
  const documents: Record<string, unknown> = {};
  for (const name in reads) {
    if (!Object.hasOwn(reads, name)) continue;
    const value = reads[name];
    if (Array.isArray(value)) documents[name] = value.map(() => found[next++]);
    else documents[name] = value === undefined ? undefined : found[next++];
  }
  return documents;
}

function isGenerator(value: object): value is Generator<unknown, unknown, unknown> {
  return typeof (value as Partial<Generator>).next === 'function';
}

function isRef(value: unknown): value is AnyRef {
  return brandOf(value, MARK) === true;
}

/** Also where there are holes, which `every` passes over. */
function areRefs(list: readonly unknown[]): list is readonly AnyRef[] {
  for (let index = 0; index < list.length; index += 1) if (!isRef(list[index])) return false;
  return true;
}

function wrongReads(command: string, problem: string): never {
  throw new InvalidDefinition(
    `Command ${command}: reads ${problem}. Return { name: collection.ref(id) }, or be a generator that asks by yield*.`,
    { command },
  );
}
