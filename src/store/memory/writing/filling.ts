/**
 * Filling keyings and indexes in an exclusive section. What it changes is old: others could see it at once, so it is done when the
 * section is over.
 */
import type { AttachedPage, IndexedPage, Stepped } from '../../store.ts';
import { holds, type Log } from '../schema.ts';
import type { Sets } from './sets.ts';
import type { RegistryEntries } from './registry.ts';

export class Filling {
  readonly #log: Log;
  readonly #registry: RegistryEntries;
  readonly #sets: Sets;
  /** Where keyings and indexes will be then; undefined once they are live. */
  readonly #reached = new Map<string | number, number | string | undefined>();

  constructor(log: Log, registry: RegistryEntries, sets: Sets) {
    this.#log = log;
    this.#registry = registry;
    this.#sets = sets;
  }

  attach(page: AttachedPage): Stepped {
    const { keying, generation, from, to, seen, live } = page;
    if (to > seen.position || !holds(this.#log, seen)) return 'diverged';
    if (generation !== this.#log.registry.generation) return 'behind';
    const filled = this.#reached.has(keying) ? this.#reached.get(keying) : this.#registry.filledTo(keying);
    if (filled !== from || to < from || (live && to < this.#log.events.length)) return 'moved';
    this.#reached.set(keying, live ? undefined : to);
    this.#log.pending.push(() => this.#registry.attach(page));
    return 'stored';
  }

  fillIndex(page: IndexedPage): boolean {
    const { index, from, to, live } = page;
    const known = this.#log.registry.indexes.find(({ number }) => number === index);
    if (known?.state !== 'filling') return false;
    const isLive = this.#reached.has(index) && this.#reached.get(index) === undefined;
    if (isLive || (this.#reached.has(index) ? this.#reached.get(index) : known.filled) !== from) return false;
    this.#reached.set(index, live ? undefined : to);
    this.#log.pending.push(() => this.#sets.fillIndex(page));
    return true;
  }
}
