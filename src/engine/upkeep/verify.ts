/**
 * Verifying a log (law 9): the chain, the positions, what is attached to what, and every document folded again.
 * Memory stays flat: the log is walked once in its order, then the documents one after the other.
 */
import { hasCode, InvalidInput, isTidemarkError, LogCorrupt, type TidemarkError } from '../../errors.ts';
import { optionsOf } from '../../options.ts';
import type { Attacher } from '../../model/attach.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import { DROPPED, UNDECLARED, type AnyEvent, type EventDefinition } from '../../model/event.ts';
import { thrown } from '../../model/foreign.ts';
import { canonicalJson } from '../../model/json.ts';
import { unborn, type Folded } from '../../model/reduce.ts';
import { GENESIS_HASH, chainHash, commitDigest } from '../../store/chain.ts';
import type {
  DocumentHead,
  DocumentRef,
  EventPage,
  LogEnd,
  LogPoint,
  StoredCommit,
  StoredEvent,
} from '../../store/store.ts';
import { PAGE_ROWS_MAX } from '../../store/store.ts';
import { AttachmentSum } from './attachment-sum.ts';
import { membershipOf, type Core } from '../core.ts';
import { eventReader, foldEvents, type ReadEvent } from '../reading/fold-events.ts';
import { isUnknown } from '../held-types.ts';
import { givingWay } from '../giving-way.ts';
import type { InTurn } from '../in-turn.ts';
import { holdsPoint, logPoint } from '../reading/point.ts';
import type { ReadingSession } from '../until-closed.ts';
import { AS_STORED, eventFromStore, placed } from '../reading/recorded.ts';
import { shapeProblem } from './stored-shape.ts';

export interface VerifyOptions {
  /** A point that the log must hold: kept elsewhere from an earlier `status()` or `verify()`. */
  readonly expect?: LogPoint | undefined;
}

/** What is wrong, and where. */
export interface Problem {
  /** `HistoryDiverged` for a point that the log doesn't hold; otherwise what was looked at. */
  readonly code:
    'HistoryDiverged' | 'Store' | 'Chain' | 'Order' | 'Attachments' | 'Document' | 'UnknownType' | 'Schema';
  readonly message: string;
  readonly position?: number;
  readonly collection?: string;
  readonly id?: string;
}

/** What `verify` found. */
export interface Verification {
  /** Whether there is no problem. */
  readonly ok: boolean;
  /** The end of the log that was verified: keep it elsewhere, as the next `expect`. */
  readonly position: number;
  readonly hash: string;
  readonly commits: number;
  readonly events: number;
  /** Documents that there were at that end, and were folded again by the reducers of this application. */
  readonly documents: number;
  /** Of these, those that were compared with what the application holds in memory. */
  readonly compared: number;
  /** The first hundred. */
  readonly problems: readonly Problem[];
}

const PROBLEMS_MAX = 100;
/** Events of a page: what is looked at in one go, and holds the event loop for so long. */
const PAGE = 200;
/** Documents whose events are loaded together. */
const DOCUMENTS_PAGE = 200;
/** Events and attachments that are looked at between two turns of the event loop: about a millisecond's work. */
const LOOKS_A_TURN = 100;

interface Walk {
  readonly core: Core;
  readonly reads: ReadingSession;
  readonly end: LogEnd;
  /** Without a bound on attachments: what is stored was within the bound of its time. */
  readonly attacher: Attacher;
  readonly problems: Problem[];
  /** Why a document could not be looked at, for a reason that says nothing about the log: code that is older than it. */
  unable: TidemarkError | undefined;
  /** What the log says is attached, and what the documents have: equal if the index is whole. */
  readonly inLog: AttachmentSum;
  readonly inDocuments: AttachmentSum;
  /** Types of which an event isn't what the schema promises. */
  readonly otherShapes: Set<string>;
  /** Types of which an upcast event has other ids than it was attached by. */
  readonly otherIds: Set<string>;
  /** Types that this code doesn't know, and that were met. */
  readonly unknownTypes: Set<string>;
  /** Since the last turn of the event loop. */
  looks: number;
  commits: number;
  events: number;
  documents: number;
  compared: number;
}

export async function verifyLog(core: Core, long: InTurn, options?: VerifyOptions): Promise<Verification> {
  const { expect } = optionsOf<VerifyOptions>('verify', options, { expect: logPoint }, InvalidInput);
  return long.run(() => verified(core, expect));
}

