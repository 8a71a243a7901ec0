/**
 * What the registry says of a rebuild: who is at it and what for, so that another server can go on with it should that one be
 * gone; and how the last one ended, for those that have waited for it.
 */
import type { Definition, Judge } from '../../store/store.ts';

/** What a rebuild found. */
export interface Found {
  /** Documents that were folded again. */
  readonly documents: number;
  /** How many came out different from what was stored. */
  readonly different: number;
  /** The first of these, by id: a version of 0 for one that isn't stored. */
  readonly examples: readonly { readonly id: string; readonly stored: number; readonly rebuilt: number }[];
}

export interface RebuildNote {
  /** Who is at it. */
  readonly by: string;
  /** Whether that isn't who began it, whose code may have been another. */
  readonly isTaken: boolean;
  /** Raised as long as somebody is at it. */
  readonly beat: number;
  readonly isDryRun: boolean;
  /** Once the documents have taken the place of the others. */
  readonly found?: Found | undefined;
}

/** Whoever is at it shows it so often, in milliseconds. */
export const BEAT_MS = 500;
/** Nobody is at it any more when it hasn't been shown for so long. */
const LEFT_MS = 3_000;

/** Undefined if there is none, or this code can't read it. */
export function noteOf({ rebuildNote }: Definition): RebuildNote | undefined {
  if (rebuildNote === undefined) return undefined;
  try {
    const note = JSON.parse(rebuildNote) as Partial<RebuildNote> | null;
    return typeof note?.by === 'string' && typeof note.beat === 'number' ? (note as RebuildNote) : undefined;
  } catch {
    return undefined;
  }
}

/** Looks whether somebody is at a rebuild, by this server's own clock. */
export class Beats {
  #text: string | undefined;
  #since: number;

  constructor(now: number) {
    this.#since = now;
  }

  /** Whether its note has been the same for long. */
  isLeft({ rebuildNote = '' }: Definition, now: number): boolean {
    if (rebuildNote !== this.#text) this.#since = now;
    this.#text = rebuildNote;
    return now - this.#since >= LEFT_MS;
  }
}

/** A second set, unless there is one already. */
export function beginning(id: number, note: RebuildNote): Judge {
  return ({ definitions, indexes, last }) => {
    const definition = definitions.find((one) => one.id === id);
    if (!definition || definition.rebuilt !== undefined) return undefined;
    const rebuilt = last + 1;
    // A new set is empty: it has all entries of any index.
    const made = indexes
      .filter(({ set }) => set === definition.set)
      .map((index, n) =>
        Object.assign({}, index, { number: rebuilt + 1 + n, set: rebuilt, state: 'live' as const, filled: undefined }),
      );
    const changed = { ...definition, rebuilt, rebuildNote: JSON.stringify(note) };
    return { raises: true, last: rebuilt + made.length, definitions: [changed], indexes: made };
  };
}

/** Shows that somebody is at it, in the place of what was said before: of two that take it over, one does. */
export function noting(id: number, before: string | undefined, note: RebuildNote): Judge {
  return ({ definitions, last }) => {
    const definition = definitions.find((one) => one.id === id);
    if (definition?.rebuilt === undefined || definition.rebuildNote !== before) return undefined;
    return { raises: false, last, definitions: [{ ...definition, rebuildNote: JSON.stringify(note) }] };
  };
}

/** The second set takes the place of the first, if nothing else has been said meanwhile. */
export function swapping(id: number, before: string | undefined, note: RebuildNote): Judge {
  return ({ definitions, indexes, last }) => {
    const definition = definitions.find((one) => one.id === id);
    if (definition?.rebuilt === undefined || definition.rebuildNote !== before) return undefined;
    const removed = indexes.filter(({ set }) => set === definition.set).map(({ number }) => number);
    const { rebuilt: set } = definition;
    const changed = { ...definition, set, rebuilt: undefined, rebuildNote: JSON.stringify(note) };
    return { raises: true, last, definitions: [changed], removed };
  };
}

/** The second set goes, if `isMeant` says so of what is said of it. */
export function dropping(id: number, isMeant: (definition: Definition) => boolean): Judge {
  return ({ definitions, indexes, last }) => {
    const definition = definitions.find((one) => one.id === id);
    if (definition?.rebuilt === undefined || !isMeant(definition)) return undefined;
    const removed = indexes.filter(({ set }) => set === definition.rebuilt).map(({ number }) => number);
    const changed = { ...definition, rebuilt: undefined, rebuildNote: undefined };
    return { raises: true, last, definitions: [changed], removed };
  };
}
