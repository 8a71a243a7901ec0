/** Drafting a batch: decides commands one after the other, each on the state its predecessors left. */
import { Conflict, hasCode, InvalidInput } from '../../errors.ts';
import type { CommandDefinition } from '../../model/command.ts';
import { decide, errored, foresee, type Asked, type Deciding, type Decision, type Rules } from '../../model/decide.ts';
import type { AnyRef, Read } from '../../model/reads.ts';
import { readOf } from '../../model/reduce.ts';
import { commitDigest } from '../../store/chain.ts';
import type { Batch, Commit, DocumentRef, Session } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Entry } from './entry.ts';
import { concernsAll } from '../concerns-all.ts';
import { unknownCollection } from '../not-given.ts';
import { WorkingSet, type Footing, type Working } from './working-set.ts';

/** A batch ready to be sent, and what is needed to answer its callers. */
export interface Draft {
  /** Undefined if there is nothing to store. */
  readonly batch: Batch | undefined;
  readonly working: WorkingSet;
  /** In the order of the batch's commits and of its reads. */
  readonly drafted: readonly Drafted[];
  /** What is decided and not to be stored: to be answered once what it rests on is known to hold. */
  readonly unrecorded: readonly Drafted[];
  readonly reads: readonly Working[];
  /**
   * Entries that can't be decided (a document in `unchanged` has changed, or can't be read; the input holds an id that is
   * none): to be refused, unless the ledger knows them already.
   */
  readonly conflicts: readonly Refusal[];
  /** Entries that are to be decided after this batch: it is full, or what they ask for depends on it. */
  readonly left: readonly Entry[];
  /** Whether some of them are left because it is full. */
  readonly isFull: boolean;
  /** Entries that wait for documents that take long to load. */
  readonly late: readonly Late[];
}

export interface Drafted {
  readonly entry: Entry;
  readonly decision: Decision;
  readonly time: number;
  /** How many commits of the batch come before it. */
  readonly after: number;
  /** What it rests on, by places in the draft's `reads`. */
  readonly rests: readonly number[];
}

export interface Late {
  readonly entry: Entry;
  readonly documents: readonly DocumentRef[];
}

interface Refusal {
  readonly entry: Entry;
  readonly error: unknown;
}

export interface DraftOptions extends Footing {
  /** Until when others may be kept waiting, by `runtime.elapsed()`. One is decided even then. */
  readonly until?: number;
  /** How much of what a batch may cost these may take up; one command may take up more. All. */
  readonly part?: number;
}

interface Started {
  readonly entry: Entry;
  readonly asked: Asked;
  readonly deciding: Deciding;
  first: IteratorResult<readonly AnyRef[], Decision>;
}

/** How much of the time for deciding may go by before it begins: what was started is to be decided as well. */
const START_PART = 0.5;
/** How often a command waits for a document that takes long to load. */
const WAITS_MAX = 4;

// Commands that were seen to ask in more than one stage: their later stages are worth fetching ahead.
const staged = new WeakSet<CommandDefinition>();

/**
 * Decides the entries, as many as fit into a batch. Those that turn out to be no command (an id in the input that is none)
 * are rejected here, unless the ledger may know them. What goes wrong with one of them concerns it alone.
 *
 * @throws StoreUnavailable, HistoryDiverged from loading
 */
