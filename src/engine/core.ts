/** What the parts of an open application share. */
import type { Limits } from '../limits.ts';
import type { CollectionDefinition } from '../model/collection.ts';
import type { CommandDefinition } from '../model/command.ts';
import type { DomainDefinition } from '../model/event.ts';
import type { Session } from '../store/store.ts';
import type { DocumentCache } from './cache.ts';
import type { Membership, Unattached } from './registry/membership.ts';
import type { Changes, Readiness } from './registry/readiness.ts';
import type { UnknownTypes } from './held-types.ts';
import type { Logger } from './logger.ts';
import type { EventDefinitions } from './reading/recorded.ts';
import type { Runtime } from './runtime.ts';
import type { TrackedDocuments } from './tracked.ts';
import type { ReadingSession } from './until-closed.ts';
import type { Watermark } from './watermark.ts';

export interface Core {
  readonly session: Session;
  /** The same for readers: its calls end once the application is closed. */
  readonly untilClosed: ReadingSession;
  /** The same in the store's names. */
  readonly unnamed: ReadingSession;
  /** Aborts with `Closed` once the application is closed. */
  readonly closing: AbortController;
  readonly storeName: string;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly limits: Limits;
  readonly domain: DomainDefinition;
  /** The domain's event types by the names under which they are stored: what the store speaks. */
  readonly events: EventDefinitions;
  readonly collections: ReadonlyMap<string, CollectionDefinition>;
  readonly commands: ReadonlySet<CommandDefinition>;
  /** The event types that reducers handle, as they are stored, by collection. */
  readonly handled: ReadonlyMap<string, ReadonlySet<string>>;
  readonly cache: DocumentCache;
  readonly tracked: TrackedDocuments;
  readonly watermark: Watermark;
  readonly counters: Counters;
  /** How events are attached; replaced when the registry has grown. */
  membership: Membership;
  readonly unattached: Unattached;
  /** Told whenever `membership` was replaced. */
  readonly grown: Changes;
  readonly readiness: Readiness;
  /** As of the last look; replaced by the next. */
  unknownTypes: UnknownTypes;
}

/** Counted since the application was opened. */
export interface Counters {
  /** Commands that got an outcome. */
  commands: number;
  succeeded: number;
  failed: number;
  /** Outcomes answered from the ledger. */
  replayed: number;
  /** Durable writes. */
  batches: number;
  /** Batches in which a document that was read had moved. */
  conflicts: number;
  /** Commands decided again because their ground had moved: each time counts. */
  retried: number;
  /** Batches that needed the store's write lock. */
  exclusive: number;
}
