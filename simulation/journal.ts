/**
 * What the simulated store was asked, in the order in which it was done, and what it answered: so that the same can be
 * asked of a real store (replay.ts).
 */
import { TidemarkError } from '../src/errors.ts';
import type { Locked, Session } from '../src/store/store.ts';
import { plain } from '../src/testing/conformance/plain.ts';

/** What stores nothing. */
export type Asked = keyof Pick<
  Session,
  'registry' | 'load' | 'read' | 'scan' | 'stored' | 'commits' | 'ledger' | 'types' | 'documents' | 'check'
>;

export type Call =
  Asked | keyof Pick<Session, 'change' | 'advance' | 'sweep' | 'append'> | keyof Pick<Locked, 'attach' | 'fillIndex'>;

export interface Called {
  readonly by: string;
  readonly call: Call;
  readonly given: readonly unknown[];
  /** What the store's clock says. */
  readonly now: number;
  /** As plain values; the code of what was thrown instead. */
  readonly answer: { readonly value: unknown } | { readonly code: string };
  /** Whether it was asked with the write lock held. */
  readonly locked: boolean;
}

export type Noted =
  | Called
  | { readonly by: string; readonly section: 'begins' | 'commits' | 'is undone' }
  /** What no real store can be asked to do. What comes after it belongs to another log. */
  | { readonly ends: string };

export class Journal {
  readonly notes: Noted[] = [];
  /** Off unless somebody will read it. */
  keeps = false;
  readonly #now: () => number;
  #holder: string | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Runs a call that the store does by itself at once. */
  calls<T>(
    by: string,
    call: Call,
    given: readonly unknown[],
    run: () => T,
    { locked = false, now = this.#now() }: { locked?: boolean; now?: number } = {},
  ): T {
    if (!this.keeps) return run();
    const note = (answer: Called['answer']): void => void this.notes.push({ by, call, given, now, answer, locked });
    try {
      const value = run();
      // What is asked later must not change it.
      note({ value: plain(value) });
      return value;
    } catch (error) {
      // Not what the weather did: a real store knows nothing of it. Nor a clock that can't be right: a store believes the
      // clock that it is given.
      if (error instanceof TidemarkError && error.code !== 'StoreUnavailable' && !('expected' in error.details)) {
        note({ code: error.code });
      }
      throw error;
    }
  }

  begins(by: string): void {
    this.#holder = by;
    this.notes.push({ by, section: 'begins' });
  }

  /** If somebody held the lock for more than an append. */
  ends(section: 'commits' | 'is undone'): void {
    if (this.#holder !== undefined) this.notes.push({ by: this.#holder, section });
    this.#holder = undefined;
  }

  stops(ends: string): void {
    this.notes.push({ ends });
  }
}
