/** After a batch: the cache takes in what was stored or what moved, the callers get their outcomes. */
import type { CollectionDefinition } from '../model/collection.ts';
import type { Decision } from '../model/decide.ts';
import { reduce, unborn, type Folded } from '../model/reduce.ts';
import type { DocumentVersion, LogPoint, Refused, Session, Stored } from '../store/store.ts';
import type { Core } from './core.ts';
import { eventReader, foldEvents, loadDocuments } from './document-reader.ts';
import type { Draft, Drafted } from './draft.ts';
import { outcomeOf } from './outcome.ts';
import { recordedCommand, type RecordedEvent } from './recorded.ts';
import type { Working } from './working-set.ts';

/** Takes in a batch that was stored, and answers its callers. */
export function settle(core: Core, draft: Draft, stored: Stored): void {
  core.counters.batches += 1;
  for (const [index, working] of draft.reads.entries()) settleRead(core, working, stored.heads[index]!);
  let next = 0;
  for (const [index, drafted] of draft.drafted.entries()) {
    const { position, recordedAt, hash } = stored.commits[index]!;
    const attachments = drafted.decision.events.map(({ attachments }) =>
      attachments.map(({ collection, id }) => Object.freeze({ collection, id, version: stored.versions[next++]! })),
    );
    settleAttached(core, draft, drafted, attachments);
    answer(core, drafted, attachments, { position, recordedAt, hash });
  }
}

/** A document that was read: events that its collection doesn't handle may have moved its version meanwhile. */
function settleRead(core: Core, { collection, id, stored, now }: Working, head: number): void {
  const missed = head - stored.version;
  core.cache.remember(collection.name, id, {
    version: now.version + missed,
    changed: now.changed > stored.version ? now.changed + missed : now.changed,
    state: now.state,
    bytes: now.bytes,
  });
}

/** Documents that an event was attached to without being read: cached ones move on, new ones are worth keeping. */
function settleAttached(
  core: Core,
  draft: Draft,
  { decision, time }: Drafted,
  attachments: readonly (readonly DocumentVersion[])[],
): void {
  for (const [index, { event }] of decision.events.entries()) {
    for (const { collection: name, id, version } of attachments[index]!) {
      const collection = core.collections.get(name);
      if (!collection || draft.working.find({ collection: name, id })?.read) continue;
      try {
        const before = core.cache.get(name, id) ?? (version === 1 ? unborn(collection, id) : undefined);
        // Where something was missed in between, the next read brings it up to date.
        if (before?.version === version - 1) core.cache.remember(name, id, reduce(collection, id, before, event, time));
      } catch (error) {
        core.cache.forget(name, id);
        core.logger.error(
          { err: error, collection: name, id, version },
          'a reducer failed: this document cannot be read until it is mended',
        );
      }
    }
  }
}

function answer(
  core: Core,
  { entry, decision, time }: Drafted,
  attachments: readonly (readonly DocumentVersion[])[],
  { position, recordedAt, hash }: Stored['commits'][number],
): void {
  const command = recordedCommand(entry.request.facts);
  const events: RecordedEvent[] = decision.events.map(({ event }, index) =>
    Object.freeze({
      event,
      position: position + index,
      time,
      recordedAt,
      attachments: Object.freeze(attachments[index]!),
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
  entry.resolve(outcomeOf(decision, events, position + events.length - 1));
}

/** Answers the caller of a command that records nothing, as of a position at which what it rests on had not moved. */
export function answerUnrecorded(core: Core, { entry, decision }: Drafted, position: number): void {
  count(core, decision);
  entry.resolve(outcomeOf(decision, [], position, { recorded: false }));
}

function count(core: Core, { outcome }: Decision): void {
  core.counters.commands += 1;
  core.counters[outcome] += 1;
}

/** Takes in the documents that a batch was refused for. */
export async function takeIn(
  core: Core,
  io: Pick<Session, 'load' | 'commits'>,
  draft: Draft,
  refused: Refused,
): Promise<void> {
  await core.watermark.confirm(draft.batch!.seen, refused.end, io);
  if (refused.stale.length === 0) return;
  core.counters.conflicts += 1;
  const behind: { collection: CollectionDefinition; id: string; from: Folded }[] = [];
  const read = eventReader(core);
  for (const { collection: name, id, head, events } of refused.stale) {
    const { collection, stored } = draft.working.find({ collection: name, id })!;
    const { folded, error } = foldEvents(read, collection, id, stored, events);
    if (error !== undefined) {
      // The next try loads it, fails likewise, and records that.
      core.cache.forget(name, id);
      continue;
    }
    core.cache.remember(name, id, folded);
    if (folded.version < head) behind.push({ collection, id, from: folded });
  }
  if (behind.length === 0) return;
  const { found } = await loadDocuments(core, io, behind);
  for (const [index, { folded, error }] of found.entries()) {
    const { collection, id } = behind[index]!;
    if (error === undefined) core.cache.remember(collection.name, id, folded);
  }
}

/**
 * The end of the log at which what was decided on was still so; undefined if it has moved, and then it is taken in. For
 * what is not appended, as nothing else checks the ground of that.
 */
export async function endWhereHeld(
  core: Core,
  io: Pick<Session, 'load' | 'commits'>,
  reads: readonly Working[],
): Promise<LogPoint | undefined> {
  const wanted = reads.map(({ collection, id, stored }) => ({ collection, id, from: stored }));
  const { end, found } = await loadDocuments(core, io, wanted);
  let held = true;
  for (const [index, { folded, error }] of found.entries()) {
    const { collection, id, stored } = reads[index]!;
    if (folded.changed > stored.changed || error !== undefined) held = false;
    if (error === undefined) core.cache.remember(collection.name, id, folded);
    else core.cache.forget(collection.name, id);
  }
  return held ? end : undefined;
}
