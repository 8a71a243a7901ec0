/** Refs and reads: which documents a decision depends on. */
import { InvalidDefinition } from '../errors.ts';
import { isPlainObject, isPromise, markOf } from '../realm.ts';
import { brand, brandOf } from './brand.ts';
import type { Frozen } from './event.ts';
import { assertedId } from './id.ts';

declare const STATE: unique symbol;

/** A document as a decision sees it. It has no version: unhandled events change that without changing the state. */
export interface Read<State> {
  readonly id: string;
  /** Whether an event that its collection handles was ever attached to it. */
  readonly exists: boolean;
  readonly state: Frozen<State>;
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

/** What `reads` may return: refs, arrays of refs or undefined in an object; or a generator that asks by `yield*`. */
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
  /** A proxy doesn't have it, nor does an object that inherits from a ref. */
  // eslint-disable-next-line no-unused-private-class-members -- only its presence is asked
  readonly #made = true;

  /** Whether this copy of the package made the ref: then it never changes. */
  static made(value: object): boolean {
    return #made in value;
  }

  constructor(collection: string, id: string) {
    this.collection = collection;
    this.id = id;
    // Frozen, as it may not change while its document is waited for.
    Object.freeze(this);
  }

  *[Symbol.iterator](): Generator<readonly AnyRef[], Read<State>, readonly Read<unknown>[]> {
    const [read] = yield [this];
    return read as Read<State>;
  }
}

/** Makes a ref. @throws InvalidInput if the id isn't valid */
export function refTo<State>(collection: string, id: string): Ref<State> {
  return new CollectionRef<State>(collection, assertedId(collection, id));
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
  return asked([...refs]) as Generator<readonly AnyRef[], readonly Read<State>[], readonly Read<unknown>[]>;
}

function* asked(
  refs: readonly AnyRef[],
): Generator<readonly AnyRef[], readonly Read<unknown>[], readonly Read<unknown>[]> {
  return refs.length === 0 ? [] : yield refs;
}

/** Asks for documents stage by stage: each yield is one trip to the store. Returns what `decide` gets. */
export type ReadStages = Generator<readonly AnyRef[], unknown, readonly Read<unknown>[]>;

/** An object of refs: they are all asked for at once. */
export interface Gathered {
  readonly refs: readonly AnyRef[];
  /** Makes what `decide` gets from the documents found. */
  documents(found: readonly Read<unknown>[]): unknown;
}

/** Looks at what `reads` returned. @throws InvalidDefinition if it is neither an object of refs nor a generator */
export function readsOf(command: string, reads: unknown): Gathered | ReadStages {
  if (isPromise(reads)) return wrongReads(command, 'returned a promise; it must be synchronous');
  if (typeof reads !== 'object' || reads === null) return wrongReads(command, 'returned no object');
  if (Symbol.asyncIterator in reads) return wrongReads(command, 'is an asynchronous generator; it must be synchronous');
  if (isGenerator(reads)) return stagesOf(command, reads);
  if (Array.isArray(reads) || !isPlainObject(reads))
    return wrongReads(command, 'returned something other than an object of refs');
  return gather(command, reads as Record<string, unknown>);
}

function* stagesOf(command: string, reads: Generator<unknown, unknown, unknown>): ReadStages {
  let step = reads.next();
  while (!step.done) step = reads.next(yield yielded(command, step.value));
  return step.value;
}

/** A copy: the generator may use its array again. */
function yielded(command: string, value: unknown): readonly AnyRef[] {
  const refs: AnyRef[] = [];
  for (const one of Array.isArray(value) ? (value as readonly unknown[]) : []) {
    // Checked one by one: an array of only holes may be longer than any memory.
    const ref = refOf(one);
    if (!ref) return wrongReads(command, 'yielded something other than refs');
    refs.push(ref);
  }
  return refs.length === 0 ? wrongReads(command, 'yielded something other than refs') : refs;
}

/** How many documents a name stands for. */
type Places = Map<string, { readonly several: boolean; readonly count: number }>;

/** Reads the user's object and its arrays once: they may change while documents are waited for. */
function gather(command: string, reads: Record<string, unknown>): Gathered {
  const refs: AnyRef[] = [];
  const places: Places = new Map();
  for (const name in reads) {
    if (!Object.hasOwn(reads, name)) continue;
    const value = reads[name];
    const several = Array.isArray(value);
    const before = refs.length;
    for (const one of several ? (value as readonly unknown[]) : [value]) {
      if (one === undefined && !several) continue;
      const ref = refOf(one);
      if (!ref) return wrongReads(command, `returned something other than refs in ${name}`);
      refs.push(ref);
    }
    places.set(name, { several, count: refs.length - before });
  }
  return { refs, documents: (found) => handOut(places, found) };
}

function handOut(places: Places, found: readonly Read<unknown>[]): unknown {
  let next = 0;
  const documents: Record<string, unknown> = {};
  for (const [name, { several, count }] of places) {
    documents[name] = several ? found.slice(next, next + count) : count === 0 ? undefined : found[next];
    next += count;
  }
  return documents;
}

function isGenerator(value: object): value is Generator<unknown, unknown, unknown> {
  return typeof (value as Partial<Generator>).next === 'function';
}

/**
 * The ref that a value is; undefined for anything else. A ref of another copy of the package, or behind a proxy, is read once
 * and copied: it might change.
 */
function refOf(value: unknown): AnyRef | undefined {
  if (brandOf(value, MARK) !== true) return undefined;
  if (CollectionRef.made(value as object)) return value as AnyRef;
  const { collection, id } = value as { readonly collection: unknown; readonly id: string };
  return typeof collection === 'string' ? refTo(collection, id) : undefined;
}

function wrongReads(command: string, problem: string): never {
  throw new InvalidDefinition(
    `Command ${command}: reads ${problem}. Return { name: collection.ref(id) }, or be a generator that asks by yield*.`,
    { command },
  );
}
