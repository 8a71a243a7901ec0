/**
 * The work of a rebuild: a second set of documents is folded beside the live one, by every server of the definition. Once both are
 * at one place they are compared, and the second takes the place of the first. One server sees to it, and shows that it is there;
 * should it be gone, another goes on.
 */
import { Buffer } from 'node:buffer';
import { hasCode } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Definition, Judge } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Halt } from '../halt.ts';
import type { Reduction } from '../reduction/reduction.ts';
import { Rate } from '../registry/rate.ts';
import { paced, type Progress } from '../registry/readiness.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { Comparing } from './comparing.ts';
import { reportingTo, type OnProgress, type Reporting } from './reporting.ts';
import {
  BEAT_MS,
  beginning,
  dropping,
  noteOf,
  noting,
  swapping,
  type Found,
  type RebuildNote,
} from './rebuild-note.ts';

/** How often it is looked how far others are, in milliseconds. */
const LOOK_MS = 50;
/** After an error a set that is to go is dropped again after so many milliseconds. */
const DROP_AGAIN_MS = 500;
/** Bytes of examples that others are told of. */
const TOLD_BYTES_MAX = 16 * 1024;

/** Thrown when another server has taken it over. */
const TAKEN_OVER = new Error('another server has taken the rebuild over');

export interface Parts {
  readonly core: Core;
  readonly reduction: Reduction;
  readonly collection: CollectionDefinition;
  readonly halt: Halt;
}

export class Rebuilding {
  readonly #core: Core;
  readonly #reduction: Reduction;
  readonly #collection: CollectionDefinition;
  readonly #halt: Halt;
  readonly #reporting: Reporting;
  readonly #by: string;
  readonly #rate = new Rate();
  /** What this server has said last, and the definition then. */
  #said: { readonly note: RebuildNote; readonly definition: Definition; readonly at: number } | undefined;

  constructor({ core, reduction, collection, halt }: Parts, onProgress: OnProgress) {
    this.#core = core;
    this.#reduction = reduction;
    this.#collection = collection;
    this.#halt = halt;
    this.#reporting = reportingTo(onProgress);
    this.#by = Buffer.from(core.runtime.randomBytes()).toString('hex');
  }

  /** Begins one, unless there is one. Whether this server is at it then. */
  async begin(id: number, isDryRun: boolean): Promise<boolean> {
    const note = { by: this.#by, isTaken: false, beat: 0, isDryRun };
    return this.#isOwn(note, await this.#change(id, beginning(id, note)));
  }

  /** Takes over what another server has left. Whether this server is at it then. */
  async takeOver(left: Definition): Promise<boolean> {
    const note = { by: this.#by, isTaken: true, beat: 0, isDryRun: false };
    return this.#isOwn(note, await this.#change(left.id, noting(left.id, left.rebuildNote, note)));
  }

  #isOwn(note: RebuildNote, definition: Definition | undefined): boolean {
    if (definition?.rebuilt === undefined || definition.rebuildNote !== JSON.stringify(note)) return false;
    this.#said = { note, definition, at: this.#core.runtime.elapsed() };
    return true;
  }

  /** Lets the second set go that another server has left, unless somebody is at it again. */
  async dropLeft({ id, rebuildNote: left }: Definition): Promise<void> {
    await this.#change(
      id,
      dropping(id, ({ rebuildNote }) => rebuildNote === left),
    );
  }

  /** Sees to it until it is done. Undefined if another server has taken it over. */
  async work(): Promise<Found | undefined> {
    const { note, definition } = this.#said!;
    const { set, rebuilt } = definition;
    try {
      await this.#folded(rebuilt!);
      const found = await new Comparing(this.#core, {
        set,
        rebuilt: rebuilt!,
        goOn: () => this.#goOn(),
        onPage: (documents) => this.tell('comparing', documents, 0),
        gone: () => TAKEN_OVER,
      }).run();
      // What was told last may be refused yet.
      await this.#core.runtime.turn();
      this.#reporting.assertGoing();
      if (note.isDryRun) await this.drop();
      else await this.#swap(found);
      return found;
    } catch (error) {
      if (error === TAKEN_OVER) return undefined;
      throw error;
    }
  }

  /** Lets the second set go, if this server is at it; later, if that fails now. Never rejects. */
  async drop(): Promise<void> {
    const { closing, runtime } = this.#core;
    if (!this.#said) return;
    const { id } = this.#said.definition;
    try {
      await this.#change(
        id,
        dropping(id, (definition) => noteOf(definition)?.by === this.#by),
      );
    } catch (error) {
      if (closing.signal.aborted || !hasCode(error, 'StoreUnavailable', 'ConnectionsBusy')) return;
      void runtime.sleep(DROP_AGAIN_MS, closing.signal).then(() => this.drop());
    }
  }

  /** The definition as it is then. */
  async #change(id: number, judge: Judge): Promise<Definition | undefined> {
    const { definitions } = await this.#core.session.change(judge);
    await refreshMembership(this.#core, this.#core.untilClosed);
    return definitions.find((one) => one.id === id);
  }

  tell(work: Progress['work'], done: number, total: number): void {
    const { name: collection, definition } = this.#collection;
    this.#rate.reached(done, this.#core.runtime.elapsed());
    this.#reporting.tell({ collection, definition, work, ...paced(this.#rate, done, total) });
  }

  async #swap(found: Found): Promise<void> {
    const { note, definition } = this.#said!;
    const { id, rebuilt } = definition;
    const swapped = await this.#change(id, swapping(id, JSON.stringify(note), { ...note, found: toldOf(found) }));
    if (swapped?.set !== rebuilt) throw TAKEN_OVER;
  }

  /** Waits until the second set has caught up. */
  async #folded(rebuilt: number): Promise<void> {
    const { runtime, watermark } = this.#core;
    for (;;) {
      await this.#goOn();
      const stopped = this.#reduction.stopped(rebuilt);
      if (stopped) throw stopped.error;
      const [done, end] = [this.#reduction.placeOf(rebuilt), watermark.seen.position];
      this.tell('folding', done, end);
      if (await this.#reduction.reached(rebuilt, end, LOOK_MS)) return;
      await runtime.turn();
    }
  }

  /** Shows now and then that this server is at it. */
  async #goOn(): Promise<void> {
    this.#halt.assertGoing();
    const { note, definition, at } = this.#said!;
    const { id } = definition;
    const now = this.#core.runtime.elapsed();
    if (now - at < BEAT_MS) return;
    const next = { ...note, beat: note.beat + 1 };
    try {
      const noted = await this.#change(id, noting(id, JSON.stringify(note), next));
      if (!this.#isOwn(next, noted)) throw TAKEN_OVER;
    } catch (error) {
      // It is tried again; should that take too long, another server goes on.
      if (hasCode(error, 'StoreUnavailable', 'ConnectionsBusy')) return;
      throw error;
    }
  }
}

/** What those that wait for it are told: fewer examples if their ids are long. */
function toldOf(found: Found): Found {
  let bytes = 0;
  const examples = found.examples.filter((one) => (bytes += JSON.stringify(one).length) <= TOLD_BYTES_MAX);
  return { ...found, examples };
}
