/** After a batch: the cache takes in what was stored or moved, the callers get their outcomes. */
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Decision } from '../../model/decide.ts';
import { reduce, unborn, type Folded } from '../../model/reduce.ts';
import { Ground } from '../../store/ground.ts';
import type { Commit, DocumentVersion, LogPoint, Refused, StaleDocument, Stored, StoredAt } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { shownOf } from '../registry/names.ts';
import { loadDocuments, type LoadingCalls } from '../reading/document-reader.ts';
import { eventReader, foldEvents } from '../reading/fold-events.ts';
import type { Draft, Drafted } from './draft.ts';
import type { Entry } from './entry.ts';
import { outcomeOf } from './outcome.ts';
import { recordedCommand, type RecordedEvent } from '../reading/recorded.ts';
import type { Working } from './working-set.ts';

/** The results of a batch, and what is still to be done for it. */
export interface SettledBatch {
  readonly fallen: readonly Entry[];
  /** Commands that stand and aren't stored: answered once the ledger was asked. */
  readonly unrecorded: readonly Drafted[];
  /** Stale documents with more events than the store has sent: to be loaded. */
  readonly behind: readonly Behind[];
}

interface Behind {
  readonly collection: CollectionDefinition;
  readonly id: string;
  readonly from: Folded;
}

/** Takes in a batch and what has moved, and answers the commands whose commits stand. */
export function settle(core: Core, draft: Draft, judged: Stored | Refused): SettledBatch {
  const batch = draft.batch!;
  const stored = judged.status === 'stored' ? judged : NOTHING;
  if (stored !== NOTHING) {
    core.counters.batches += 1;
    core.tracked.advance(stored.commits.find((at) => at !== undefined)!.position - 1, judged.end.position);
  }
  if (judged.stale.length > 0) core.counters.conflicts += 1;
  const fell = batch.commits.filter((_, index) => !stored.commits[index]);
  const moved = movedBy(fell, draft, judged);
  const behind: Behind[] = [];
  // Shared: an event of several documents is read once.
  const read = judged.stale.length > 0 ? eventReader(core) : undefined;
  for (const [row, document] of draft.reads.entries()) {
    const stale = moved.get(document);
    if (stale) behind.push(...takeIn(core, draft.working.epoch, read!, document, stale));
    else {
      const now = moved.has(document) ? document.stored : document.now;
      remember(core, draft.working.epoch, document, now, judged.heads[row]!);
    }
  }
  const unrecorded = stillStanding(draft, judged, stored.commits);
  const fallen = draft.unrecorded.filter((one) => !unrecorded.has(one)).map(({ entry }) => entry);
  let next = 0;
  for (const [index, drafted] of draft.drafted.entries()) {
    const at = stored.commits[index];
    if (!at) {
      fallen.push(drafted.entry);
      continue;
    }
    const attachments = drafted.decision.events.map(({ attachments }) =>
      attachments.map(({ collection, id }) => Object.freeze({ collection, id, version: stored.versions[next++]! })),
    );
    settleAttached(core, draft, moved, drafted, attachments);
    answer(core, drafted, attachments, at);
  }
  fallen.sort((one, other) => one.order - other.order);
  return { fallen, unrecorded: [...unrecorded], behind };
}

const NONE: ReadonlySet<Drafted> = new Set();
const NOTHING: Pick<Stored, 'commits' | 'versions'> = { commits: [], versions: [] };

/**
 * Documents that aren't as the batch has left them: stale ones, and those that a fallen commit is attached to. What was stored
 * moves them on from where they were before the batch.
 */
function movedBy(
  fell: readonly Commit[],
  { working }: Draft,
  { stale }: Stored | Refused,
): ReadonlyMap<Working, StaleDocument | undefined> {
  const moved = new Map<Working, StaleDocument | undefined>();
  for (const { events } of fell) {
    for (const { attachments } of events) {
      for (const ref of attachments) {
        const found = working.find(ref);
        if (found) moved.set(found, undefined);
      }
    }
  }
  for (const document of stale) moved.set(working.find(document)!, document);
  return moved;
}

/** Commands that aren't stored, and whose ground is neither stale nor changed by a fallen commit before them. */
function stillStanding(draft: Draft, { stale }: Stored | Refused, commits: Stored['commits']): ReadonlySet<Drafted> {
  const { batch, unrecorded, working } = draft;
  if (unrecorded.length === 0) return NONE;
  const ground = new Ground(
    batch!,
    stale.map((document) => working.find(document)!.row!),
  );
  let judged = 0;
  const stands = ({ after, reads }: Drafted): boolean => {
    for (; judged < after; judged += 1) if (!commits[judged]) ground.falls(batch!.commits[judged]!);
    return ground.holds(reads);
  };
  return new Set(unrecorded.filter(stands));
}

