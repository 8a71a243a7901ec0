/** Reading documents: loads the events after the known version, and folds them on top. */
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Folded } from '../../model/reduce.ts';
import { Twins } from '../../model/same-items.ts';
import { LOAD_EVENTS_MAX, type LogEnd, type Session } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { Pace } from '../pace.ts';
import { knownFrom } from './stored-document.ts';
import { eventReader, foldInTurns, gap } from './fold-events.ts';

export interface Wanted {
  readonly collection: CollectionDefinition;
  readonly id: string;
  /** The document as far as it is known; later events are loaded. */
  readonly from: Folded;
  /** Not further than this version. */
  readonly upTo?: number | undefined;
  /** Whether it isn't to begin with what is stored: its events alone say what it is. */
  readonly isApart?: boolean | undefined;
  /** Called with each version that is folded. */
  readonly each?: ((folded: Folded) => void) | undefined;
}

export interface FoundDocument {
  /** The document, or as far as it could be folded. */
  readonly folded: Folded;
  /** Its head in the store, and its number there: undefined if it has no event. */
  readonly head: number;
  readonly document?: number | undefined;
  /** Why it couldn't be folded further: a reducer or an upcast failed. */
  readonly error?: unknown;
}

/** What loading calls. */
export type LoadingCalls = Pick<Session, 'load' | 'commits' | 'registry'>;

/** How many documents are asked for at once while nothing is known of them. */
const WINDOW = 1_000;

/**
 * Brings documents up to date at one consistent point of the log, in several answers of the store. First in windows; then what is
 * missing, as much as may fit into an answer, so that the cost grows with documents and events only. Documents that lack least
 * come first, so that none waits for one with a long history.
 */
export class Loading {
  /** The documents so far. */
  readonly found: FoundDocument[];
  readonly #core: Core;
  readonly #io: LoadingCalls;
  readonly #wanted: readonly Wanted[];
  readonly #asOf: number | undefined;
  /** The end of the log that they are loaded as of, once there was an answer. */
  #end: LogEnd | undefined;
  /** How many were asked for, and the incomplete ones of them: first those that lack least. */
  #next = 0;
  #open: number[] = [];
  #room = LOAD_EVENTS_MAX;
  readonly #pace: Pace;
  readonly #lists = new Twins();

  constructor(core: Core, io: LoadingCalls, wanted: readonly Wanted[], asOf?: number) {
    this.#core = core;
    this.#io = io;
    this.#wanted = wanted;
    this.#asOf = asOf;
    this.#pace = new Pace(core.runtime);
    this.found = wanted.map(({ from }) => ({ folded: from, head: from.version }));
  }

  get isOver(): boolean {
    return this.#end !== undefined && this.#open.length === 0 && this.#next === this.#wanted.length;
  }

  /** Documents with events still to come. */
  incomplete(): ReadonlySet<number> {
    const incomplete = new Set(this.#open);
    for (let index = this.#next; index < this.#wanted.length; index += 1) incomplete.add(index);
    return incomplete;
  }

  /** The next answer of the store. @throws HistoryDiverged if it holds less than was seen */
  async step(io = this.#io): Promise<void> {
    const core = this.#core;
    // The event loop gets a turn between two answers of a store that answers at once.
    if (this.#end) await this.#pace.turn();
    const asked = this.#ask();
    const before = core.watermark.seen;
    const loaded = await io.load(
      asked.map((index) => {
        const { collection, id, upTo, isApart } = this.#wanted[index]!;
        const after = this.found[index]!.folded.version;
        // Where nothing is known it begins with what is stored. Later events are fewer than what a state may weigh.
        const set = after === 0 && !isApart ? core.membership.own.get(collection.name)?.definition.set : undefined;
        return { collection: collection.name, id, after, upTo, set };
      }),
      { asOf: this.#asOf ?? this.#end?.position, seen: before },
    );
    await core.watermark.observe(before, loaded.end, io, loaded.holds);
    // Another server may have retired the definition that this code reads by.
    if (loaded.generation !== core.membership.generation) await refreshMembership(core, io);
    this.#end ??= loaded.end;
    const read = eventReader(core);
    let events = 0;
    for (const [n, { document, head, stored, events: more }] of loaded.documents.entries()) {
      const index = asked[n]!;
      const { collection, id, from, each } = this.#wanted[index]!;
      if (head < from.version) throw core.watermark.diverge(loaded.end);
      events += more.length;
      const known = stored ? knownFrom(collection.name, stored).folded : this.found[index]!.folded;
      const { folded, error } = await foldInTurns(read, collection, id, known, more, this.#pace, this.#lists, each);
      this.found[index] = { folded, error, head, document };
      if (error !== undefined || this.#missing(index) <= 0) continue;
      if (more.length === 0 && !stored && n === 0) throw gap(collection.name, id, folded.version + 1);
      this.#open.push(index);
    }
    // Large events fill an answer sooner.
    if (events > 0) this.#room = Math.min(LOAD_EVENTS_MAX, 2 * events);
    this.#open.sort((one, other) => this.#missing(one) - this.#missing(other));
  }

  /** The next window; after the last, the first incomplete ones, as many as an answer may hold, and at least one. */
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

  #missing(index: number): number {
    const { folded, head } = this.found[index]!;
    return Math.min(head, this.#wanted[index]!.upTo ?? Infinity) - folded.version;
  }

  /** The end of the log that they are loaded as of. */
  get end(): LogEnd {
    return this.#end!;
  }
}

/** Brings all documents up to date at one consistent point of the log. @throws HistoryDiverged if the store lacks what was seen */
export async function loadDocuments(
  core: Core,
  io: LoadingCalls,
  wanted: readonly Wanted[],
  asOf?: number,
): Promise<{ readonly end: LogEnd; readonly found: readonly FoundDocument[] }> {
  const loading = new Loading(core, io, wanted, asOf);
  do await loading.step();
  while (!loading.isOver);
  return loading;
}
