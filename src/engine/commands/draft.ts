/** Drafting a batch: decides commands one after the other, each on the state its predecessors left. */
import { errored, type CommandCall, type Decision, type Rules } from '../../model/decide.ts';
import type { AnyRef } from '../../model/reads.ts';
import { commitDigest } from '../../store/chain.ts';
import type { Batch, Commit, DocumentRef } from '../../store/store.ts';
import { concernsAll } from '../outage.ts';
import type { Core } from '../core.ts';
import type { LoadingCalls } from '../reading/document-reader.ts';
import type { Entry } from './entry.ts';
import { Grounds, proceed, unchangedOf } from './grounds.ts';
import { fetchAhead, isToBeWhole, known, staged, startAll, type Begun, type Refusal, type Started } from './start.ts';
import { WorkingSet, type Footing, type Working } from './working-set.ts';

/** A batch ready to be sent, and what is needed to answer its callers. */
export interface Draft {
  /** Undefined if there is nothing to store. */
  readonly batch: Batch | undefined;
  readonly working: WorkingSet;
  /** In the order of the batch's commits and of its reads. */
  readonly drafted: readonly Drafted[];
  /** Decided, but not to be stored: answered once their ground is known to hold. */
  readonly unrecorded: readonly Drafted[];
  readonly reads: readonly Working[];
  /** Entries that can't be decided, with the error: refused, unless the ledger knows them already. */
  readonly conflicts: readonly Refusal[];
  /** Entries for a later batch: this one is full, or they depend on it. */
  readonly left: readonly Entry[];
  readonly isFull: boolean;
  readonly late: readonly Late[];
}

export interface Drafted {
  readonly entry: Entry;
  readonly decision: Decision;
  readonly time: number;
  /** The number of commits before it in the batch. */
  readonly after: number;
  /** Its ground: indexes into the draft's `reads`. */
  readonly reads: readonly number[];
}

export interface Late {
  readonly entry: Entry;
  readonly documents: readonly DocumentRef[];
}

export interface DraftOptions extends Footing {
  /** When deciding must end, by `runtime.elapsed()`. One command is decided even then. */
  readonly until?: number;
  /** The part of a batch's cost that these may take up; a single command may take more. 1 by default. */
  readonly part?: number;
}

/**
 * Decides as many entries as fit into a batch. One with an invalid id in its input is rejected here, unless the ledger may know
 * it. An error of one entry concerns it alone.
 *
 * @throws StoreUnavailable, HistoryDiverged from loading
 */
export async function draftBatch(
  core: Core,
  io: LoadingCalls,
  entries: readonly Entry[],
  { ground, late, until = Infinity, part = 1 }: DraftOptions,
): Promise<Draft> {
  const { generation, attacher, handled } = core.membership;
  const rules: Rules = { events: core.domain.events, attacher, handled, limits: core.limits };
  const working = new WorkingSet(core, io, { ground, late });
  const begin = async (): Promise<Begun> => {
    const begun = startAll(core, entries, rules, until, part);
    await fetchAhead(core, working, begun, rules);
    return begun;
  };
  let begun = await begin();
  // A decision is never made at a time before what it rests on. Nearly always the same documents are asked for again, and are
  // here already.
  if (core.watermark.seen.recordedAt > begun.time) begun = await begin();
  const drafting = new Drafting(core, rules, working, begun, part);
  await drafting.decideAll(begun.started);
  return drafting.draft(generation);
}

class Drafting {
  readonly #core: Core;
  readonly #rules: Rules;
  readonly #working: WorkingSet;
  readonly #begun: Begun;
  readonly #part: number;
  readonly #drafted: Drafted[] = [];
  readonly #unrecorded: Drafted[] = [];
  readonly #commits: Commit[] = [];
  readonly #reads: Working[] = [];
  readonly #left: Entry[] = [];
  readonly #late: Late[] = [];
  #isFull = false;
  #bytes = 0;
  #attachments = 0;
  #asked = 0;
  #decided = 0;
  #spent = 0;

  constructor(core: Core, rules: Rules, working: WorkingSet, begun: Begun, part: number) {
    this.#core = core;
    this.#rules = rules;
    this.#working = working;
    this.#begun = begun;
    this.#part = part;
  }