/** A document that was read: events that its collection doesn't handle may have moved its version meanwhile. */
function remember(core: Core, epoch: number, { collection, id, stored }: Working, now: Folded, head: number): void {
  const missed = head - stored.version;
  const folded = {
    version: now.version + missed,
    changed: now.changed > stored.version ? now.changed + missed : now.changed,
    state: now.state,
    bytes: now.bytes,
  };
  core.cache.remember(collection.name, id, folded, epoch);
}

/** Takes in a stale document's events; returns what is still to be loaded of it. */
function takeIn(
  core: Core,
  epoch: number,
  read: ReturnType<typeof eventReader>,
  { collection, id, stored }: Working,
  { head, events }: StaleDocument,
): readonly Behind[] {
  const { folded, error } = foldEvents(read, collection, id, stored, events);
  if (error !== undefined) {
    // The next try loads it, meets the error, and records it.
    core.cache.forget(collection.name, id);
    return [];
  }
  core.cache.remember(collection.name, id, folded, epoch);
  return folded.version < head ? [{ collection, id, from: folded }] : [];
}

/** Documents that an event was attached to without being read: cached ones move on, new ones are kept. */
function settleAttached(
  core: Core,
  { working }: Draft,
  moved: ReadonlyMap<Working, unknown>,
  { decision, time }: Drafted,
  attachments: readonly (readonly DocumentVersion[])[],
): void {
  for (const [index, { event }] of decision.events.entries()) {
    for (const { collection: name, id, version } of attachments[index]!) {
      const collection = core.collections.get(name);
      const found = working.find({ collection: name, id });
      if (!collection || (found?.row !== undefined && !moved.has(found))) continue;
      try {
        const before = core.cache.get(name, id) ?? (version === 1 ? unborn(collection, id) : undefined);
        // With a gap before it, the next read brings it up to date.
        if (before?.version !== version - 1) continue;
        core.cache.remember(name, id, reduce(collection, id, before, event, time), core.cache.epoch);
      } catch (error) {
        core.cache.forget(name, id);
        const details = { err: error, collection: name, id, version };
        core.logger.error(details, 'a reducer failed: this document cannot be read until it is fixed');
      }
    }
  }
}

function answer(
  core: Core,
  { entry, decision, time }: Drafted,
  attachments: readonly (readonly DocumentVersion[])[],
  { position, recordedAt, hash }: StoredAt,
): void {
  const command = recordedCommand(entry.request.facts);
  const events: RecordedEvent[] = decision.events.map(({ event }, index) =>
    Object.freeze({
      event,
      position: position + index,
      time,
      recordedAt,
      attachments: Object.freeze(shownOf(attachments[index]!)),
      hash,
      command,
    }),
  );
  count(core, decision);
  if (decision.error !== undefined) {
    core.logger.error(
      { err: decision.error, command: command.name, id: command.id },
      `command ${command.name} went wrong, recorded as ${decision.events[0]!.type}`,
    );
  }
  const last = position + events.length - 1;
  core.watermark.tell(last);
  entry.resolve(outcomeOf(decision, events, last));
}

/** Answers a command that records nothing, as of a position at which its ground had not moved. */
export function resolveUnrecorded(core: Core, { entry, decision }: Drafted, position: number): void {
  count(core, decision);
  entry.resolve(outcomeOf(decision, [], position, { recorded: false }));
}

function count(core: Core, { outcome }: Decision): void {
  core.counters.commands += 1;
  core.counters[outcome] += 1;
}

/** Loads documents that have moved further. What can't be loaded is forgotten: commands that need it get the error. */
export async function catchUp(
  core: Core,
  io: LoadingCalls,
  behind: SettledBatch['behind'],
  epoch: number,
): Promise<void> {
  if (behind.length === 0) return;
  try {
    const { found } = await loadDocuments(core, io, behind);
    for (const [index, { folded, error }] of found.entries()) {
      const { collection, id } = behind[index]!;
      if (error === undefined) core.cache.remember(collection.name, id, folded, epoch);
    }
  } catch {
    for (const { collection, id } of behind) core.cache.forget(collection.name, id);
  }
}

/** Which documents have moved since they were read, and the end of the log then. For commands that append nothing. */
export async function movedSince(
  core: Core,
  io: LoadingCalls,
  reads: readonly Working[],
  epoch: number,
): Promise<{ readonly end: LogPoint; readonly rows: ReadonlySet<number> }> {
  const wanted = reads.map(({ collection, id, stored }) => ({ collection, id, from: stored }));
  const { end, found } = await loadDocuments(core, io, wanted);
  const rows = new Set<number>();
  for (const [row, { folded, error }] of found.entries()) {
    const { collection, id, stored } = reads[row]!;
    if (folded.changed > stored.changed || error !== undefined) rows.add(row);
    if (error === undefined) core.cache.remember(collection.name, id, folded, epoch);
    else core.cache.forget(collection.name, id);
  }
  return { end, rows };
}
