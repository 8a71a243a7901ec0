/**
 * How many ids are attached at once. Others wait for the write lock meanwhile, and a store within the process keeps the event loop
 * busy: an event may have one id or a thousand, and an id costs some microseconds, or far more where the file doesn't fit into memory.
 */

/** At first, and the bounds: fewer would cost more transactions than they spare waiting. */
const IDS = { first: 1_000, least: 200, most: 4_000 };
/** Below the first of these it is more the next time, in milliseconds; above the second half as many. */
const SHORT_MS = 4;
const LONG_MS = 8;

export class Portions {
  #ids = IDS.first;

  /** How many ids the next portion has: with at least one event, so there may be more. */
  get ids(): number {
    return this.#ids;
  }

  /** A portion of so many ids took so long, in milliseconds. */
  took(ids: number, ms: number): void {
    if (ms > LONG_MS) this.#ids = Math.max(IDS.least, this.#ids / 2);
    else if (ms < SHORT_MS && ids >= this.#ids) this.#ids = Math.min(IDS.most, this.#ids * 1.5);
  }
}
