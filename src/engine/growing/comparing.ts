/** Comparing two sets of a collection's documents that both follow the log, one after the other, while they do. */
import { PAGE_ROWS_MAX, type LogPoint, type StoredDocument } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Pace } from '../pace.ts';
import { afterId, isTooLarge } from '../reading/stored-document.ts';
import { isSamePlace } from '../reduction/marks.ts';
import type { Found } from './rebuild-note.ts';

/** The most documents that are named. */
const NAMED_MAX = 100;
/** How often documents of one version are looked for, while the sets move on. After that the live one is taken to be stuck. */
const TRIES_MAX = 200;
const PAUSE_MS = 10;

/** Documents of a set, by id. */
interface Documents {
  /** That they are as of; undefined if there is no such place. */
  readonly place: LogPoint | undefined;
  readonly documents: ReadonlyMap<string, StoredDocument>;
}

/** The live set, the one that was folded again, and what is called between two pages: it may throw. */
export interface Compared {
  readonly set: number;
  readonly rebuilt: number;
  readonly goOn: () => Promise<void>;
  readonly onPage: (documents: number) => void;
  /** Thrown where one of the sets is gone. */
  readonly gone: () => unknown;
}

type Note = (id: string, one: StoredDocument | undefined, again: StoredDocument | undefined) => void;

export class Comparing {
  readonly #core: Core;
  readonly #sets: Compared;
  readonly #pace: Pace;
  /** Whether the live set was waited for in vain. */
  #isStuck = false;

  constructor(core: Core, sets: Compared) {
    this.#core = core;
    this.#sets = sets;
    this.#pace = new Pace(core.runtime);
  }

  async run(): Promise<Found> {
    const { set, rebuilt, onPage } = this.#sets;
    const examples: Found['examples'][number][] = [];
    let [documents, different] = [0, 0];
    const note: Note = (id, one, again) => {
      different += 1;
      if (examples.length < NAMED_MAX) examples.push({ id, stored: one?.version ?? 0, rebuilt: again?.version ?? 0 });
    };
    for await (const page of this.#pages(rebuilt)) {
      documents += page.documents.size;
      await this.#compare(page, note);
      onPage(documents);
    }
    // Documents that are stored, and have no events.
    for await (const page of this.#pages(set)) {
      const again = await this.#byIds(rebuilt, [...page.documents.keys()]);
      const missing = [...page.documents.keys()].filter((id) => !again.documents.has(id));
      if (missing.length > 0) await this.#compare(again, note, missing);
    }
    return { documents, different, examples };
  }

  /** Versions that differ, or a failure of one, are a difference only where both sets are at one place: they move on one after the other. */
  async #compare(page: Documents, note: Note, ids: readonly string[] = [...page.documents.keys()]): Promise<void> {
    const { set, rebuilt, goOn } = this.#sets;
    let [open, again] = [ids, page];
    for (let tries = 0; ; tries += 1) {
      const stored = await this.#byIds(set, open);
      const isLast = isSamePlace(stored.place, again.place) || tries === TRIES_MAX || this.#isStuck;
      const moved: string[] = [];
      for (const id of open) {
        const [one, other] = [stored.documents.get(id), again.documents.get(id)];
        if (this.#pace.isOver()) await this.#pace.turn();
        const isOpen = isLast ? isUnsure(one, other) && tries < TRIES_MAX && !this.#isStuck : !isAsFar(one, other);
        if (isOpen) moved.push(id);
        else if (!isSame(one, other)) note(id, one, other);
      }
      if (moved.length === 0) {
        this.#isStuck ||= tries === TRIES_MAX;
        return;
      }
      await goOn();
      await this.#core.runtime.sleep(PAUSE_MS, this.#core.closing.signal);
      open = moved;
      again = await this.#byIds(rebuilt, open);
    }
  }

  async *#pages(set: number): AsyncGenerator<Documents> {
    for (const failed of [false, true]) {
      let from: Uint8Array | undefined;
      for (;;) {
        await this.#sets.goOn();
        const page = await this.#core.untilClosed.stored({ set, from, failed, limit: PAGE_ROWS_MAX });
        if (!page) throw this.#sets.gone();
        const { place, documents, more } = page;
        if (documents.length > 0) yield { place, documents: new Map(documents.map((one) => [one.id, one])) };
        if (!more) break;
        from = afterId(documents.at(-1)!.id);
      }
    }
  }

  async #byIds(set: number, ids: readonly string[]): Promise<Documents> {
    const found = new Map<string, StoredDocument>();
    let place: LogPoint | undefined;
    for (let asked = ids; ; asked = asked.filter((id) => !found.has(id))) {
      const page = await this.#core.untilClosed.stored({ set, ids: asked });
      if (!page) throw this.#sets.gone();
      for (const document of page.documents) found.set(document.id, document);
      // They are as of several places then.
      place = asked === ids || isSamePlace(place, page.place) ? page.place : undefined;
      if (!page.more) return { place, documents: found };
    }
  }
}

/** Whether only one of them is too large to be stored: the other set may not have it folded yet. */
function isUnsure(one: StoredDocument | undefined, other: StoredDocument | undefined): boolean {
  return isTooLarge(one) !== isTooLarge(other);
}

function isAsFar(one: StoredDocument | undefined, other: StoredDocument | undefined): boolean {
  if (isTooLarge(one) && isTooLarge(other)) return true;
  return one?.version === other?.version && one?.failed === other?.failed;
}

function isSame(one: StoredDocument | undefined, other: StoredDocument | undefined): boolean {
  // Where these are stored says little: it depends on how they were folded.
  if (isTooLarge(one) && isTooLarge(other)) return true;
  return isAsFar(one, other) && one?.changed === other?.changed && one?.state === other?.state;
}