  async decideAll(started: readonly Started[]): Promise<void> {
    for (const one of started) {
      const { entry } = one;
      // Its caller gave up while documents were loaded.
      if (entry.settled) continue;
      if (this.#isFullFor(one)) {
        this.#left.push(entry);
        continue;
      }
      const [bytes, attachments, asked] = [this.#bytes, this.#attachments, this.#asked];
      const grounds = new Grounds();
      try {
        let step = this.#begin(one, grounds);
        while (step && !step.done) {
          // Nearly always everything is here already, and waiting for nothing isn't free.
          const isHere = step.value.every((ref) => this.#working.find(ref)) || (await this.#bring(entry, step.value));
          // A later stage may be newer too.
          if (isHere && (this.#isOutdated || entry.settled)) break;
          step = isHere ? this.#next(one, step.value, grounds) : undefined;
        }
        if (step) this.#end(one, step, grounds);
      } catch (error) {
        if (concernsAll(error)) throw error;
        this.#begun.refused.push({ entry, error });
      } finally {
        this.#charge(entry, this.#bytes - bytes, this.#attachments - attachments, this.#asked - asked);
      }
    }
  }

  #isFullFor({ first }: Started): boolean {
    const { limits } = this.#core;
    this.#isFull ||= this.#bytes >= limits.batchBytesMax || this.#asked >= limits.batchReadsMax;
    this.#isFull ||= this.#part < 1 && this.#spent >= this.#part;
    // A command that reads nothing is decided now: later it would have to be decided again.
    this.#isFull ||= this.#decided > 0 && !first.done && this.#begun.stint.isOver();
    return this.#isFull;
  }

  /** Whether a document that was read is newer than the time of the decisions. */
  get #isOutdated(): boolean {
    return this.#core.watermark.seen.recordedAt > this.#begun.time;
  }

  /** The first stage of its reads; undefined if it isn't decided now. */
  #begin({ entry, first }: Started, grounds: Grounds): Started['first'] | undefined {
    const { unchanged } = entry.request;
    const documents = first.done ? unchanged : [...unchanged, ...known(this.#core, first.value)];
    if (this.#isLate(entry, documents)) return undefined;
    const found = unchangedOf(this.#core, entry, this.#working, grounds);
    if (found === 'tentative') this.#left.push(entry);
    else if (found !== 'unchanged') this.#begun.refused.push({ entry, error: found });
    if (found !== 'unchanged') return undefined;
    this.#asked += unchanged.length + (first.done ? 0 : first.value.length);
    return first;
  }

  /** Brings in a later stage. False if it takes long to load. */
  async #bring(entry: Entry, refs: readonly AnyRef[]): Promise<boolean> {
    const { stint } = this.#begun;
    const documents = known(this.#core, refs);
    const all = isToBeWhole(entry);
    // With stage after stage a single command could hold up all others.
    const later = !all && stint.hasWaited;
    const waited = await stint.wait(this.#working.bring(documents, { all, later }));
    entry.batchPart += waited;
    entry.waitPart += waited;
    return !this.#isLate(entry, documents);
  }

  #isLate(entry: Entry, refs: readonly DocumentRef[]): boolean {
    const documents = this.#working.lateOf(refs);
    if (documents.length > 0) this.#late.push({ entry, documents });
    return documents.length > 0;
  }

  #next({ asked, deciding }: Started, refs: readonly AnyRef[], grounds: Grounds): Started['first'] {
    const step = proceed(deciding, refs, this.#working, this.#core, grounds);
    if (step.done) return step;
    staged.add(asked.command);
    this.#asked += step.value.length;
    return step;
  }

  /** Takes in a decision, or leaves the command to be decided again. */
  #end({ entry, asked }: Started, step: Started['first'], grounds: Grounds): void {
    this.#decided += 1;
    if (!step.done || this.#isOutdated) {
      entry.tries += 1;
      this.#left.push(entry);
      return;
    }
    const attachments = attachmentsOf(step.value);
    if (this.#attachments > 0 && this.#attachments + attachments > this.#core.limits.batchAttachmentsMax) {
      this.#isFull = true;
      this.#left.push(entry);
      return;
    }
    const { decision, commit } = this.#takeIn(entry, step.value, asked, grounds);
    for (const event of decision.events) this.#bytes += event.bytes;
    this.#attachments += attachments;
    const reads = grounds.documents.map((document) => (document.row ??= this.#reads.push(document) - 1));
    const drafted = { entry, decision, time: this.#begun.time, after: this.#commits.length, reads };
    (commit ? this.#drafted : this.#unrecorded).push(drafted);
    if (commit) this.#commits.push(Object.assign(commit, { reads }));
  }

  /** Its documents take the events in. If one can't, the decision is an error, which rests on that document. */
  #takeIn(
    entry: Entry,
    decided: Decision,
    asked: CommandCall,
    grounds: Grounds,
  ): { readonly decision: Decision; readonly commit: Omit<Commit, 'reads'> | undefined } {
    const { time } = this.#begun;
    const commit = decided.record ? commitOf(entry, decided, time) : undefined;
    const refusal = this.#working.commit(decided.events, time);
    if (!refusal) return { decision: decided, commit };
    // Stored, such an event would make that document unreadable.
    grounds.add(refusal.by);
    const decision = errored(asked, refusal.error, this.#rules);
    return { decision, commit: commitOf(entry, decision, time) };
  }

  /** Counts what an entry has taken up of the batch. */
  #charge(entry: Entry, bytes: number, attachments: number, asked: number): void {
    const { limits } = this.#core;
    entry.batchPart += Math.max(
      this.#begun.stint.part(),
      bytes / limits.batchBytesMax,
      attachments / limits.batchAttachmentsMax,
      asked / limits.batchReadsMax,
    );
    this.#spent += entry.batchPart;
  }

  draft(generation: number): Draft {
    const { refused, left } = this.#begun;
    const batch: Batch = {
      // Now: documents may be from a later end of the log than was seen when drafting began.
      seen: this.#core.watermark.seen,
      generation,
      handled: this.#core.handled,
      reads: this.#reads.map(({ collection, id, stored }) => ({
        collection: collection.name,
        id,
        version: stored.version,
      })),
      commits: this.#commits,
    };
    return {
      batch: this.#commits.length > 0 ? batch : undefined,
      working: this.#working,
      drafted: this.#drafted,
      unrecorded: this.#unrecorded,
      reads: this.#reads,
      conflicts: refused,
      left: [...this.#left, ...left],
      isFull: this.#isFull || left.length > 0,
      late: this.#late,
    };
  }
}

function attachmentsOf({ events }: Decision): number {
  return events.reduce((sum, { attachments }) => sum + attachments.length, 0);
}

function commitOf(
  entry: Entry,
  { outcome, final, reason, details, events }: Decision,
  time: number,
): Omit<Commit, 'reads'> {
  const commit = { command: entry.request.facts, outcome, final, reason, details, time, events };
  return Object.assign(commit, { digest: commitDigest(commit) });
}
