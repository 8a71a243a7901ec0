/** Whether documents of a collection can be read yet: not while its events are still being attached. */
import { Rebuilding } from '../../errors.ts';
import { abortController } from '../../realm.ts';
import { withAny } from '../../signal.ts';
import type { Runtime } from '../runtime.ts';
import type { Own } from './membership.ts';
import { Rate } from './rate.ts';

/** How far work on the documents of a collection is. */
export interface Progress {
  readonly collection: string;
  readonly definition: number;
  /**
   * `attaching` events to documents by a new key; `folding` them into stored documents; `indexing` these; `comparing` them with
   * others, in a rebuild. `rebuilding`: a rebuild is under way, on this server or another; the documents can be read meanwhile.
   */
  readonly work: 'attaching' | 'folding' | 'indexing' | 'comparing' | 'rebuilding';
  /** Positions of the log, or documents. */
  readonly done: number;
  readonly total: number;
  /** A second, lately; 0 if it isn't known. */
  readonly rate: number;
  /** Milliseconds that it will take at this rate; undefined if it isn't known. */
  readonly leftMs: number | undefined;
  /** What keeps it from going on, on this server; it is tried again. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** Calls that wait until something has changed. */
export class Changes {
  #waiting = new Set<() => void>();
  readonly #listening: (() => void)[] = [];

  /** Calls `changed` at each change, for as long as this object lives. */
  each(changed: () => void): void {
    this.#listening.push(changed);
  }

  tell(): void {
    for (const changed of this.#listening) changed();
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const resolve of waiting) resolve();
  }

  /** Resolves at the next change, or after `ms` milliseconds; at once if the signal has aborted. */
  async next(ms: number, sleep: (ms: number, signal: AbortSignal) => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = abortController();
    this.#waiting.add(resolve);
    try {
      await Promise.race([promise, sleep(ms, done.signal)]);
    } finally {
      this.#waiting.delete(resolve);
      done.abort();
    }
  }
}

export function isReady({ keying }: Own): boolean {
  return keying.state === 'live';
}

/** How far something is, at the rate that it goes on. */
export function paced(
  { perSecond }: Rate,
  done: number,
  total: number,
): Pick<Progress, 'done' | 'total' | 'rate' | 'leftMs'> {
  const left = Math.max(0, total - done);
  return { done, total, rate: perSecond, leftMs: perSecond > 0 ? Math.ceil((left / perSecond) * 1000) : undefined };
}

interface Parts {
  readonly own: (collection: string) => Own | undefined;
  /** The last position of the log that was seen. */
  readonly end: () => number;
  readonly runtime: Pick<Runtime, 'elapsed' | 'sleep'>;
  readonly grown: Changes;
  /** How long a call waits, in milliseconds. */
  readonly waitMs: number;
}

export class Readiness {
  readonly #parts: Parts;
  /** By the names of keyings. */
  readonly #rates = new Map<string, Rate>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How far the attaching of a collection's events is; undefined if its documents can be read. */
  unready(collection: string): Progress | undefined {
    const { own: ownOf, end, runtime } = this.#parts;
    const own = ownOf(collection);
    if (!own || isReady(own)) return undefined;
    const { name, filled } = own.keying;
    const rate = this.#rates.get(name) ?? new Rate();
    this.#rates.set(name, rate);
    rate.reached(filled, runtime.elapsed());
    return { collection, definition: own.definition.definition, work: 'attaching', ...paced(rate, filled, end()) };
  }

  /** Resolves when documents of the collection can be read. @throws Rebuilding after a part of the bound; the signal's reason */
  async ready(collection: string, signal: AbortSignal, part = 1): Promise<void> {
    const { runtime, grown, waitMs } = this.#parts;
    const until = runtime.elapsed() + waitMs * part;
    for (let progress = this.unready(collection); progress; progress = this.unready(collection)) {
      signal.throwIfAborted();
      const left = until - runtime.elapsed();
      if (left <= 0) throw rebuilding(progress);
      await grown.next(left, (ms, done) => withAny([done, signal], (either) => runtime.sleep(ms, either)));
    }
  }
}

export function rebuilding({ collection, definition, work, done, total, leftMs }: Progress): Rebuilding {
  const left = leftMs === undefined ? '' : `, about ${Math.ceil(leftMs / 1000)} s to go`;
  return new Rebuilding(
    `The documents of ${collection} are being made (${work}: ${done} of ${total}${left}). Nothing was recorded: send it again ` +
      'later. status() shows how far it is.',
    { collection, definition, work, done, total, ...(leftMs !== undefined && { leftMs }) },
  );
}
