/** Reading documents: now, or as they were. */
import { InvalidInput, UnknownCollection } from '../../errors.ts';
import { optionsOf, whole, type Checks } from '../../options.ts';
import { findCollection, type AnyCollection, type CollectionDefinition } from '../../model/collection.ts';
import { documentId } from '../../model/document-id.ts';
import { reading } from '../../model/foreign.ts';
import { unborn } from '../../model/reduce.ts';
import type { Core } from '../core.ts';
import type { Wanted } from './document-reader.ts';
import { documentOf, type Document } from './document.ts';
import { reloadedText, unknownCollection } from '../not-given.ts';
import type { SharedLoad } from './shared-load.ts';

/** A point in the past: at most one of the three. */
export interface At {
  /** The document after this many attached events. Only for a single document. */
  readonly version?: number | undefined;
  /** After the event at this position of the log. */
  readonly position?: number | undefined;
  /** As recorded up to this time, by `recordedAt`; milliseconds since the Unix epoch. For a past time the answer never changes. */
  readonly time?: number | undefined;
}

/** A collection that was given to open. @throws UnknownCollection */
export function knownCollection(core: Core, collection: AnyCollection): CollectionDefinition {
  const definition = findCollection(collection);
  if (!definition) throw unknownCollection(typeof collection === 'string' ? collection : typeof collection);
  const { name } = definition;
  const known = core.collections.get(name);
  if (known === definition) return definition;
  if (known === undefined) throw unknownCollection(name);
  throw new UnknownCollection(reloadedText('collection', name), { collection: name, reloaded: true });
}

/** Documents at one consistent point. The caller's objects aren't read once anything is waited for. */
export async function getDocuments(
  core: Core,
  loads: SharedLoad,
  collection: AnyCollection,
  given: readonly unknown[],
  givenAt: At | undefined,
): Promise<readonly Document<unknown>[]> {
  const definition = knownCollection(core, collection);
  const ids = reading('get', () => Array.from(given, (id) => documentId(definition, id)), InvalidInput);
  const at = checkedAt(givenAt);
  const { version } = at;
  if (version !== undefined && ids.length !== 1) {
    const message = 'A version belongs to a single document: pass one id, or a position or time.';
    throw new InvalidInput(message, { path: 'version' });
  }
  core.watermark.assertWhole();
  if (ids.length === 0) return [];
  if (core.readiness.unready(definition.name)) await core.readiness.ready(definition.name, core.closing.signal);
  const { getDocumentsMax: max } = core.limits;
  if (ids.length > max) {
    throw new InvalidInput(`get takes at most ${max} ids at once, not ${ids.length}.`, { path: 'ids', max });
  }

  const isPast = at.position !== undefined || at.time !== undefined;
  const { epoch } = core.cache;
  const wanted: Wanted[] = ids.map((id) => {
    const cached = isPast ? undefined : core.cache.get(definition.name, id);
    const usable = cached && (version === undefined || cached.version <= version);
    return { collection: definition, id, from: usable ? cached : unborn(definition, id), upTo: version };
  });
  const found = isPast ? await loads.loadPast(wanted, () => positionAt(core, at)) : await loads.load(wanted);
  // Other documents have taken the place of those that they were folded from.
  if (!core.cache.holds(definition.name, epoch)) return getDocuments(core, loads, collection, ids, at);
  return found.map(({ folded, head, document, error }, index) => {
    const { id } = wanted[index]!;
    if (error !== undefined) throw error;
    if (!isPast && version === undefined) {
      core.cache.remember(definition.name, id, folded, epoch);
      if (document !== undefined) core.tracked.add({ collection: definition.name, id }, document, core.watermark.seen);
    }
    if (version !== undefined && head < version) {
      const message = `${definition.name} ${JSON.stringify(id)} has no version ${version} yet: it is at ${head}.`;
      throw new InvalidInput(message, { collection: definition.name, id, path: 'version', head });
    }
    return documentOf(definition, id, folded);
  });
}

const AT: Checks<At> = {
  version: whole(0),
  position: whole(0),
  time: (time, refuse) => (Number.isFinite(time) ? (time as number) : refuse('must be a finite number')),
};

function checkedAt(given: At | undefined): At {
  const at = optionsOf<At>('get', given, AT, InvalidInput);
  const names = Object.keys(at);
  if (names.length <= 1) return at;
  throw new InvalidInput(`Read at one point: ${names.join(' or ')}, not both.`, { path: names[1]! });
}

/** The last position recorded by a time, or a position that the log has reached. */
async function positionAt(core: Core, { position, time }: At): Promise<number> {
  if (position !== undefined) {
    const end = await core.watermark.look(core.untilClosed);
    if (position <= end.position) return position;
    const message = `The log has not reached position ${position} yet: it ends at ${end.position}.`;
    throw new InvalidInput(message, { path: 'position', end: end.position });
  }
  const [commit] = await core.untilClosed.commits({ recordedBy: time, reverse: true, limit: 1 });
  return commit ? commit.position + commit.eventCount - 1 : 0;
}
