/** What queries ask of an application: where stored documents are, and when they are new enough. */
import type { CollectionDefinition } from '../../model/collection.ts';
import type { LogPoint } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { rebuilding, paced } from '../registry/readiness.ts';
import { Rate } from '../registry/rate.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { Outage } from '../outage.ts';
import { TOUCHED_EVENTS_MAX } from '../queries/bounds.ts';
import type { Queried, QueriedSet } from '../queries/queried.ts';
import { isBeingMade, isSamePlace } from './marks.ts';
import type { Reduction } from './reduction.ts';

/** Where this server doesn't reduce, it looks so often how far others are, in milliseconds. */
const LOOK_MS = 50;
/** Events of a page. */
const PAGE_EVENTS = 500;

const nothing = (): boolean => false;

export function queriedOf(core: Core, reduction: Reduction): Queried {
  const { closing, runtime, watermark } = core;
  /** Where the log ended when this application was opened: before a set has come there, it may still be in the making. */
  const opened = watermark.seen.position;
  /** Sets that are made, with the names of their collections. */
  const made = new Map<number, string>();
  /** By collection: the last position that documents were read as of. A set that takes the place of another begins there. */
  const read = new Map<string, number>();
  const placeOf = async (set: number): Promise<LogPoint | undefined> => {
    const page = await core.untilClosed.stored({ set, limit: 0 });
    // Another server has put another set in its place, or this code's definition is gone.
    if (!page) await refreshMembership(core, core.untilClosed);
    return page?.place;
  };
  const isMade = async (name: string, set: number): Promise<boolean> => {
    const from = read.get(name) ?? 0;
    if (reduction.isRunning) return !reduction.isBehind(name) && reduction.placeOf(set) >= from;
    const place = await placeOf(set);
    return place !== undefined && place.position >= Math.max(opened, from) && !isBeingMade(place);
  };
  const isReplaced = (name: string, set: number): boolean => core.membership.own.get(name)!.definition.set !== set;
  /** Resolves when the set holds all documents that there were, or isn't the collection's any more. @throws Rebuilding after a bound */
  const ready = async ({ name, definition }: CollectionDefinition, set: number): Promise<void> => {
    const until = runtime.elapsed() + core.limits.rebuildingWaitMs;
    while (!(await isMade(name, set))) {
      if (isReplaced(name, set)) return;
      const target = Math.max(opened, read.get(name) ?? 0);
      const left = until - runtime.elapsed();
      if (left <= 0) {
        const done = (await placeOf(set))?.position ?? 0;
        throw rebuilding({ collection: name, definition, work: 'folding', ...paced(new Rate(), done, target) });
      }
      const ms = Math.min(left, LOOK_MS);
      if (!reduction.isRunning || reduction.placeOf(set) >= target) await runtime.sleep(ms, closing.signal);
      else await reduction.reached(set, target, ms);
      closing.signal.throwIfAborted();
    }
    made.set(set, name);
  };
  const setOf = async (collection: CollectionDefinition): Promise<QueriedSet> => {
    core.watermark.assertWhole();
    await core.readiness.ready(collection.name, closing.signal);
    for (;;) {
      const { set } = core.membership.own.get(collection.name)!.definition;
      if (made.has(set)) break;
      await ready(collection, set);
    }
    const { definition, indexes } = core.membership.own.get(collection.name)!;
    const isLive = (one: (typeof indexes)[number]): boolean => one.set === definition.set && one.state === 'live';
    return { set: definition.set, indexes: indexes.filter(isLive) };
  };
  /** The place of the set now, as the store says it. */
  const look = async (collection: CollectionDefinition): Promise<LogPoint | undefined> =>
    placeOf((await setOf(collection)).set);
  return {
    setOf,
    indexesOf: ({ indexes }) => indexes,
    async stored(range) {
      const known = reduction.placeOf(range.set);
      const page = await core.untilClosed.stored(range);
      // Another server has put another set in its place, or this code's definition is gone.
      if (!page) await refreshMembership(core, core.untilClosed);
      if (!page) return undefined;
      if (isBeingMade(page.place)) {
        // Another server makes it again: documents may be ahead of their set.
        made.delete(range.set);
        reduction.lost(range.set);
        return undefined;
      }
      if (page.place.position >= known) {
        const name = made.get(range.set);
        if (name !== undefined) read.set(name, Math.max(read.get(name) ?? 0, page.place.position));
        return page;
      }
      // A crash of the store has taken its last steps back.
      reduction.lost(range.set);
      return undefined;
    },
    async reached(collection, position, signal) {
      const until = runtime.elapsed() + core.limits.rebuildingWaitMs;
      for (;;) {
        const { set } = await setOf(collection);
        const left = until - runtime.elapsed();
        if (reduction.isRunning) {
          if (await reduction.reached(set, position, left, signal)) return;
        } else {
          const now = await placeOf(set);
          if (now && now.position >= position) return;
          if (left > 0) await runtime.sleep(Math.min(left, LOOK_MS), closing.signal);
        }
        closing.signal.throwIfAborted();
        signal?.throwIfAborted();
        // Before that, another set has taken the place of the one that was waited for.
        if (runtime.elapsed() >= until) break;
      }
      const place = await look(collection);
      if (place && place.position >= position) return;
      const { definition } = collection;
      const done = place?.position ?? 0;
      throw rebuilding({
        collection: collection.name,
        definition,
        work: 'folding',
        ...paced(new Rate(), done, position),
      });
    },
    told: () => watermark.told,
    async touched({ name }, after, upTo) {
      if (upTo - after > TOUCHED_EVENTS_MAX) return undefined;
      const ids = new Set<string>();
      for (let reached = after; reached < upTo;) {
        const limit = Math.min(PAGE_EVENTS, upTo - reached);
        const { events, named } = await core.untilClosed.scan({ after: reached, limit, known: nothing });
        for (const { collection, id } of named) if (collection === name) ids.add(id);
        if (events.length === 0) return undefined;
        reached = events.at(-1)!.position;
      }
      return ids;
    },
    async moved(collection, from, signal) {
      for (;;) {
        signal.throwIfAborted();
        const { set } = await setOf(collection);
        if (set !== from.set) return;
        if (reduction.isRunning) return reduction.movedFrom(set, from.place, signal);
        const now = await placeOf(set);
        if (!now || !isSamePlace(now, from.place)) return;
        await runtime.sleep(LOOK_MS, signal);
      }
    },
    runtime,
    outage: new Outage(core),
    closing: closing.signal,
  };
}
