/**
 * Whether a field is one of the states at all: a name that was misspelt would find nothing, and with `ne` or `NOT` everything.
 *
 * A path is known if the initial state has it, an index names it or begins with it, or a document has it. Where the initial state
 * says nothing (it isn't an object, or an empty one) everything below is known. Optional fields, and those of other shapes of
 * a state, aren't in the initial state: they are looked for in the documents, once for each in an application.
 */
import { InvalidInput } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import { nearestTo } from '../../nearest.ts';
import { SCAN_ROWS } from './bounds.ts';
import { valueAt } from './path.ts';
import type { Queried, QueriedSet } from './queried.ts';
import { ALL_IDS } from './ranges.ts';
import { visit, type Pace } from './visit.ts';
import { FACTS } from './where.ts';

/** An id for a function that makes initial states. */
const SAMPLE_ID = '1';
/** Paths that are remembered of a collection: those that queries were sent with. */
const SEEN_MAX = 1_000;

interface Known {
  /** Undefined where nothing is known. */
  readonly initial: unknown;
  /** Those that a document had. */
  readonly seen: Set<string>;
}

export class KnownFields {
  readonly #queried: Pick<Queried, 'stored' | 'indexesOf'>;
  readonly #collections = new WeakMap<CollectionDefinition, Known>();

  constructor(queried: Pick<Queried, 'stored' | 'indexesOf'>) {
    this.#queried = queried;
  }

  /** Those of the paths that neither the code nor a document seen before knows. */
  unknown(collection: CollectionDefinition, paths: Iterable<string>): readonly string[] {
    const { initial, seen } = this.#of(collection);
    return [...paths].filter((path) => {
      if (Object.hasOwn(FACTS, path) || seen.has(path) || mayBeIn(initial, path.split('.'))) return false;
      const isIndexed = (field: string): boolean => field === path || field.startsWith(`${path}.`);
      return !this.#queried.indexesOf(collection).some((fields) => fields.some(isIndexed));
    });
  }

  /**
   * Looks for paths in the documents.
   *
   * @param named where each was named, for the message
   * @returns false if the store doesn't know the set any more
   * @throws InvalidInput if no document has one of them
   */
  async find(
    collection: CollectionDefinition,
    { set }: QueriedSet,
    paths: readonly string[],
    named: ReadonlyMap<string, string>,
    pace: Pace,
  ): Promise<boolean> {
    const { seen, initial } = this.#of(collection);
    const left = new Map(paths.map((path) => [path, path.split('.')]));
    const route = { set, index: undefined, ranges: [ALL_IDS], reverse: false, rows: SCAN_ROWS };
    const visited = await visit(this.#queried.stored, route, pace, ({ state }) => {
      for (const [path, parts] of left) {
        if (valueAt(state, parts) === undefined) continue;
        left.delete(path);
        if (seen.size >= SEEN_MAX) seen.clear();
        seen.add(path);
      }
      return left.size === 0;
    });
    if (!visited) return false;
    const [path] = left.keys();
    if (path !== undefined) throw noField(collection.name, path, named.get(path) ?? path, initial);
    return true;
  }

  #of(collection: CollectionDefinition): Known {
    let known = this.#collections.get(collection);
    if (!known) this.#collections.set(collection, (known = { initial: initialOf(collection), seen: new Set() }));
    return known;
  }
}

function initialOf(collection: CollectionDefinition): unknown {
  try {
    return collection.initial(SAMPLE_ID).state;
  } catch {
    // A function may want ids of another form: then nothing is known. Its error is that of the document that it fails for.
    return undefined;
  }
}

/** Whether a path may lead somewhere in states that began like this. */
function mayBeIn(initial: unknown, parts: readonly string[]): boolean {
  let value = initial;
  for (const part of parts) {
    if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return true;
    if (Array.isArray(value) || !Object.hasOwn(value, part)) return false;
    value = (value as Record<string, unknown>)[part];
  }
  return true;
}

function noField(collection: string, path: string, at: string, initial: unknown): InvalidInput {
  const fields = typeof initial === 'object' && initial !== null ? Object.keys(initial) : [];
  const nearest = nearestTo(path, fields);
  return new InvalidInput(
    `${at}: documents of ${collection} have no field ${JSON.stringify(path)}${nearest === undefined ? '' : `: did you mean ${nearest}?`}` +
      `${nearest === undefined ? '.' : ''} Neither the initial state nor an index names it, and no document has it. If documents ` +
      'get it later, name it in indexes, or give it a value (null) in the initial state.',
    { path: at, collection },
  );
}
