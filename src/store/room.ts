/** How much one answer may still hold: rows, bytes of their text, and attachments. */
import { Buffer } from 'node:buffer';
import { PAGE_ATTACHMENTS_MAX, PAGE_BYTES_MAX } from './store.ts';

/** UTF-8 needs at most so many bytes for each UTF-16 code unit. */
const BYTES_A_UNIT = 3;

/**
 * Counts the events of one answer. Where several documents of the answer share an event, its text counts once.
 *
 * @example
 * ```ts
 * import { Room } from 'tidemark/store';
 *
 * const room = new Room(2);
 * console.log(['{}', '{}', '{}'].filter((json) => room.take(json)).length); // 2
 * ```
 */
export class Room {
  #rows: number;
  #bytes = PAGE_BYTES_MAX;
  #attachments = PAGE_ATTACHMENTS_MAX;
  /** Texts whose bytes aren't counted yet: nearly always all fit easily, and counting costs as much as reading. */
  #uncounted: string[] = [];
  #uncountedUnits = 0;
  /** By position: the texts of events that may come again. */
  readonly #texts = new Map<number, string>();
  #empty = true;
  #full = false;

  constructor(rows: number) {
    this.#rows = rows;
  }

  /** Most rows that still fit; 0 once an event didn't fit. */
  get rows(): number {
    return this.#full ? 0 : this.#rows;
  }

  /** The text of the event at a position, if the answer holds it. */
  textAt(position: number): string | undefined {
    return this.#texts.get(position);
  }

  /**
   * Whether an event with this text still fits. The first always does, so that asking on comes to the end. After one that
   * doesn't, none does: an answer has no gaps. `position` is given where another document of the answer may have the same
   * event; `attachments`, where the answer holds those too.
   */
  take(text: string, position?: number, attachments = 0): boolean {
    if (this.#full || this.#rows <= 0) return false;
    if (attachments > this.#attachments && !this.#empty) {
      this.#full = true;
      return false;
    }
    if (position === undefined || !this.#texts.has(position)) {
      if (!this.#hold(text)) return false;
      if (position !== undefined) this.#texts.set(position, text);
    }
    this.#rows -= 1;
    this.#attachments -= attachments;
    return true;
  }

  #hold(text: string): boolean {
    if ((this.#uncountedUnits + text.length) * BYTES_A_UNIT > this.#bytes) {
      this.#count();
      if (Buffer.byteLength(text) > this.#bytes && !this.#empty) {
        this.#full = true;
        return false;
      }
    }
    this.#uncounted.push(text);
    this.#uncountedUnits += text.length;
    this.#empty = false;
    return true;
  }

  #count(): void {
    for (const text of this.#uncounted) this.#bytes -= Buffer.byteLength(text);
    this.#uncounted = [];
    this.#uncountedUnits = 0;
  }
}
