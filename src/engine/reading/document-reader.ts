/** Reading documents: loads the events after the version in hand, to be folded on top. */
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Folded } from '../../model/reduce.ts';
import { LOAD_EVENTS_MAX, type LogEnd, type Session } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { eventReader, foldEvents, gap } from './fold-events.ts';

export interface Wanted {
  readonly collection: CollectionDefinition;
  readonly id: string;
  /** The document as far as it is known; what comes after is loaded. */
  readonly from: Folded;
  /** Not further than this version. */
  readonly upTo?: number | undefined;
}

export interface FoundDocument {
  /** The document, or as far as it could be folded. */
  readonly folded: Folded;
  /** Its head in the store, and what the store calls it: undefined if it has no event. */
  readonly head: number;
  readonly document?: number | undefined;
  /** What kept it from being folded further: a reducer or an upcast that fails. */
  readonly error?: unknown;
}

/** Documents that are asked for at once, of which nothing is known yet. */
const WINDOW = 1_000;

/**
 * Brings documents up to date at one consistent point of the log, one answer of the store after the other. In windows, then
 * what their answers left out, no more of it at once than may fit, so that all of it costs as much as there are
 * documents and events; and those that lack least come first, so that none waits for one with a long history.
 */
export class Loading {
  /** As far as they have come. */
  readonly found: FoundDocument[];
  readonly #core: Core;
  readonly #io: Pick<Session, 'load' | 'commits'>;
  readonly #wanted: readonly Wanted[];
  readonly #asOf: number | undefined;
  /** The end of the log as of which they are loaded, once there was an answer. */
  #end: LogEnd | undefined;
  /** How many were asked for, and those of them that aren't complete: first those that lack least. */
  #next = 0;
  #open: number[] = [];
  #room = LOAD_EVENTS_MAX;

  constructor(core: Core, io: Pick<Session, 'load' | 'commits'>, wanted: readonly Wanted[], asOf?: number) {
    this.#core = core;
    this.#io = io;
    this.#wanted = wanted;
    this.#asOf = asOf;
    this.found = wanted.map(({ from }) => ({ folded: from, head: from.version }));
  }

  get isOver(): boolean {
    return this.#end !== undefined && this.#open.length === 0 && this.#next === this.#wanted.length;
  }

  /** Those of which events are still to come. */
  incomplete(): ReadonlySet<number> {
    const incomplete = new Set(this.#open);
    for (let index = this.#next; index < this.#wanted.length; index += 1) incomplete.add(index);
    return incomplete;
  }

  /** The next answer of the store. @throws HistoryDiverged if it holds less than was seen */
  async step(io = this.#io): Promise<void> {
    const core = this.#core;
    // Others get their turn between two answers of a store that doesn't wait for any.
    if (this.#end) await core.runtime.turn();
    const asked = this.#ask();
    const before = core.watermark.seen;
    const loaded = await io.load(
      asked.map((index) => {
        const { collection, id, upTo } = this.#wanted[index]!;
        return { collection: collection.name, id, after: this.found[index]!.folded.version, upTo };
      }),
      { asOf: this.#asOf ?? this.#end?.position, seen: before },
    );
    await core.watermark.observe(before, loaded.end, io, loaded.holds);
    this.#end ??= loaded.end;
    const read = eventReader(core);
    let events = 0;
    for (const [n, { document, head, events: more }] of loaded.documents.entries()) {
      const index = asked[n]!;
      const { collection, id, from } = this.#wanted[index]!;
      if (head < from.version) throw core.watermark.diverge(loaded.end);
      events += more.length;
      const { folded, error } = foldEvents(read, collection, id, this.found[index]!.folded, more);
      this.found[index] = { folded, error, head, document };
      if (error !== undefined || this.#missing(index) <= 0) continue;
      if (more.length === 0 && n === 0) throw gap(collection.name, id, folded.version + 1);
      this.#open.push(index);
    }
    // Where events are large, few of them fill an answer.
    if (events > 0) this.#room = Math.min(LOAD_EVENTS_MAX, 2 * events);
    this.#open.sort((one, other) => this.#missing(one) - this.#missing(other));
  }

  /** The next window; then the first of those that aren't complete, as many as may come with one answer, and at least one. */
  #ask(): readonly number[] {
    if (this.#next < this.#wanted.length) {
      const from = this.#next;
      this.#next = Math.min(this.#wanted.length, from + WINDOW);
      return Array.from({ length: this.#next - from }, (_, index) => from + index);
    }
    let events = 0;
    let count = 0;
    for (; count < this.#open.length && events < this.#room; count += 1) events += this.#missing(this.#open[count]!);
    return this.#open.splice(0, count);
  }

  /** How many events of a document are still to come. */
  #missing(index: number): number {
    const { folded, head } = this.found[index]!;
    return Math.min(head, this.#wanted[index]!.upTo ?? Infinity) - folded.version;
  }

  /** The end of the log as of which they are loaded. */
  get end(): LogEnd {
    return this.#end!;
  }
}

/**
 * Brings documents up to date at one consistent point of the log, all of them.
 *
 * @throws HistoryDiverged if the store holds less than was seen
 */
export async function loadDocuments(
  core: Core,
  io: Pick<Session, 'load' | 'commits'>,
  wanted: readonly Wanted[],
  asOf?: number,
): Promise<{ readonly end: LogEnd; readonly found: readonly FoundDocument[] }> {
  const loading = new Loading(core, io, wanted, asOf);
  do await loading.step();
  while (!loading.isOver);
  return loading;
}
