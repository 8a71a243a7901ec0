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
  /** The same for whoever reads, and is to end once the application is closed. */
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
  /** What the reducers handle: collection → event types. */
  readonly handled: ReadonlyMap<string, ReadonlySet<string>>;
  readonly cache: DocumentCache;
  readonly tracked: TrackedDocuments;
  readonly watermark: Watermark;
  readonly counters: Counters;
  /** By which collections events are attached; replaced when the registry has grown. */
  membership: Membership;
  /** As of the last look at them; replaced by the next. */
  unknownTypes: UnknownTypes;
}

/** The registry as this application knows it. */
export interface Membership {
  readonly generation: number;
  readonly attacher: Attacher;
  /** The event types that collections handle, those of other releases included. */
  readonly handled: ReadonlySet<string>;
}

/** What has happened since the application was opened. */
export interface Counters {
  /** Commands that got an outcome. */
  commands: number;
  succeeded: number;
  failed: number;
  /** Outcomes answered from the ledger. */
  replayed: number;
  /** Durable writes. */
  batches: number;
  /** Batches in which a document that was decided on had moved. */
  conflicts: number;
  /** Commands that were decided once more, as what they rested on had moved: each time. */
  retried: number;
  /** Batches that needed the store's write lock to get through. */
  exclusive: number;
}

/**
 * Attaches for every registered collection: for those this code doesn't know by their declared keys (a rolling deploy,
 * a script that knows half of them).
 *
 * @throws DomainOutdated if one is registered with a key function that this code doesn't have
 */
export function membershipOf(
  registry: Registry,
  collections: ReadonlyMap<string, CollectionDefinition>,
  attachmentsMax: number,
): Membership {
  const attachable = registry.collections.map(({ name, key }) => ({
    name,
    key,
    functions: collections.get(name)?.key.functions,
  }));
  const handled = new Set(registry.collections.flatMap(({ handled }) => handled));
  return { generation: registry.generation, attacher: attacher(attachable, attachmentsMax), handled };
}
