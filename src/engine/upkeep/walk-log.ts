/** The log, in its order: the chain, the positions, and what each event is attached to. */
import { hasCode, LogCorrupt } from '../../errors.ts';
import { DROPPED, UNDECLARED, type AnyEvent, type EventDefinition } from '../../model/event.ts';
import { chainHash, commitDigest, GENESIS_HASH } from '../../store/chain.ts';
import type { DocumentRef, EventPage, LogEnd, StoredCommit, StoredEvent } from '../../store/store.ts';
import { isUnknown } from '../held-types.ts';
import { AS_STORED, eventFromStore, placed } from '../reading/recorded.ts';
import { shapeProblem } from './stored-shape.ts';
import { attachmentText, isTurn, judge, note, type Walk } from './walk.ts';

/** Events of a page: what is looked at in one go, and holds the event loop for so long. */
const PAGE = 200;

export async function walkLog(walk: Walk): Promise<void> {
  const { end } = walk;
  let after: number | undefined = 0;
  let previous = { position: 0, hash: GENESIS_HASH, recordedAt: 0 };
  let gathered: StoredEvent[] = [];
  const close = (): void => {
    const [first] = gathered;
    if (first) previous = checkCommit(walk, first.commit, gathered, previous);
    gathered = [];
  };
  while (after !== undefined && after < end.position) {
    const page = await readFrom(walk, after);
    for (const event of page.events) {
      if (gathered.length > 0 && gathered[0]!.commit.position !== event.commit.position) close();
      gathered.push(event);
      checkType(walk, event);
      checkEvent(walk, event);
      if (isTurn(walk, 1 + event.attachments.length)) await walk.core.runtime.turn();
    }
    after = page.next;
  }
  close();
  if (previous.position !== end.position) {
    note(walk, {
      code: 'Order',
      position: previous.position,
      message: `The log ends at ${end.position}, but its events only reach ${previous.position}.`,
    });
  }
}

/**
 * The next page of the log. Where damage keeps it from being read, as much of it as can be: the last error is then about
 * a single position, and says so.
 */
async function readFrom({ reads, end }: Walk, after: number): Promise<EventPage> {
  for (let limit = PAGE; ; limit = Math.ceil(limit / 2)) {
    try {
      return await reads.read({ after, before: end.position + 1, limit });
    } catch (error) {
      // Other errors say nothing of what is stored.
      if (!hasCode(error, 'LogCorrupt')) throw error;
      if (limit > 1) continue;
      if (error.details['position'] !== undefined) throw error;
      throw new LogCorrupt(
        `The event at position ${after + 1} can't be read: ${error.message}`,
        { ...error.details, position: after + 1 },
        error,
      );
    }
  }
}

/** The chain's next link. Goes on from what is stored, so that one broken link is one problem. */
function checkCommit(walk: Walk, commit: StoredCommit, events: readonly StoredEvent[], previous: LogEnd): LogEnd {
  walk.commits += 1;
  const { position, recordedAt, hash } = commit;
  const last = position + events.length - 1;
  if (position !== previous.position + 1 || events.some((event, index) => event.position !== position + index)) {
    note(walk, {
      code: 'Order',
      position,
      message: `Positions are not dense: after ${previous.position} comes a commit at ${position} with events ${events.map((event) => event.position).join(', ')}.`,
    });
  }
  if (events.length !== commit.eventCount) {
    note(walk, {
      code: 'Order',
      position,
      message: `The commit at position ${position} has ${events.length} events, not ${commit.eventCount}.`,
    });
  }
  if (recordedAt < previous.recordedAt || recordedAt < commit.time) {
    note(walk, {
      code: 'Order',
      position,
      message: `The commit at position ${position} was recorded before the one before it, or before it was decided.`,
    });
  }
  if (chainHash(previous.hash, position, recordedAt, commitDigest({ ...commit, events })) !== hash) {
    note(walk, {
      code: 'Chain',
      position,
      message: `The hash chain breaks at position ${position}: what is stored there, or before it, is not what was hashed.`,
    });
  }
  return { position: last, hash, recordedAt };
}

