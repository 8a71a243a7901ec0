/** What the parts of an open application share. */
import type { Limits } from '../limits.ts';
import { attacher, type Attacher } from '../model/attach.ts';
import type { CollectionDefinition } from '../model/collection.ts';
import type { CommandDefinition } from '../model/command.ts';
import type { Registry, Session } from '../store/store.ts';
import type { DocumentCache } from './cache.ts';
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
  /** Aborts with `Closed` once the application is closed. */
  readonly closing: AbortController;
  readonly storeName: string;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly limits: Limits;
  readonly events: EventDefinitions;
  readonly collections: ReadonlyMap<string, CollectionDefinition>;
  readonly commands: ReadonlySet<CommandDefinition>;
  /** The event types that reducers handle, by collection. */
  readonly handled: ReadonlyMap<string, ReadonlySet<string>>;
  readonly cache: DocumentCache;
  readonly tracked: TrackedDocuments;
  readonly watermark: Watermark;
  readonly counters: Counters;
  /** How events are attached; replaced when the registry has grown. */
  membership: Membership;
  /** As of the last look; replaced by the next. */
  unknownTypes: UnknownTypes;
}

/** The registry as this application knows it. */
export interface Membership {
  readonly generation: number;
  readonly attacher: Attacher;
  /** The event types that collections of any release handle. */
  readonly handled: ReadonlySet<string>;
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

/**
 * Attaches for every registered collection: by its declared key if this code doesn't know it (a rolling deploy, a script).
 *
 * @throws DomainOutdated if one is registered with a key function that this code doesn't have
 */
export function membershipOf(
  registry: Registry,
  collections: ReadonlyMap<string, CollectionDefinition>,
  attachmentsMax: number,
): Membership {
  const attachable = registry.collections.map(({ name, key }) => {
    return { name, key, functions: collections.get(name)?.key.functions };
  });
  const handled = new Set(registry.collections.flatMap(({ handled }) => handled));
  return { generation: registry.generation, attacher: attacher(attachable, attachmentsMax), handled };
}
