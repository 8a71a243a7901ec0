/**
 * The registry: which collections events are attached for, and which definitions of them are in use. It is data to a store:
 * the rules of what may be registered are the engine's (src/engine/registry/rules.ts), which a store runs under its write lock.
 */
import type { DeclaredKey } from '../../model/key.ts';
import type { LogPoint } from './facts.ts';

export interface Registry {
  /** Raised by each change that a server must know before it appends or loads. 0 for a new log. */
  readonly generation: number;
  /** The last number that was given to a keying, definition, set or index: none is given twice. 0 for a new log. */
  readonly last: number;
  /** Ordered by name (UTF-8 bytes). */
  readonly keyings: readonly Keying[];
  /** Ordered by id. */
  readonly definitions: readonly Definition[];
  /** Of all sets, ordered by number. */
  readonly indexes: readonly Index[];
}

/** How the documents of a collection are found in events. Definitions of the same key share one. */
export interface Keying {
  /**
   * What the log calls it, wherever a document is named: the collection's name for its first keying, otherwise that name, U+001F
   * and a number.
   */
  readonly name: string;
  readonly collection: string;
  /** As declared; two declarations are the same if their JSON texts are, those of two maps type by type. */
  readonly key: DeclaredKey;
  /** Of a key with a function: the definition whose code finds the ids. */
  readonly definition?: number | undefined;
  /**
   * `filling`: the events up to `filled` are attached, those after it are not yet, and an append attaches nothing to it.
   * `live`: all events are attached, and each append attaches its own. `retired`: no definition uses it; its events are
   * removed, its name is kept, as events in the log still name its documents.
   */
  readonly state: 'filling' | 'live' | 'retired';
  /** A position: up to here events were attached after they were stored. 0 if none had to be. */
  readonly filled: number;
}

/** A definition of a collection that some server uses: its number together with the types that its reducers handle. */
export interface Definition {
  readonly id: number;
  readonly collection: string;
  /** The number that the collection's code gives. */
  readonly definition: number;
  /** Each once, ordered by UTF-8 bytes. */
  readonly handled: readonly string[];
  /** The name of its keying. */
  readonly keying: string;
  /** The set of its stored documents. */
  readonly set: number;
  /** Another set that is being made, to take the place of `set`. */
  readonly rebuilt?: number | undefined;
  /** What the engine says of that, or of the last one that was made: a text that a store gives back. */
  readonly rebuildNote?: string | undefined;
  /** When a server used it last, in milliseconds since the Unix epoch. */
  readonly usedAt: number;
}

/** An index over the stored documents of a set. */
export interface Index {
  readonly number: number;
  readonly set: number;
  /** Paths of the state, in order. */
  readonly fields: readonly string[];
  /** `filling`: it has the entries of the documents up to `filled` in the order of ids, and any number of others. */
  readonly state: 'filling' | 'live';
  /** The last id that filling has come to; undefined before the first page, and when it is live. */
  readonly filled?: string | undefined;
  /** When a server used it last, in milliseconds since the Unix epoch. */
  readonly usedAt: number;
}

/** What must be known of the log to judge a change. */
export interface LogFacts {
  readonly isEmpty: boolean;
  /** The position of the first event of a type, whatever the outcome of its commit; undefined if there never was one. */
  readonly firstOf: (type: string) => number | undefined;
}

/**
 * Says what is to be changed; undefined if nothing is. Pure and synchronous: it may be called several times, with and without
 * the write lock. What it throws reaches the caller as it is, and nothing is changed then.
 */
export type Judge = (registry: Registry, log: LogFacts) => RegistryChange | undefined;

export interface RegistryChange {
  /** Whether servers must know it before they append or load: the generation is raised by one. */
  readonly raises: boolean;
  /** The new {@link Registry.last}. */
  readonly last: number;
  /** Added, or in the place of those of the same name. A keying is never removed. */
  readonly keyings?: readonly Keying[] | undefined;
  /** Added, or in the place of those of the same id. */
  readonly definitions?: readonly Definition[] | undefined;
  /** Added, or in the place of those of the same number. */
  readonly indexes?: readonly Index[] | undefined;
  /** Definitions, by id, and indexes, by number, that are removed. */
  readonly removed?: readonly number[] | undefined;
}

/** The part of a session that keeps the registry. */
export interface Registering {
  registry(): Promise<Registry>;

  /**
   * Changes the registry as `judge` says, in one transaction under the write lock, and returns it as it is then. First `judge` is
   * asked without the lock: if nothing is to be changed, no lock is waited for. It is asked again under the lock, or the change
   * is written only if the registry and the log are still what it judged by, and it is asked again otherwise.
   *
   * A definition that is added or removed brings its sets into being and out of it: a new set has no documents and is at place 0.
   * What a set, an index or a retired keying held may stay until `sweep` has removed it; nothing reads it any more.
   */
  change(judge: Judge): Promise<Registry>;

  /**
   * Removes a bounded part of what no registered set, index or keying needs any more: stored documents, index entries, the
   * attachments of retired keyings (their documents keep their rows). Returns whether more may be left.
   */
  sweep(): Promise<boolean>;
}

/** Events up to a position that are attached to the documents of a keying after they were stored. */
export interface AttachedPage {
  readonly keying: string;
  /** The registry's generation that the ids were found by: a keying's key may get more event types. */
  readonly generation: number;
  /** Where the keying has been filled up to. */
  readonly from: number;
  /** Where it is filled up to then. */
  readonly to: number;
  /** An end of the log that its maker has seen, at or after `to`. */
  readonly seen: LogPoint;
  /** Events between `from` (exclusive) and `to` (inclusive) with the ids found in each, in the order of the log. Each id once. */
  readonly attachments: readonly FoundIds[];
  /** Whether the keying is live then: `to` must be the end of the log. The generation is raised. */
  readonly live: boolean;
}

export interface FoundIds {
  readonly position: number;
  readonly type: string;
  readonly ids: readonly string[];
}
