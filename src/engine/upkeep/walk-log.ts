/** Walks the log in its order: the chain, the positions, and what each event is attached to. */
import { hasCode, LogCorrupt } from '../../errors.ts';
import { definitionOf, DROPPED, UNDECLARED, type AnyEvent, type EventDefinition } from '../../model/event.ts';
import { chainHash, commitDigest, GENESIS_HASH } from '../../store/chain.ts';
import type { DocumentRef, EventPage, LogEnd, StoredCommit, StoredEvent } from '../../store/store.ts';
import { isUnknown } from '../held-types.ts';
import { AS_STORED, eventFromStore, placed } from '../reading/recorded.ts';
import { shapeProblem } from './stored-shape.ts';
import { settledOf } from './settling.ts';
import { attachmentText, judge, note, type Problem, type Walk } from './walk.ts';

/** Events of a page: reading one holds the event loop. */
const PAGE = 200;

export async function walkLog(walk: Walk): Promise<void> {
  const { end, pace } = walk;
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
      checkEvent(walk, event, await settledOf(walk, event.attachments));
      if (pace.isOver()) await pace.turn();
    }
    after = page.next;
  }
  close();
  if (previous.position === end.position) return;
  const message = `The log ends at ${end.position}, but its events only reach ${previous.position}.`;
  note(walk, { code: 'Order', position: previous.position, message });
}

/** The next page of the log, or as much of it as damage lets through: the last error names a single position. */
async function readFrom({ reads, end }: Walk, after: number): Promise<EventPage> {
  for (let limit = PAGE; ; limit = Math.ceil(limit / 2)) {
    try {
      return await reads.read({ after, before: end.position + 1, limit });
    } catch (error) {
      // Other errors say nothing about what is stored.
      if (!hasCode(error, 'LogCorrupt')) throw error;
      if (limit > 1) continue;
      if (error.details['position'] !== undefined) throw error;
      const message = `The event at position ${after + 1} can't be read: ${error.message}`;
      throw new LogCorrupt(message, { ...error.details, position: after + 1 }, error);
    }
  }
}

/** Checks the chain's next link, and goes on from what is stored, so that one broken link is one problem. */
function checkCommit(walk: Walk, commit: StoredCommit, events: readonly StoredEvent[], previous: LogEnd): LogEnd {
  walk.commits += 1;
  const { position, recordedAt, hash } = commit;
  const last = position + events.length - 1;
  const wrong = (code: Problem['code'], message: string): void => note(walk, { code, position, message });
  if (position !== previous.position + 1 || events.some((event, index) => event.position !== position + index)) {
    const positions = events.map((event) => event.position).join(', ');
    const found = `after ${previous.position} comes a commit at ${position} with events ${positions}`;
    wrong('Order', `Positions are not dense: ${found}.`);
  }
  if (events.length !== commit.eventCount) {
    wrong('Order', `The commit at position ${position} has ${events.length} events, not ${commit.eventCount}.`);
  }
  if (recordedAt < previous.recordedAt || recordedAt < commit.time) {
    const before = 'before the one before it, or before it was decided';
    wrong('Order', `The commit at position ${position} was recorded ${before}.`);
  }
  if (chainHash(previous.hash, position, recordedAt, commitDigest({ ...commit, events })) !== hash) {
    const change = 'what is stored there, or before it, is not what was hashed';
    wrong('Chain', `The hash chain breaks at position ${position}: ${change}.`);
  }
  return { position: last, hash, recordedAt };
}

/** Reports each event type once that this code doesn't know, so that no reducer handles it. */
function checkType(walk: Walk, { type, position, commit }: StoredEvent): void {
  if (!isUnknown(walk.core.events, type, commit.outcome === 'succeeded') || walk.unknownTypes.has(type)) return;
  walk.unknownTypes.add(type);
  note(walk, {
    code: 'UnknownType',
    position,
    message: `The log holds events of the type ${type}, the first at position ${position}, which the domain doesn't have. If it was renamed, write event(schema, { formerly: ['${type}'] }) for the new one; if a newer release stores it, verify with that release.`,
  });
}

/** An event must be attached to what the keys find in it. */
function checkEvent(walk: Walk, stored: StoredEvent, attachments: StoredEvent['attachments']): void {
  walk.events += 1;
  for (const { collection, id, version } of attachments) walk.inLog.add(collection, id, version, stored.position);
  const definition = definitionOf(walk.core.events, stored.type);
  const { position } = stored;
  try {
    const event = eventFromStore(walk.core.events, stored, stored.commit.time);
    if (definition?.version === stored.schemaVersion) checkShape(walk, definition, event, position);
    checkAttached(walk, stored, attachments, event);
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

function checkAttached(walk: Walk, stored: StoredEvent, documents: readonly DocumentRef[], event: AnyEvent): void {
  const { type, schemaVersion, position } = stored;
  // A dropped event is attached as it was.
  if (event.type === DROPPED) return;
  const attached = textOf(documents);
  const asStored = (): FoundByKeys => foundIn(walk, eventFromStore(AS_STORED, stored, stored.commit.time), type);
  // Before its type was declared, an event was attached as it was called then.
  const found = event.type === UNDECLARED ? asStored() : foundIn(walk, event, type);
  if (attached === found.attached) return;
  const newest = definitionOf(walk.core.events, type)?.version ?? schemaVersion;
  const byUpcast = schemaVersion < newest && event.type !== UNDECLARED && asStored().attached === attached;
  if (byUpcast && walk.otherIds.has(type)) return;
  if (byUpcast) walk.otherIds.add(type);
  note(walk, {
    code: 'Attachments',
    position,
    message: byUpcast
      ? `The event ${event.type} at position ${position} was stored at version ${schemaVersion} and is attached to ${attached}, but in the shape of version ${newest} ${found.said} An upcast must not change ids.`
      : `The event at position ${position} is attached to ${attached}, but ${found.said}`,
  });
}

interface FoundByKeys {
  /** Undefined if they refuse it. */
  readonly attached?: string;
  readonly said: string;
}

/** What the keys find in an event. An older release may have stored an event that they refuse now: then their error. */
function foundIn({ attacher }: Walk, event: AnyEvent, stored: string): FoundByKeys {
  try {
    const attached = textOf(attacher.attach(event, stored));
    return { attached, said: `the keys find ${attached}.` };
  } catch (error) {
    if (!hasCode(error, 'InvalidEvent')) throw error;
    return { said: `the keys can't look into it: ${error.message}` };
  }
}

/** Reports each type once. */
function checkShape(walk: Walk, definition: EventDefinition, event: AnyEvent, position: number): void {
  const { type, version } = definition;
  if (walk.otherShapes.has(type)) return;
  const problem = shapeProblem(definition, event);
  if (problem === undefined) return;
  walk.otherShapes.add(type);
  const raised = `event(schema, { version: ${version + 1}, upcast: { ${version}: (old) => … } })`;
  const message = `The event ${type} at position ${position} was stored at version ${version}, and ${problem}. Raise the version, with an upcast from ${version}: ${raised}.`;
  note(walk, { code: 'Schema', position, message });
}

/** Documents in one order, so that the same documents have the same text. */
function textOf(attachments: readonly DocumentRef[]): string {
  return attachments.map(attachmentText).sort().join(', ') || 'nothing';
}
