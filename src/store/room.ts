/** How much of the log one answer may still hold: rows, and bytes of their text. */
import { PAGE_BYTES_MAX } from './store.ts';

/** Counts the events of one answer, which may be spread over several documents. */
export class Room {
  #rows: number;
  #bytes = PAGE_BYTES_MAX;
  #empty = true;
  #full = false;

  constructor(rows: number) {
    this.#rows = rows;
  }

  /** Most rows that still fit; none once an event was turned away. */
  get rows(): number {
    return this.#full ? 0 : this.#rows;
  }

  /**
   * Whether an event with this text still fits: the first always does, so that whoever asks on comes to the end. After
   * one that doesn't, none does: what an answer leaves out comes after all that it holds.
   */
  take(text: string): boolean {
    if (this.#full || this.#rows <= 0) return false;
    const bytes = Buffer.byteLength(text);
    if (bytes > this.#bytes && !this.#empty) {
      this.#full = true;
      return false;
    }
    this.#rows -= 1;
    this.#bytes -= bytes;
    this.#empty = false;
    return true;
  }
}
