/** Reading documents: now, or as they were. */
import { InvalidInput } from '../errors.ts';
import { findCollection, type AnyCollection, type CollectionDefinition } from '../model/collection.ts';
import { reading } from '../model/foreign.ts';
import { idFault } from '../model/id.ts';
import { unborn } from '../model/reduce.ts';
import type { Core } from './core.ts';
import { loadDocuments, type Wanted } from './document-reader.ts';
import { documentOf, type Document } from './document.ts';
import { unknownCollection } from './working-set.ts';

/** A point in the past: at most one of the three. */
export interface At {
  /** The document after this many attached events. Only for a single document. */
  readonly version?: number | undefined;
  /** After the event at this position of the log. */
  readonly position?: number | undefined;
  /** As recorded up to this time, by the log's own times (`recordedAt`); milliseconds since the Unix epoch. */
  readonly time?: number | undefined;
}

/** A collection that was given to open. @throws UnknownCollection */
export function knownCollection(core: Core, collection: AnyCollection): CollectionDefinition {
  const definition = findCollection(collection);
  if (!definition) throw unknownCollection(typeof collection === 'string' ? collection : typeof collection);
  if (core.collections.get(definition.name) !== definition) throw unknownCollection(definition.name);
  return definition;
}

/** @throws InvalidInput if it is no id of a document */
export function assertId(collection: string, id: unknown): void {
  const fault = idFault(id);
  if (fault) throw new InvalidInput(`The id of a document of ${collection} ${fault}.`, { collection, path: 'id' });
}

/** Documents at one consistent point. */
export async function getDocuments(
  core: Core,
  collection: AnyCollection,
  ids: readonly string[],
  at: At = {},
): Promise<readonly Document<unknown>[]> {
  const definition = knownCollection(core, collection);
  for (const id of ids) assertId(definition.name, id);
  const past = reading('get', () => checkAt(at), InvalidInput);
  if (past === 'version' && ids.length !== 1)
    throw new InvalidInput('A version belongs to a single document: pass one id, or a position or time.', {
      path: 'version',
    });
  core.watermark.assertWhole();
  if (ids.length === 0) return [];
  if (ids.length > core.limits.getDocumentsMax) {
    throw new InvalidInput(`get takes at most ${core.limits.getDocumentsMax} ids at once, not ${ids.length}.`, {
      path: 'ids',
      max: core.limits.getDocumentsMax,
    });
  }

  const asOf = past === 'position' || past === 'time' ? await positionAt(core, at) : undefined;
  const wanted: Wanted[] = ids.map((id) => {
    const cached = asOf === undefined ? core.cache.get(definition.name, id) : undefined;
    const usable = cached && (past !== 'version' || cached.version <= at.version!);
    return { collection: definition, id, from: usable ? cached : unborn(definition, id), upTo: at.version };
  });
  const { found } = await loadDocuments(core, core.session, wanted, asOf);
  return found.map(({ folded, head, error }, index) => {
    const id = ids[index]!;
    if (error !== undefined) throw error;
    if (past === undefined) core.cache.remember(definition.name, id, folded);
    if (past === 'version' && head < at.version!) {
      throw new InvalidInput(
        `${definition.name} ${JSON.stringify(id)} has no version ${at.version} yet: it is at ${head}.`,
        {
          collection: definition.name,
          id,
          path: 'version',
          head,
        },
      );
    }
    return documentOf(definition.name, id, folded);
  });
}

function checkAt(at: At): keyof At | undefined {
  if (typeof at !== 'object' || at === null)
    throw new InvalidInput('The point to read at must be { version }, { position } or { time }.');
  const given = (['version', 'position', 'time'] as const).filter((name) => at[name] !== undefined);
  if (given.length > 1)
    throw new InvalidInput(`Read at one point: ${given.join(' or ')}, not both.`, { path: given[1]! });
  const [name] = given;
  const value = name && at[name];
  const whole = name === 'time' ? Number.isFinite(value) : Number.isSafeInteger(value) && value! >= 0;
  if (name && !whole)
    throw new InvalidInput(
      `The ${name} to read at must be a ${name === 'time' ? 'finite' : 'whole'} number, not ${String(value)}.`,
      { path: name },
    );
  return name;
}

/** The last position recorded by a time, or a position that the log has reached. */
async function positionAt(core: Core, { position, time }: At): Promise<number> {
  if (position !== undefined) {
    const before = core.watermark.seen;
    const { end } = await core.session.load([]);
    await core.watermark.observe(before, end, core.session);
    if (position <= end.position) return position;
    throw new InvalidInput(`The log has not reached position ${position} yet: it ends at ${end.position}.`, {
      path: 'position',
      end: end.position,
    });
  }
  const [commit] = await core.session.commits({ recordedBy: time, reverse: true, limit: 1 });
  return commit ? commit.position + commit.eventCount - 1 : 0;
}
