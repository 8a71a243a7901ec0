/**
 * A log in the memory of this process, for tests and prototypes. **Nothing is durable**: the log is gone with the object that
 * `memory()` returned, and no other process can see it. It is never a default.
 *
 * It is also the simplest code that keeps the contract: read it first when you write a store.
 */
import { optionsOf } from '../../options.ts';
import { CLOCK_CHECKS, givenClock, type ClockOptions } from '../clock.ts';
import { CLOCK_AHEAD_MAX_MS, type Opening, type Store } from '../store.ts';
import { emptyLog } from './schema.ts';
import { MemorySession } from './session.ts';

/** What can be set on a memory store. */
export type MemoryOptions = ClockOptions;

/**
 * A new, empty log in memory. Each `open()` gives another session on the same log: two applications in one process can race
 * on it as two servers would.
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
export function memory(options?: MemoryOptions): Store {
  const { clock, clockAheadMs = CLOCK_AHEAD_MAX_MS } = optionsOf<MemoryOptions>('memory()', options, CLOCK_CHECKS);
  const log = emptyLog();
  return Object.freeze({
    name: 'memory',
    clock,
    // The machine's clock is believed, also if a test sets it: no other process uses this log.
    open: async (opening: Opening = {}) =>
      new MemorySession(log, givenClock(clock ?? opening.clock ?? (() => Date.now()), clockAheadMs)),
  });
}
