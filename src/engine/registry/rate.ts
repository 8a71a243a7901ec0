/** How fast something goes on, lately. */

/** A measurement counts for so long, in milliseconds. */
const WINDOW_MS = 5_000;

export class Rate {
  readonly #seen: { readonly done: number; readonly at: number }[] = [];

  get done(): number {
    return this.#seen.at(-1)?.done ?? 0;
  }

  /** A second; 0 if it isn't known. */
  get perSecond(): number {
    const [first, last] = [this.#seen[0], this.#seen.at(-1)];
    if (!first || !last || last.at === first.at) return 0;
    return Math.max(0, Math.round(((last.done - first.done) / (last.at - first.at)) * 1000));
  }

  reached(done: number, at: number): void {
    const last = this.#seen.at(-1);
    // A step back: it was begun again.
    if (last && done < last.done) this.#seen.length = 0;
    if (last?.done === done && this.#seen.length > 1) return;
    this.#seen.push({ done, at });
    while (this.#seen.length > 2 && at - this.#seen[0]!.at > WINDOW_MS) this.#seen.shift();
  }
}