export async function draftBatch(
  core: Core,
  io: Pick<Session, 'load' | 'commits'>,
  entries: readonly Entry[],
  { ground, late, until = Infinity, part = 1 }: DraftOptions,
): Promise<Draft> {
  const { generation, attacher, handled } = core.membership;
  const { limits } = core;
  const rules: Rules = { events: core.events, attacher, handled, limits };
  const working = new WorkingSet(core, io, { ground, late });
  let stint = new Stint(core, until);
  let begun = startAll(core, entries, rules, stint, part);
  await fetchAhead(core, working, begun, rules, stint);
  // What came in is newer than the time to decide at: a decision is never made before what it rests on. Nearly always
  // the same is asked for at a later time, and is there already.
  if (core.watermark.seen.recordedAt > begun.time) {
    stint = new Stint(core, until);
    begun = startAll(core, entries, rules, stint, part);
    await fetchAhead(core, working, begun, rules, stint);
  }
  const { time, started, refused: conflicts } = begun;
  const drafted: Drafted[] = [];
  const unrecorded: Drafted[] = [];
  const commits: Commit[] = [];
  const reads: Working[] = [];
  const left: Entry[] = [];
  const lates: Late[] = [];
  let full = false;
  let [bytes, attachments, asked, decided, spent] = [0, 0, 0, 0, 0];
  all: for (const one of started) {
    const { entry } = one;
    // Its caller gave up while documents were loaded: nothing comes of it.
    if (entry.settled) continue;
    full ||= bytes >= limits.batchBytesMax || asked >= limits.batchReadsMax || (part < 1 && spent >= part);
    // One that reads nothing is decided by now: later it would have to be decided again.
    full ||= decided > 0 && !one.first.done && stint.isOver();
    if (full) {
      left.push(entry);
      continue;
    }
    const [bytesBefore, attachmentsBefore, askedBefore] = [bytes, attachments, asked];
    const ground = new Rested();
    try {
      const documents = working.lateOf(
        one.first.done ? entry.request.unchanged : [...entry.request.unchanged, ...known(core, one.first.value)],
      );
      if (documents.length > 0) {
        lates.push({ entry, documents });
        continue;
      }
      const found = unchangedOf(entry, working, ground);
      if (found === 'tentative') left.push(entry);
      else if (found !== 'unchanged') conflicts.push({ entry, error: found });
      if (found !== 'unchanged') continue;
      asked += entry.request.unchanged.length;
      let step = one.first;
      for (let stage = 1; !step.done; stage += 1) {
        if (stage === 2) staged.add(one.asked.command);
        asked += step.value.length;
        // Nearly always everything is there already, and waiting for nothing isn't free.
        if (!step.value.every((ref) => working.find(ref))) {
          const all = isToBeWhole(entry);
          // Stage by stage a single command could keep all others waiting.
          const later = !all && stint.hasWaited;
          const waited = await stint.wait(working.bring(known(core, step.value), { all, later }));
          entry.batchPart += waited;
          entry.waitPart += waited;
          const documents = working.lateOf(known(core, step.value));
          if (documents.length > 0) {
            lates.push({ entry, documents });
            continue all;
          }
        }
        // Also what a later stage brought in may be newer.
        if (core.watermark.seen.recordedAt > time || entry.settled) break;
        step = proceed(one.deciding, step.value, working, core, ground);
      }
      decided += 1;
      if (!step.done || core.watermark.seen.recordedAt > time) {
        entry.tries += 1;
        left.push(entry);
        continue;
      }
      const more = attachmentsOf(step.value);
      if (attachments > 0 && attachments + more > limits.batchAttachmentsMax) {
        full = true;
        left.push(entry);
        continue;
      }
      const { decision, commit } = takenIn(entry, step.value, one.asked, working, time, rules, ground);
      for (const event of decision.events) bytes += event.bytes;
      attachments += more;
      const rests = ground.documents.map((document) => (document.row ??= reads.push(document) - 1));
      (commit ? drafted : unrecorded).push({ entry, decision, time, after: commits.length, rests });
      if (commit) commits.push(Object.assign(commit, { reads: rests }));
    } catch (error) {
      if (concernsAll(error)) throw error;
      conflicts.push({ entry, error });
    } finally {
      entry.batchPart += Math.max(
        stint.part(),
        (bytes - bytesBefore) / limits.batchBytesMax,
        (attachments - attachmentsBefore) / limits.batchAttachmentsMax,
        (asked - askedBefore) / limits.batchReadsMax,
      );
      spent += entry.batchPart;
    }
  }
  const isFull = full || begun.left.length > 0;
  for (const entry of begun.left) left.push(entry);
  const batch: Batch = {
    // As it is now: documents may have come in from a later end of the log than was seen when drafting began.
    seen: core.watermark.seen,
    generation,
    handled: core.handled,
    reads: reads.map(({ collection, id, stored }) => ({ collection: collection.name, id, version: stored.version })),
    commits,
  };
  return {
    batch: commits.length > 0 ? batch : undefined,
    working,
    drafted,
    unrecorded,
    reads,
    conflicts,
    left,
    isFull,
    late: lates,
  };
}

/** What one command rests on, each document once: marked there, as a set for each command would cost all of them. */
class Rested {
  readonly documents: Working[] = [];

  add(document: Working): void {
    if (document.ground === this) return;
    document.ground = this;
    this.documents.push(document);
  }
}

/** How long commands have been decided in one piece: others get their turn while documents are waited for. */
class Stint {
  readonly #elapsed: () => number;
  readonly #max: number;
  readonly #until: number;
  #since: number;
  #waited = 0;
  /** As of when it was looked at last. */
  #now: number;

