/**
 * An exclusive section, the same in every store: what its work may call while the write lock is held. Once the section is
 * over, its calls are refused. After an append in it threw, nothing is committed, even if the work caught the error: half of
 * the batch may be in the transaction.
 */
import { Closed } from '../errors.ts';
import type { Locked } from './store.ts';

/** The calls as a store makes them in its transaction. */
export type Offered = {
  readonly [Call in keyof Locked]: (
    ...given: Parameters<Locked[Call]>
  ) => Awaited<ReturnType<Locked[Call]>> | ReturnType<Locked[Call]>;
};

/** What differs between stores. */
export interface SectionRules {
  /** Asked before each call. @throws Closed once the section was given up */
  readonly assertGoing?: () => void;
  /** The result of the work, unless the section is given up before. */
  readonly orGivenUp?: <T>(work: Promise<T>) => Promise<T>;
  /** The error that the work gets for an error of a call. */
  readonly translated?: (error: unknown) => unknown;
  /** Whether the transaction is lost after this error of a call that stores nothing. */
  readonly loses?: (error: unknown) => boolean;
}

export class Section {
  readonly #offered: Offered;
  readonly #rules: SectionRules;
  #over = false;
  #broken: { readonly error: unknown } | undefined;

  constructor(offered: Offered, rules: SectionRules) {
    this.#offered = offered;
    this.#rules = rules;
  }

  /** Runs the work. The caller commits if this returns, and rolls back if it throws. */
  async run<T>(work: (locked: Locked) => Promise<T>): Promise<T> {
    const offered = this.#offered;
    const locked: Locked = {
      registry: () => this.#call(() => offered.registry()),
      append: (batch) => this.#call(() => offered.append(batch), true),
      load: (requests, options) => this.#call(() => offered.load(requests, options)),
      ledger: (ids) => this.#call(() => offered.ledger(ids)),
      commits: (range) => this.#call(() => offered.commits(range)),
      read: (range) => this.#call(() => offered.read(range)),
      scan: (range) => this.#call(() => offered.scan(range)),
      stored: (range) => this.#call(() => offered.stored(range)),
      attach: (page) => this.#call(() => offered.attach(page), true),
      fillIndex: (page) => this.#call(() => offered.fillIndex(page), true),
    };
    try {
      const working = work(locked);
      const result = await (this.#rules.orGivenUp?.(working) ?? working);
      if (this.#broken) throw this.#broken.error;
      return result;
    } finally {
      this.#over = true;
    }
  }

  async #call<T>(run: () => T | Promise<T>, stores = false): Promise<T> {
    // Gives way once, as the calls of the session do.
    await undefined;
    const { assertGoing, translated, loses } = this.#rules;
    assertGoing?.();
    if (this.#over) throw sectionOver();
    // The store may have ended the transaction by itself: whatever ran now would be stored outside of it.
    if (this.#broken) throw this.#broken.error;
    try {
      return await run();
    } catch (error) {
      const told = translated ? translated(error) : error;
      if (stores || loses?.(error)) this.#broken ??= { error: told };
      throw told;
    }
  }
}

export function sectionOver(): Closed {
  return new Closed('The exclusive section is over. Await all its calls before it returns.');
}
