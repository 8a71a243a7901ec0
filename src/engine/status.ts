/** How an open application is doing. */
import type { Core, Counters } from './core.ts';

export interface Status {
  readonly state: 'open' | 'closing' | 'closed' | 'diverged';
  /** The kind of store: `'sqlite'`. */
  readonly store: string;
  /** The end of the log as last seen by this application; `hash` and `position` are what `verify({ expect })` takes. */
  readonly position: number;
  readonly hash: string;
  /** When the last commit was recorded; milliseconds since the Unix epoch, 0 if there is none. */
  readonly recordedAt: number;
  /** The registry's generation: raised when collections are added to the log. */
  readonly generation: number;
  readonly queue: { readonly waiting: number; readonly max: number };
  readonly cache: { readonly documents: number; readonly max: number };
  /** Since the application was opened. */
  readonly counters: Readonly<Counters>;
}

export async function statusOf(core: Core, state: Status['state'], waiting: number): Promise<Status> {
  if (state === 'open') {
    const before = core.watermark.seen;
    const { end } = await core.session.load([]);
    await core.watermark.observe(before, end, core.session);
  }
  const { position, hash, recordedAt } = core.watermark.seen;
  return {
    state,
    store: core.storeName,
    position,
    hash,
    recordedAt,
    generation: core.membership.generation,
    queue: { waiting, max: core.limits.queueCommandsMax },
    cache: { documents: core.cache.size, max: core.limits.cacheEntriesMax },
    counters: { ...core.counters },
  };
}
