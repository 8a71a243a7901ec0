/**
 * A log in this process's memory, for tests and prototypes. **Nothing is durable**: the log is gone with the object that
 * `memory()` returned, and no other process can see it. It is never a default; whoever wants it asks for it by name.
 *
 * It is also the plainest statement of the storage contract in running code: read it first when writing an engine.
 */
import { InvalidDefinition, isTidemarkError } from '../../errors.ts';
import { CLOCK_AHEAD_MAX_MS } from '../store.ts';
import type { Store } from '../store.ts';
import { emptyLog } from './schema.ts';
import { MemorySession } from './session.ts';

/** What can be set on a memory store. */
export interface MemoryOptions {
  /** The store's own clock, in milliseconds since the Unix epoch. Default: `Date.now`. */
  readonly clock?: (() => number) | undefined;
  /** How far ahead of the store a decision's time may be, in milliseconds. Default: {@link CLOCK_AHEAD_MAX_MS}. */
  readonly clockAheadMs?: number | undefined;
}

/**
 * A new, empty log in memory. Each `open()` gives another session on the same log, so that two applications in one
 * process can race on it as two servers would.
 *
 * @throws InvalidDefinition if an option isn't what it must be.
 *
 * @example
 * ```ts
 * import { domain, open, type } from 'tidemark';
 * import { memory } from 'tidemark/memory';
 *
 * const shop = domain({ events: { OPENED: type<{ shop_id: string }>() } });
 * const shops = shop.collection('shops', { key: 'shop_id', initial: {}, reduce: { OPENED: (state) => state } });
 *
 * const store = memory();
 * await using paris = await open({ store, collections: [shops], commands: [] });
 * await using tokyo = await open({ store, collections: [shops], commands: [] });
 * ```
 */
export function memory(options: MemoryOptions = {}): Store {
  try {
    return emptyStore(options);
  } catch (cause) {
    if (isTidemarkError(cause)) throw cause;
    throw new InvalidDefinition('memory() is given options that can’t be used.', {}, cause);
  }
}

function emptyStore(options: MemoryOptions): Store {
  const { clock = Date.now, clockAheadMs = CLOCK_AHEAD_MAX_MS } = options;
  if (typeof clock !== 'function') {
    throw new InvalidDefinition('The option clock must be a function that returns milliseconds since the Unix epoch.', {
      option: 'clock',
    });
  }
  if (typeof clockAheadMs !== 'number' || !(clockAheadMs >= 0)) {
    throw new InvalidDefinition('The option clockAheadMs must be a number of milliseconds, 0 or more.', {
      option: 'clockAheadMs',
    });
  }
  const log = emptyLog();
  return Object.freeze({
    name: 'memory',
    open: () => Promise.resolve(new MemorySession(log, { now: clock, aheadMs: clockAheadMs })),
  });
}