/** What this code doesn't know, nobody folds. Told once of each type. */
function checkType(walk: Walk, { type, position, commit }: StoredEvent): void {
  if (!isUnknown(walk.core.events, type, commit.outcome === 'succeeded') || walk.unknownTypes.has(type)) return;
  walk.unknownTypes.add(type);
  note(walk, {
    code: 'UnknownType',
    position,
    message: `The log holds events of the type ${type}, the first at position ${position}, which the domain doesn't have. If it was renamed, keep it in domain({ events }) and in the reducers beside the new one; if a newer release stores it, verify by that.`,
  });
}

/** What an event is attached to must be what the keys find in it. */
function checkEvent(walk: Walk, stored: StoredEvent): void {
  walk.events += 1;
  for (const { collection, id, version } of stored.attachments)
    walk.inLog.add(collection, id, version, stored.position);
  const definition = walk.core.events.get(stored.type);
  const { position } = stored;
  try {
    const event = eventFromStore(walk.core.events, stored, stored.commit.time);
    if (definition?.version === stored.schemaVersion) checkShape(walk, definition, event, position);
    checkAttached(walk, stored, event);
  } catch (caught) {
    judge(walk, placed(caught, position, stored.attachments), (what) =>
      note(walk, {
        code: 'Attachments',
        position,
        message: `The event at position ${position} can't be read: ${what}`,
      }),
    );
  }
}

function checkAttached(walk: Walk, stored: StoredEvent, event: AnyEvent): void {
  const { type, schemaVersion, position } = stored;
  // What an upcast drops is attached as it was.
  if (event.type === DROPPED) return;
  const attached = textOf(stored.attachments);
  const asStored = (): FoundByKeys => foundIn(walk, eventFromStore(AS_STORED, stored, stored.commit.time));
  // Before its type was declared it was attached as what it was called.
  const found = event.type === UNDECLARED ? asStored() : foundIn(walk, event);
  if (attached === found.attached) return;
  const newest = walk.core.events.get(type)?.version ?? schemaVersion;
  const byUpcast = schemaVersion < newest && event.type === type && asStored().attached === attached;
  if (byUpcast && walk.otherIds.has(type)) return;
  if (byUpcast) walk.otherIds.add(type);
  note(walk, {
    code: 'Attachments',
    position,
    message: byUpcast
      ? `The event ${type} at position ${position} was stored at version ${schemaVersion} and is attached to ${attached}, but in the shape of version ${newest} ${found.said} An upcast must leave alone what keys look at.`
      : `The event at position ${position} is attached to ${attached}, but ${found.said}`,
  });
}

/** What keys find in an event. */
interface FoundByKeys {
  /** Undefined if they refuse it. */
  readonly attached?: string;
  readonly said: string;
}

/** What the keys find in an event. An older release may have stored what they refuse now: then that is what they say. */
function foundIn({ attacher }: Walk, event: AnyEvent): FoundByKeys {
  try {
    const attached = textOf(attacher.attach(event));
    return { attached, said: `the keys find ${attached}.` };
  } catch (error) {
    if (!hasCode(error, 'InvalidEvent')) throw error;
    return { said: `the keys can't look into it: ${error.message}` };
  }
}

/** Told once of each type. */
function checkShape(walk: Walk, definition: EventDefinition, event: AnyEvent, position: number): void {
  const { type, version } = definition;
  if (walk.otherShapes.has(type)) return;
  const problem = shapeProblem(definition, event);
  if (problem === undefined) return;
  walk.otherShapes.add(type);
  note(walk, {
    code: 'Schema',
    position,
    message: `The event ${type} at position ${position} was stored at version ${version}, and ${problem}. Raise the version, with an upcast from ${version}: event(schema, { version: ${version + 1}, upcast: { ${version}: (old) => … } }).`,
  });
}

/** Documents in one order, so that the same ones have the same text. */
function textOf(attachments: readonly DocumentRef[]): string {
  return attachments.map(attachmentText).sort().join(', ') || 'nothing';
}