async function verified(core: Core, expect: VerifyOptions['expect']): Promise<Verification> {
  core.watermark.assertWhole();
  const reads = givingWay(core);
  const before = core.watermark.seen;
  const { end } = await reads.load([]);
  await core.watermark.observe(before, end, reads);
  const walk: Walk = {
    core,
    reads,
    end,
    attacher: membershipOf(await reads.registry(), core.collections, Infinity).attacher,
    problems: [],
    unable: undefined,
    inLog: new AttachmentSum(),
    inDocuments: new AttachmentSum(),
    otherShapes: new Set(),
    otherIds: new Set(),
    unknownTypes: new Set(),
    looks: 0,
    commits: 0,
    events: 0,
    documents: 0,
    compared: 0,
  };
  await contained(walk, 'Store', () => checkStore(walk));
  if (expect) await contained(walk, 'HistoryDiverged', () => checkPoint(walk, expect));
  await contained(walk, 'Chain', () => walkLog(walk));
  await contained(walk, 'Document', () => walkDocuments(walk));
  if (!walk.inLog.equals(walk.inDocuments)) await contained(walk, 'Attachments', () => locate(walk));
  const { commits, events, documents, compared, problems } = walk;
  // Where something is known to be wrong that is what there is to say.
  if (walk.unable && problems.length === 0) throw walk.unable;
  return {
    ok: problems.length === 0,
    position: end.position,
    hash: end.hash,
    commits,
    events,
    documents,
    compared,
    problems,
  };
}

function note(walk: Walk, problem: Problem): void {
  if (walk.problems.length < PROBLEMS_MAX) walk.problems.push(problem);
}

/**
 * Damage may make the store itself throw: that is a finding, not the end of verifying. Whatever else keeps a look from being
 * made says nothing about the log, and is thrown by its own name.
 */
async function contained(walk: Walk, code: Problem['code'], part: () => Promise<void>): Promise<void> {
  try {
    await part();
  } catch (error) {
    if (!hasCode(error, 'LogCorrupt')) throw error;
    const { position, collection, id } = error.details as { position?: number; collection?: string; id?: string };
    note(walk, {
      code,
      message: error.message,
      ...(position !== undefined && { position }),
      ...(collection !== undefined && { collection }),
      ...(id !== undefined && { id }),
    });
  }
}

async function checkStore(walk: Walk): Promise<void> {
  for (const message of await walk.reads.check()) note(walk, { code: 'Store', message });
}

async function checkPoint(walk: Walk, expect: LogPoint): Promise<void> {
  if (await holdsPoint(walk.reads, expect)) return;
  note(walk, {
    code: 'HistoryDiverged',
    position: expect.position,
    message: `The log doesn't hold position ${expect.position} with the hash ${expect.hash}: it ends at ${walk.end.position}. An older copy stands in its place, or another log.`,
  });
}

// --- The log, in its order -----------------------------------------------------------------------------------------------