  constructor({ runtime, limits }: Core, until: number) {
    this.#elapsed = runtime.elapsed;
    this.#max = limits.batchDecideMs;
    this.#until = until;
    this.#now = this.#since = runtime.elapsed();
  }

  /** Whether a part of the time that there is for it had passed, when it was looked at last. */
  isOver(part = 1): boolean {
    return this.#now - this.#since >= this.#max * part || this.#now >= this.#until;
  }

  /** Which part of that time has passed since it was looked at last. */
  part(): number {
    const before = this.#now;
    this.#now = this.#elapsed();
    return (this.#now - before) / this.#max;
  }

  /** Whether documents have been waited for as long as commands may be decided. */
  get hasWaited(): boolean {
    return this.#waited >= this.#max;
  }

  /** Which part of that time it took. */
  async wait(work: Promise<void>): Promise<number> {
    const before = this.#elapsed();
    await work;
    const waited = this.#elapsed() - before;
    this.#since += waited;
    this.#now += waited;
    this.#waited += waited;
    return waited / this.#max;
  }
}

interface Begun {
  readonly time: number;
  readonly started: readonly Started[];
  readonly refused: Refusal[];
  /** Entries that were not started: those before ask for as many documents as a batch may, or took long. */
  readonly left: readonly Entry[];
}

/** Starts those that wait still, at the later of the clock and the newest time seen in the log. */
function startAll(core: Core, entries: readonly Entry[], rules: Rules, stint: Stint, part: number): Begun {
  const time = Math.max(core.runtime.now(), core.watermark.seen.recordedAt);
  const begun = { time, started: [] as Started[], refused: [] as Refusal[], left: [] as Entry[] };
  let [asked, tried] = [0, 0];
  for (const entry of entries) {
    if (entry.settled) continue;
    const isFull = asked >= core.limits.batchReadsMax * part || (tried > 0 && stint.isOver(START_PART * part));
    if (begun.left.length > 0 || isFull) {
      begun.left.push(entry);
      continue;
    }
    tried += 1;
    const one = start(entry, time, rules, begun.refused);
    entry.batchPart += stint.part();
    if (!one) continue;
    begun.started.push(one);
    asked += entry.request.unchanged.length + (one.first.done ? 0 : one.first.value.length);
  }
  return begun;
}

/** Runs a command up to its first stage of reads, which rests on the input alone. */
function start(entry: Entry, time: number, rules: Rules, refused: Refusal[]): Started | undefined {
  const { command, facts, input } = entry.request;
  const asked: Asked = { command, input, id: facts.id, time, actor: facts.actor, prepared: entry.prepared };
  const deciding = decide(asked, rules);
  try {
    return { entry, asked, deciding, first: deciding.next() };
  } catch (error) {
    // An earlier release may have executed one whose id was given.
    if (entry.request.named || entry.inDoubt) refused.push({ entry, error });
    else entry.reject(error);
    return undefined;
  }
}

/** What it asks for was loaded several times, and something else pushed it out of the cache before its turn: it is waited for. */
function isToBeWhole({ waited }: Entry): boolean {
  if (waited) for (const times of waited.times.values()) if (times >= WAITS_MAX) return true;
  return false;
}

/** Brings in what the commands will ask for: each stage, over the whole batch, in one call to the store. */
async function fetchAhead(
  core: Core,
  working: WorkingSet,
  { started }: Begun,
  rules: Rules,
  stint: Stint,
): Promise<void> {
  const wanted: DocumentRef[] = [];
  const wantedAll: DocumentRef[] = [];
  for (const { entry, first } of started) {
    if (entry.waited) working.offer(entry.waited.brought);
    const into = isToBeWhole(entry) ? wantedAll : wanted;
    for (const document of entry.request.unchanged) {
      working.expect(document);
      into.push(document);
    }
    if (!first.done) for (const ref of known(core, first.value)) into.push(ref);
  }
  if (wantedAll.length > 0) await stint.wait(working.bring(wantedAll, { all: true }));
  await stint.wait(working.bring(wanted, { all: false }));
  let asked = wantedAll.length + wanted.length;
  let ahead: { readonly entry: Entry; readonly stages: ReturnType<typeof foresee>; step: Foreseen }[] = [];
  for (const { entry, first, asked } of started) {
    if (first.done || !staged.has(asked.command) || stint.isOver(START_PART)) continue;
    const stages = foresee(asked, rules);
    ahead.push({ entry, stages, step: stages.next() });
    entry.batchPart += stint.part();
  }
  for (;;) {
    ahead = ahead.filter(({ step }) => !step.done && step.value.every((ref) => usable(working, ref)));
    if (ahead.length === 0) return;
    const next: DocumentRef[] = [];
    for (const one of ahead) {
      // What was started is to be decided as well.
      if (asked >= core.limits.batchReadsMax || stint.isOver(START_PART) || stint.hasWaited) return;
      one.step = one.stages.next(
        (one.step.value as readonly AnyRef[]).map((ref) => readOf(ref.id, working.find(ref)!.now)),
      );
      one.entry.batchPart += stint.part();
      if (one.step.done) continue;
      asked += one.step.value.length;
      for (const ref of known(core, one.step.value)) next.push(ref);
    }
    await stint.wait(working.bring(next, { all: false }));
  }
}

type Foreseen = ReturnType<ReturnType<typeof foresee>['next']>;

function attachmentsOf({ events }: Decision): number {
  let attachments = 0;
  for (const event of events) attachments += event.attachments.length;
  return attachments;
}

/** The documents of a decision take its events in. One that can't decides what comes of the command, which rests on it then. */
function takenIn(
  entry: Entry,
  decided: Decision,
  asked: Asked,
  working: WorkingSet,
  time: number,
  rules: Rules,
  ground: Rested,
): { readonly decision: Decision; readonly commit: Omit<Commit, 'reads'> | undefined } {
  const commit = decided.record ? commitOf(entry, decided, time) : undefined;
  const refusal = working.commit(decided.events, time);
  if (!refusal) return { decision: decided, commit };
  // An event that a document it rests on can't take in would make that document unreadable: it isn't stored.
  ground.add(refusal.by);
  const decision = errored(asked, refusal.error, rules);
  return { decision, commit: commitOf(entry, decision, time) };
}

function known(core: Core, refs: readonly AnyRef[]): readonly AnyRef[] {
  const isKnown = ({ collection }: AnyRef): boolean => core.collections.has(collection);
  return refs.every(isKnown) ? refs : refs.filter(isKnown);
}

function usable(working: WorkingSet, ref: AnyRef): boolean {
  const found = working.find(ref);
  return found !== undefined && found.error === undefined;
}

/**
 * Whether the documents in `unchanged` are: a conflict if what is stored has moved on. If only the batch itself would
 * move them, nothing can be said before it is stored.
 */
function unchangedOf({ request }: Entry, working: WorkingSet, ground: Rested): 'unchanged' | 'tentative' | Conflict {
  let unchanged: 'unchanged' | 'tentative' = 'unchanged';
  for (const document of request.unchanged) {
    const { collection, id, version } = document;
    const found = working.find(document)!;
    if (found.error !== undefined) throw found.error;
    if (found.stored.version < version) {
      throw new InvalidInput(
        `Command ${request.command.name}: ${collection} ${JSON.stringify(id)} in unchanged has no version ${version} yet: it is at ${found.stored.version}.`,
        { path: 'unchanged', collection, id, version, head: found.stored.version },
      );
    }
    if (found.stored.changed > version) {
      return new Conflict(
        `Command ${request.command.name}: ${collection} ${JSON.stringify(id)} has changed since version ${version}. Nothing was recorded: read it again, and decide again.`,
        { collection, id, version, changed: found.stored.changed },
      );
    }
    if (found.now.changed > version) unchanged = 'tentative';
    ground.add(found);
  }
  return unchanged;
}

/** Takes a command one stage further: gives it the documents it asked for, as the batch has left them so far. */
function proceed(
  deciding: Deciding,
  refs: readonly AnyRef[],
  working: WorkingSet,
  core: Core,
  ground: Rested,
): IteratorResult<readonly AnyRef[], Decision> {
  const found: Read<unknown>[] = [];
  for (const ref of refs) {
    if (!core.collections.has(ref.collection)) return deciding.throw(unknownCollection(ref.collection));
    const document = working.find(ref)!;
    if (document.error !== undefined) {
      // The user's code that fails is recorded; a log that this code is too old for, or a damaged one, is not.
      const { error } = document;
      if (document.refusesBatch) ground.add(document);
      if (!hasCode(error, 'ReducerFailed', 'UpcastFailed')) throw error;
      return deciding.throw(error);
    }
    ground.add(document);
    found.push(readOf(document.id, document.now));
  }
  return deciding.next(found);
}

function commitOf(
  entry: Entry,
  { outcome, final, reason, details, events }: Decision,
  time: number,
): Omit<Commit, 'reads'> {
  const commit = { command: entry.request.facts, outcome, final, reason, details, time, events };
  return Object.assign(commit, { digest: commitDigest(commit) });
}
