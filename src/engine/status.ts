/** The status of an open application. */
import type { Backlog } from './commands/queue-room.ts';
import type { Core, Counters } from './core.ts';
import type { Health } from '../store/store.ts';
import type { Progress } from './registry/readiness.ts';
import type { UnservedQuery } from './queries/unserved.ts';
import type { ReductionStatus } from './reduction/reduction-status.ts';
import { unknownTypes, type UnknownTypes } from './held-types.ts';

export interface Status {
  readonly state: 'open' | 'closing' | 'closed' | 'diverged';
  /** The kind of store: `'sqlite'`. */
  readonly store: string;
  /** The end of the log as last seen by this application; `verify({ expect })` takes `position` and `hash`. */
  readonly position: number;
  readonly hash: string;
  /** When the last commit was recorded; milliseconds since the Unix epoch, 0 if there is none. */
  readonly recordedAt: number;
  /** The registry's generation: raised when collections, or event types of one, are added to the log. */
  readonly generation: number;
  /** Event types that the log holds and this code doesn't know: newer or renamed. Failures of unknown commands don't count. */
  readonly unknownTypes: UnknownTypes;
  /** The state of the store's files; empty where it has none, and once the application is closed. */
  readonly storage: Readonly<Health>;
  /** Commands that wait to be decided, and the bytes of their inputs. */
  readonly queue: { readonly waiting: number; readonly max: number; readonly bytes: number; readonly bytesMax: number };
  /** Documents kept in memory, and the bytes of their states. */
  readonly cache: {
    readonly documents: number;
    readonly max: number;
    readonly bytes: number;
    readonly bytesMax: number;
  };
  readonly counters: Readonly<Counters>;
  /** Documents that are still being made, by a new key or definition. */
  readonly making: readonly Progress[];
  readonly reduction: ReductionStatus;
  /** Queries that no index serves. */
  readonly unserved: readonly UnservedQuery[];
  /**
   * In how many events something stands where another release's key, or a new one that is being attached, needs an id: they were
   * attached to nothing by it. Since the application was opened.
   */
  readonly unattached: number;
}

export async function statusOf(
  core: Core,
  state: Status['state'],
  { waiting, bytes }: Backlog,
): Promise<Omit<Status, 'making' | 'reduction' | 'unserved'>> {
  let storage: Health = {};
  if (state === 'open') {
    storage = (await core.session.health?.()) ?? {};
    await core.watermark.look(core.untilClosed);
    core.unknownTypes = await unknownTypes(core.untilClosed, core.events);
  }
  const { position, hash, recordedAt } = core.watermark.seen;
  const { cache, limits } = core;
  return {
    state,
    store: core.storeName,
    position,
    hash,
    recordedAt,
    generation: core.membership.generation,
    unattached: core.unattached.count,
    unknownTypes: core.unknownTypes,
    storage,
    queue: { waiting, max: limits.queueCommandsMax, bytes, bytesMax: limits.queueBytesMax },
    cache: { documents: cache.size, max: limits.cacheEntriesMax, bytes: cache.bytes, bytesMax: limits.cacheBytesMax },
    counters: { ...core.counters },
  };
}
