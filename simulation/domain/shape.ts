/**
 * A random domain as plain data: what it is made of, and what is asked of it. Data can be drawn by a seed, shrunk, printed
 * and sent again; `build.ts` makes real definitions of it, and `../laws` judges by the data alone.
 */

/** Fields of an event that may hold ids. `lines` is an array of `{ ref }`, found by the path `lines[].ref`. */
export type IdField = 'a' | 'b' | 'list';

export interface TypeShape {
  readonly name: string;
  readonly fields: readonly (IdField | 'lines')[];
}

/** Where ids are in events of one type: fields and paths, or a function. */
export type KeyPart = readonly string[] | { readonly calls: 'a' | 'list' | 'parity' };

export type KeyShape =
  { readonly fields: readonly IdField[] } | { readonly types: { readonly [type: string]: KeyPart } };

/** One definition of a collection: what raising its number may change. */
export interface DefinitionShape {
  readonly key: KeyShape;
  /** Its reducers mix this into each state. */
  readonly salt: number;
  /** Whether its states have many parts, as libraries that freeze on the surface leave them. */
  readonly marked: boolean;
}

export interface CollectionShape {
  readonly name: string;
  /** Number 1 first. */
  readonly definitions: readonly DefinitionShape[];
}

/** One version of the application's code. */
export interface ReleaseShape {
  /** The event types that its domain has. Its key maps name no others. */
  readonly knows: readonly string[];
  /** Collection → the types that its reducers handle, all of which it knows. */
  readonly handles: { readonly [collection: string]: readonly string[] };
  /** Collection → the number of its definition; 1 where none is named. */
  readonly definitions?: { readonly [collection: string]: number };
  /** Fields of the state, by which each of its collections is found. */
  readonly indexes?: readonly (readonly string[])[];
  /** Whether its reducers freeze the states that they return, on the surface, as libraries do by default. */
  readonly freezes: boolean;
}

export interface DomainShape {
  readonly types: readonly TypeShape[];
  /** Whether the failure of `ACT` is declared among the events, so that it can be reduced. */
  readonly declaresFailure: boolean;
  readonly collections: readonly CollectionShape[];
  /** The first has every collection, and knows every type. */
  readonly releases: readonly ReleaseShape[];
}

/** What a command does beside emitting its events. */
export type Twist = 'none' | 'fail' | 'odd' | 'idle' | 'throw' | 'invalid' | 'unknown' | 'nothing' | 'promise';

/**
 * Why a reducer that handles an event can't take it in: it throws, whatever the state or only at some counts, or it
 * returns a state that isn't plain JSON.
 */
export type Poison = 'throws' | 'throws at times' | 'NaN' | 'Date' | 'Map';
export const POISONS: readonly Poison[] = ['throws', 'throws at times', 'NaN', 'Date', 'Map'];

/** An event that a command is asked to emit. */
export interface Emit {
  readonly type: string;
  readonly a?: string | undefined;
  readonly b?: string | null | undefined;
  readonly list?: readonly string[] | undefined;
  readonly lines?: readonly string[] | undefined;
  readonly n: number;
  readonly poison: Poison | undefined;
}

/** A command's input is its programme. Its top-level ids are those that a failure is attached by. */
export interface Input {
  readonly a?: string | undefined;
  readonly b?: string | null | undefined;
  readonly list?: readonly string[] | undefined;
  readonly n: number;
  readonly reads: readonly (readonly [collection: string, id: string])[];
  /** `WALK` reads one more: which of these ids depends on what it has read. */
  readonly further?: { readonly collection: string; readonly ids: readonly string[] } | undefined;
  readonly twist: Twist;
  readonly emits: readonly Emit[];
}

/** `ACT` reads by an object, `WALK` by a generator; `PREPARE` waits for something first. */
export type CommandName = 'ACT' | 'WALK' | 'PREPARE';
export const COMMANDS: readonly CommandName[] = ['ACT', 'WALK', 'PREPARE'];

/** The number that stands in an event with the first of the poisons, and so on; no other event's is as high. */
export const POISON = 1_000;
export const FAILURE_TYPE = 'ACT_FAILED';

/** A collection as a release has it. */
export function definedIn(
  { collections, releases }: Pick<DomainShape, 'collections' | 'releases'>,
  release: number,
  name: string,
): DefinitionShape & { readonly number: number } {
  const number = releases[release]!.definitions?.[name] ?? 1;
  const collection = collections.find((one) => one.name === name)!;
  return { number, ...collection.definitions[number - 1]! };
}

/** Every event type that the domain declares. */
export function typeNames({ types, declaresFailure }: DomainShape): string[] {
  return [...types.map(({ name }) => name), ...(declaresFailure ? [FAILURE_TYPE] : [])];
}

/** Which of these types a collection of that key may handle: a reducer of a type that it never attaches is refused. */
export function attachable(key: KeyShape, types: readonly string[]): string[] {
  return types.filter((type) => 'fields' in key || Object.hasOwn(key.types, type));
}
