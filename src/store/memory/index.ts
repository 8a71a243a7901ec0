/**
 * A log in this process's memory, for tests and prototypes. **Nothing is durable**: the log is gone with the object that
 * `memory()` returned, and no other process can see it. It is never a default; whoever wants it asks for it by name.
 *
 * It is also the plainest statement of the contract in running code: read it first when writing a store.
 */
import { clock as userClock, milliseconds, optionsOf, type Checks } from '../../options.ts';
import { givenClock } from '../clock.ts';
import { CLOCK_AHEAD_MAX_MS } from '../store.ts';
import type { Opening, Store } from '../store.ts';
import { emptyLog } from './schema.ts';
import { MemorySession } from './session.ts';

/** What can be set on a memory store. */
export interface MemoryOptions {
  /** The store's own clock, in milliseconds since the Unix epoch. Default: the application's, or the machine's. */
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
export function memory(options?: MemoryOptions): Store {
  const { clock, clockAheadMs = CLOCK_AHEAD_MAX_MS } = optionsOf<MemoryOptions>('memory()', options, MEMORY);
  const log = emptyLog();
  return Object.freeze({
    name: 'memory',
    clock,
    // The machine's own is believed, also where a test sets it: the log ends with the only process that goes by it.
    open: async (opening: Opening = {}) =>
      new MemorySession(log, givenClock(clock ?? opening.clock ?? (() => Date.now()), clockAheadMs)),
  });
}

const MEMORY: Checks<MemoryOptions> = { clock: userClock, clockAheadMs: milliseconds(Infinity) };