async function walkLog(walk: Walk): Promise<void> {
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

/** Whether it is time to let others have their turn. */
function isTurn(walk: Walk, looks: number): boolean {
  walk.looks += looks;
  if (walk.looks < LOOKS_A_TURN) return false;
  walk.looks = 0;
  return true;
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

/** What is found to be wrong with an event or a document: damage, or the user's code, which can't take what is stored. */
const FINDINGS: ReadonlySet<string> = new Set(['LogCorrupt', 'ReducerFailed', 'UpcastFailed', 'InvalidEvent']);

/** Tells of what reading one event or folding one document has thrown, if that is a finding. */
function judge(walk: Walk, error: unknown, tell: (what: string) => void): void {
  if (isTidemarkError(error) && !FINDINGS.has(error.code)) walk.unable ??= error;
  else tell(thrown(error));
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
  const asStored = (): Found => foundIn(walk, eventFromStore(AS_STORED, stored, stored.commit.time));
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
interface Found {
  /** Undefined if they refuse it. */
  readonly attached?: string;
  readonly said: string;
}

/** What the keys find in an event. An older release may have stored what they refuse now: then that is what they say. */
function foundIn({ attacher }: Walk, event: AnyEvent): Found {
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

function attachmentText({ collection, id }: DocumentRef): string {
  return `${collection} ${JSON.stringify(id)}`;
}

// --- The documents -----------------------------------------------------------------------------------------------------------

async function walkDocuments(walk: Walk): Promise<void> {
  let after: DocumentHead | undefined;
  for (;;) {
    const page = await walk.reads.documents({ after, limit: DOCUMENTS_PAGE });
    if (page.length === 0) return;
    await foldAgain(walk, page);
    after = page.at(-1);
  }
}

interface Folding {
  readonly ref: DocumentRef;
  /** Undefined for a collection that this application has no reducers for: its versions are checked all the same. */
  folded: Folded | undefined;
  version: number;
  /** Whether it stood in memory at one of its versions. */
  compared: boolean;
}

async function foldAgain(walk: Walk, page: readonly DocumentHead[]): Promise<void> {
  const { core, reads, end } = walk;
  let open: Folding[] = page.map(({ collection, id }) => {
    const definition = core.collections.get(collection);
    return { ref: { collection, id }, folded: definition && born(walk, definition, id), version: 0, compared: false };
  });
  while (open.length > 0) {
    const loaded = await reads.load(
      open.map(({ ref, version }) => ({ ...ref, after: version })),
      { asOf: end.position },
    );
    const incomplete: Folding[] = [];
    const read = eventReader(core);
    for (const [index, { head, events }] of loaded.documents.entries()) {
      const folding = open[index]!;
      const { collection, id } = folding.ref;
      const wrong = (message: string): void => note(walk, { code: 'Document', collection, id, message });
      for (const event of events) {
        folding.version += 1;
        if (event.version !== folding.version) {
          wrong(
            `The versions of ${attachmentText(folding.ref)} are not dense: ${event.version} stands where ${folding.version} should.`,
          );
          folding.version = event.version;
          folding.folded = undefined;
        }
        walk.inDocuments.add(collection, id, event.version, event.position);
        foldOne(walk, folding, read, event, wrong);
        if (isTurn(walk, 1)) await core.runtime.turn();
      }
      if (folding.version < head && events.length > 0) incomplete.push(folding);
      else if (folding.version < head && index === 0)
        wrong(
          `${attachmentText(folding.ref)} is at version ${head}, but only ${folding.version} events are attached to it.`,
        );
      else if (folding.version < head) incomplete.push(folding);
      // Without a head it was made after the end that is verified.
      else if (folding.folded && head > 0) {
        walk.documents += 1;
        if (folding.compared) walk.compared += 1;
      }
    }
    open = incomplete;
  }
}

function born(walk: Walk, collection: CollectionDefinition, id: string): Folded | undefined {
  try {
    return unborn(collection, id);
  } catch (error) {
    judge(walk, error, (message) => note(walk, { code: 'Document', collection: collection.name, id, message }));
    return undefined;
  }
}

/** Folds one event more, and compares with the cache where that stands at the same version. */
function foldOne(
  walk: Walk,
  folding: Folding,
  read: ReadEvent,
  event: Parameters<typeof foldEvents>[4][number],
  wrong: (message: string) => void,
): void {
  const { core } = walk;
  const { collection, id } = folding.ref;
  const definition = core.collections.get(collection);
  if (!definition || !folding.folded) return;
  const { folded, error } = foldEvents(read, definition, id, folding.folded, [event]);
  if (error !== undefined) {
    judge(walk, error, (what) =>
      wrong(`${attachmentText(folding.ref)} can't be folded beyond version ${folded.version}: ${what}`),
    );
    folding.folded = undefined;
    return;
  }
  folding.folded = folded;
  const cached = core.cache.get(collection, id);
  if (cached?.version !== folded.version) return;
  folding.compared = true;
  if (cached.changed !== folded.changed || canonicalJson(cached.state) !== canonicalJson(folded.state)) {
    wrong(
      `${attachmentText(folding.ref)} at version ${folded.version} is not what its events fold to: the reducers are not pure, or the log was changed.`,
    );
  }
}

/** The sums differ: finds out where, document by document. */
async function locate(walk: Walk): Promise<void> {
  const found = walk.problems.length;
  let after: DocumentHead | undefined;
  for (;;) {
    const page = await walk.reads.documents({ after, limit: DOCUMENTS_PAGE });
    for (const { collection, id } of page) {
      let next: number | undefined = 0;
      let version = 0;
      while (next !== undefined && walk.problems.length < PROBLEMS_MAX) {
        const events = await walk.reads.read({
          document: { collection, id },
          after: next,
          limit: PAGE_ROWS_MAX,
        });
        for (const { position, attachments } of events.events) {
          version += 1;
          const said = attachments.find((one) => one.collection === collection && one.id === id);
          if (position > walk.end.position || said?.version === version) continue;
          note(walk, {
            code: 'Attachments',
            position,
            collection,
            id,
            message: `${attachmentText({ collection, id })} has the event at position ${position} as its version ${version}, which ${
              said ? `says that it is version ${said.version}` : 'is not attached to it'
            }.`,
          });
        }
        next = events.next;
      }
    }
    after = page.at(-1);
    if (!after) break;
  }
  if (walk.problems.length === found) {
    note(walk, {
      code: 'Attachments',
      message: 'The events of the documents are not those that the log says are attached to them.',
    });
  }
}
