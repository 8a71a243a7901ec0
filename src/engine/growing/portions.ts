/**
 * How much is made with the write lock held at once. Others wait for it meanwhile, and a store within the process keeps the event loop
 * busy: an event may have one id or a thousand, a document some bytes or some megabytes, and each costs far more where the file
 * doesn't fit into memory.
 */
import type { Locked } from '../../store/store.ts';
import type { Core } from '../core.ts';

/** At first, and the bounds. */
interface Bounds {
  readonly first: number;
  /** Fewer would cost more transactions than they spare waiting. */
  readonly least: number;
  readonly most: number;
}

/** Ids to which events are attached. */
export const IDS: Bounds = { first: 1_000, least: 200, most: 4_000 };
/** Documents that come into an index. */
export const DOCUMENTS: Bounds = { first: 50, least: 1, most: 400 };

/** Below the first of these it is more the next time, in milliseconds; above the second half as many. */
const SHORT_MS = 4;
const LONG_MS = 8;

export class Portions {
  readonly #bounds: Bounds;
  #size: number;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
    this.#size = bounds.first;
  }

  /** How large the next one is. */
  get size(): number {
    return this.#size;
  }

  /** One of this size took so long, in milliseconds. */
  took(size: number, ms: number): void {
    const { least, most } = this.#bounds;
    if (ms > LONG_MS) this.#size = Math.max(least, Math.floor(this.#size / 2));
    else if (ms < SHORT_MS && size >= this.#size) this.#size = Math.min(most, Math.ceil(this.#size * 1.5));
  }
}

/** What it makes can be made again: it needn't be flushed. */
const MADE = Object.freeze({ isMade: true });

/** Makes a portion of this size with the write lock held; how long that takes says how large the next one is. */
export async function inPortion<T>(
  { runtime, session }: Pick<Core, 'runtime' | 'session'>,
  portions: Portions,
  size: number,
  make: (locked: Locked) => Promise<T>,
): Promise<T> {
  let began = 0;
  const made = await session.exclusive((locked) => {
    began = runtime.elapsed();
    return make(locked);
  }, MADE);
  portions.took(size, runtime.elapsed() - began);
  return made;
}
