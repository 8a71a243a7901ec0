/**
 * Folding whole collections again, from event 1: one pass over the log, in its order, without the cache. Memory grows with the
 * number of documents, not of events.
 */
import { hasCode, LogCorrupt } from '../../errors.ts';
import type { AnyCollection, CollectionDefinition } from '../../model/collection.ts';
import type { AnyEvent } from '../../model/event.ts';
import { nextState } from '../../model/reduce.ts';
import { Twins } from '../../model/same-items.ts';
import type { LogEnd, ScannedEvent } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { FoldedDocuments } from './document.ts';
import { Folding } from './folding.ts';
import { OTHERS, UNKNOWN } from './slots.ts';
import { knownCollection } from './get.ts';
import { givingWay } from '../giving-way.ts';
import type { InTurn } from '../in-turn.ts';
import { Pace } from '../pace.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { eventFromStore, placed } from './recorded.ts';

/** Events of a page: few enough to be in the processor's cache still when they are folded. */
const PAGE = 500;

/**
 * Every document of the collections, as of one end of the log. An error of a reducer or upcast concerns its documents only.
 *
 * @throws Overloaded; Rebuilding; DomainOutdated if an event is newer than this code; LogCorrupt if versions have a gap
 */
export async function foldCollections(
  core: Core,
  long: InTurn,
  collections: readonly AnyCollection[],
): Promise<readonly FoldedDocuments<unknown>[]> {
  // Not `map`, which passes over the holes of a sparse array.
  const definitions = Array.from(collections, (collection) => knownCollection(core, collection));
  for (const { name } of definitions) await core.readiness.ready(name, core.closing.signal);
  const registered = () => definitions.map(({ name }) => core.membership.own.get(name)!.definition.id).join();
  return long.run(async () => {
    for (;;) {
      const before = registered();
      const folded = await foldAll(core, definitions);
      // What is attached by a definition that another server has retired meanwhile may be gone.
      if ((await core.untilClosed.load([])).generation !== core.membership.generation)
        await refreshMembership(core, core.untilClosed);
      if (registered() === before) return folded;
    }
  });
}

async function foldAll(
  core: Core,
  definitions: readonly CollectionDefinition[],
): Promise<readonly FoldedDocuments<unknown>[]> {
  const folding = new Folding(definitions);
  const known = (document: number): boolean => folding.slotOf(document) !== UNKNOWN;
  const reads = givingWay(core);
  const pace = new Pace(core.runtime);
  const lists = new Twins();
  let after = 0;
  let end: LogEnd | undefined;
  do {
    core.watermark.assertWhole();
    const before = core.watermark.seen;
    const page = await reads.scan({ after, limit: PAGE, known });
    await core.watermark.observe(before, page.end, reads);
    end ??= page.end;
    for (const named of page.named) folding.add(named);
    for (const event of page.events) {
      if (event.position > end.position) break;
      foldIntoSlots(core, folding, event, lists);
      after = event.position;
      if (pace.isOver()) await pace.turn();
    }
  } while (after < end.position);
  return folding.documents(pace);
}

function foldIntoSlots(core: Core, folding: Folding, stored: ScannedEvent, lists: Twins): void {
  const { attachments, position, type, time } = stored;
  let event: AnyEvent | undefined;
  let unread: unknown;
  for (let index = 0; index < attachments.length; index += 2) {
    const slot = folding.slotOf(attachments[index]!);
    if (slot === UNKNOWN) throw unnamed(position);
    if (slot === OTHERS) continue;
    const version = attachments[index + 1]!;
    if (version !== folding.version(slot) + 1) throw gapAt(folding, slot, position, version);
    const definition = folding.definition(slot);
    const isHandled = definition.handled.has(type);
    // The event is read once, for the first document that handles its type.
    if (isHandled && event === undefined && unread === undefined) {
      try {
        event = eventFromStore(core.events, stored, time);
      } catch (error) {
        unread = error;
      }
    }
    // A dropped or unchecked event has another type then, which no reducer handles.
    const reducer = event && definition.reduce.get(event.type);
    if (!isHandled || (event !== undefined && reducer === undefined)) {
      folding.count(slot, version);
      continue;
    }
    const id = folding.ids[slot]!;
    let state: unknown;
    try {
      if (!folding.hasFailed(slot)) {
        if (event === undefined || reducer === undefined) throw unread;
        state = nextState(definition, id, version, reducer, folding.states[slot], event, time, lists).copy;
      }
    } catch (error) {
      fail(folding, slot, placed(error, position, [{ collection: definition.name, id, version }]));
    }
    folding.change(slot, version, state);
  }
}

/** @throws errors that don't concern one document: the event is newer than this code, or damaged */
function fail(folding: Folding, slot: number, error: unknown): void {
  if (!hasCode(error, 'ReducerFailed', 'UpcastFailed')) throw error;
  folding.fail(slot, error);
}

function gapAt(folding: Folding, slot: number, position: number, version: number): LogCorrupt {
  const [{ name }, id] = [folding.definition(slot), folding.ids[slot]!];
  return new LogCorrupt(
    `${name} ${JSON.stringify(id)} is at version ${folding.version(slot)}, but the event at position ${position} is its version ${version}. Run verify.`,
    { collection: name, id, position, version },
  );
}

function unnamed(position: number): LogCorrupt {
  const message = `The store didn't say which document the event at position ${position} is attached to. Run verify.`;
  return new LogCorrupt(message, { position });
}
