/**
 * The executor: one batch at a time. While one is stored the next gathers, undecided. What falls is decided again in the next
 * batch of its kind; the last try holds the store's write lock, so no command starves.
 */
import { DocumentMap } from '../../document-map.ts';
import type { Refused, Stored } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { bringUp } from './bring-up.ts';
import { closedError, closedInDoubt, isInDoubt, notStored, send, toldOf } from './doubt.ts';
import { draftBatch, type Draft, type Drafted, type DraftOptions, type Late } from './draft.ts';
import type { Entry } from './entry.ts';
import { forBatch, type BatchCalls } from './for-batch.ts';
import { answerDuplicates, answerKnown, answerUnrecorded, refuseUnlessKnown } from './from-ledger.ts';
import { LateDocuments } from './late.ts';
import { CommandQueue } from './queue.ts';
import { catchUp, movedSince, settle } from './settle.ts';
import { Takes } from './takes.ts';

/** How often a batch without an answer is sent again before its callers are told. */
const IN_DOUBT_TRIES_MAX = 3;
/** The longest pause before it is sent again, in milliseconds. */
const PAUSE_MAX_MS = 100;
/** After the cache was brought up to date, documents that aren't tracked are loaded anew for so many batches. */
const TRACKED_BATCHES = 64;

/** How many commands are decided under the write lock, and for how many milliseconds: others wait for the lock. */
const LAST_TRY_COMMANDS_MAX = 256;
const LAST_TRY_MS_MAX = 100;

interface Attempt {
  /** What was stored; settled once it is durable. */
  readonly stored?: { readonly draft: Draft; readonly receipt: Stored };
  /** Entries still to be decided, as far as is known: those that fell, then the undecided ones. */
  readonly undecided: readonly Entry[];
  /** Whether one fell, and nothing was stored. */
  readonly refused: boolean;
}

export class Executor {
  readonly #core: Core;
  readonly #io: ReturnType<typeof forBatch>;
  readonly queue: CommandQueue;
  #running: Promise<void> | undefined;
  /** How many cheap commands are taken at once, and how many costly ones. */
  readonly #takes: Takes;
  readonly #takesCostly: Takes;
  #closed = false;
  #over = false;
  readonly #late: LateDocuments;
  /** Entries that wait for documents that take long to load, and those whose documents are here. */
  readonly #parked = new Map<Entry, Promise<void>>();
  #returned: Entry[] = [];
  /** Commands that fell since the cache was brought up to date, or would have; how many more batches use what is tracked. */
  #fellSince = 0;
  #tracking = 0;

  constructor(core: Core) {
    this.#core = core;
    this.#io = forBatch(core.session);
    this.queue = new CommandQueue(core.limits);
    this.#late = new LateDocuments(core);
    this.#takes = new Takes(core.limits);
    this.#takesCostly = new Takes(core.limits);
  }

  /**
   * Adds it to the queue until the signal aborts.
   *
   * @throws Closed, Overloaded, HistoryDiverged; InvalidInput if the signal can't be listened to
   */
  submit(entry: Entry, signal?: AbortSignal): void {
    this.#core.watermark.assertWhole();
    if (this.#closed) throw closedError();
    this.queue.add(entry, signal);
    this.#start();
  }

  /** Runs if there is something to do: a repeated id whose first command is parked stands in no line. */
  #start(): void {
    if (this.#running || (this.queue.isEmpty && this.#returned.length === 0)) return;
    this.#running = this.#run();
  }

  /** Lets the queue be stored; nothing more is taken. */
  async drain(): Promise<void> {
    this.#closed = true;
    for (;;) {
      await this.#running;
      if (this.#parked.size === 0) return;
      await Promise.all(this.#parked.values());
    }
  }

  /** Ends it: nothing more is sent to the store. The queue is told now, the current batch once the store has answered. */
  giveUp(): void {
    this.#closed = true;
    this.#over = true;
    for (const entry of this.#parked.keys()) if (!entry.settled) entry.reject(toldOf(entry, closedError(), true));
    while (!this.queue.isEmpty) {
      for (const entry of this.queue.take(Infinity)) {
        // One that was sent before may be in doubt.
        if (!entry.settled) entry.reject(toldOf(entry, closedError(), true));
        this.queue.over(entry);
      }
    }
  }

  /** After {@link giveUp}, if the store doesn't answer: what was sent may still be stored, the rest never is. */
  abandon(): void {
    for (const entry of this.queue.everybody()) {
      const { sent, inDoubt } = this.queue.leadOf(entry);
      if (!entry.settled) entry.reject(sent || inDoubt ? closedInDoubt() : closedError());
      entry.end();
    }
  }

  async #run(): Promise<void> {
    const { runtime, limits } = this.#core;
    while (!this.queue.isEmpty || this.#returned.length > 0) {
      // Callers that were just answered can come into this batch.
      await runtime.turn();
      this.#takeBack();
      const taken = this.queue.take(this.#takes.most, {
        costlyMax: this.#takesCostly.most,
        inOrder: this.#takes.isRoomy,
      });
      const last = taken.filter(({ tries }) => tries >= limits.triesMax - 1);
      // Those that fell before come with them, but no new ones.
      if (last.length > 0) last.push(...taken.filter(({ tries }) => tries > 0 && tries < limits.triesMax - 1));
      const entries = last.length > 0 ? last.slice(0, LAST_TRY_COMMANDS_MAX) : taken;
      if (entries.length < taken.length) {
        const chosen = new Set(entries);
        this.queue.giveBack(taken.filter((entry) => !chosen.has(entry)));
      }
      try {
        const undecided = await this.#process(entries, last.length > 0);
        this.queue.giveBack(undecided.filter(({ settled }) => !settled));
      } catch (error) {
        for (const entry of entries) {
          if (!entry.settled && !this.#parked.has(entry)) entry.reject(toldOf(entry, error, this.#over));
        }
      }
      for (const entry of entries) if (entry.settled && !this.#parked.has(entry)) this.#end(entry);
    }
    this.#running = undefined;
  }

  /** The entry is done, and so are the followers that its outcome answers. */
  #end(entry: Entry): void {
    const { counters } = this.#core;
    const { length } = this.queue.over(entry);
    counters.commands += length;
    counters.replayed += length;
  }

  /** It is decided once its documents are here; others don't wait for that. */
  #park({ entry, documents }: Late): void {
    const { times, brought } = (entry.waited ??= { times: new DocumentMap(), brought: new DocumentMap() });
    for (const { collection, id } of documents) times.set(collection, id, (times.get(collection, id) ?? 0) + 1);
    const back = (): void => {
      this.#returned.push(entry);
      this.#start();
    };
    this.#parked.set(entry, this.#late.settled(documents, brought).then(back));
    this.queue.park(entry);
  }

  /** Entries whose documents are here stand in line again. */
  #takeBack(): void {
    const returned = this.#returned.sort((one, other) => one.order - other.order);
    this.#returned = [];
    for (const entry of returned) {
      this.#parked.delete(entry);
      this.queue.unpark(entry);
    }
    this.queue.giveBack(returned.filter(({ settled }) => !settled));
    for (const entry of returned) if (entry.settled) this.#end(entry);
  }

  /** @throws Closed once nothing may be sent any more */
  #assertGoing(): void {
    if (this.#over) throw closedError();
  }

  async #process(entries: readonly Entry[], last: boolean): Promise<readonly Entry[]> {
    const { runtime } = this.#core;
    for (let inDoubt = 0; ;) {
      this.#assertGoing();
      try {
        const { stored, undecided } = last
          ? await this.#lastTry(entries)
          : await this.#attempt(this.#io, entries, {
              ground: await this.#prepared(inDoubt > 0),
              late: this.#late,
              part: this.queue.lanes.part,
            });
        if (!stored) return undecided;
        const { draft, receipt } = stored;
        await this.#confirm(draft, receipt);
        return [...(await this.#finish(this.#io, draft, receipt)), ...undecided];
      } catch (error) {
        // The same ids are sent again: the ledger makes that safe.
        if (!isInDoubt(error) || this.#over) throw error;
        if ((inDoubt += 1) > IN_DOUBT_TRIES_MAX) throw error;
        await runtime.sleep(runtime.random() * PAUSE_MAX_MS);
      }
    }
  }

  /** Chooses the ground to decide on. Where others write the same documents, their events are taken in first. */
  async #prepared(isAgain: boolean): Promise<DraftOptions['ground']> {
    const { tracked, watermark } = this.#core;
    tracked.broughtUp.clear();
    // A batch in doubt doesn't wait for it.
    if (!isAgain && tracked.isWorth(this.#fellSince, watermark.seen)) {
      // The rest is taken in before the next batch. Half of the fallen stay counted: where many fell, many will.
      if (await bringUp(this.#core, this.#io)) this.#fellSince = Math.floor(this.#fellSince / 2);
      this.#tracking = TRACKED_BATCHES;
    } else if (this.#tracking > 0) this.#tracking -= 1;
    return this.#tracking > 0 ? 'tracked' : 'cached';
  }

  /** What was stored must continue the history that this server knows. If that can't be told now, the callers are in doubt. */
  async #confirm({ batch, drafted }: Draft, { commits, end }: Stored): Promise<void> {
    const { watermark } = this.#core;
    try {
      await watermark.confirm(batch!.seen, end, this.#io);
    } catch (error) {
      for (const [index, { entry }] of drafted.entries()) if (commits[index]) entry.sentAfter ??= batch!.seen.position;
      throw error;
    }
  }

  /** Answers what stands, then finds out why others fell. Returns those to be decided again. */
  async #finish(io: BatchCalls, draft: Draft, judged: Stored | Refused): Promise<readonly Entry[]> {
    const core = this.#core;
    const { fallen, unrecorded, behind } = settle(core, draft, judged);
    const taken = new Set(judged.duplicates);
    const again = fallen.filter(({ id }) => !taken.has(id));
    this.#fell(again);
    await answerUnrecorded(core, io, unrecorded, positionsOf(judged));
    await catchUp(core, io, behind, draft.working.epoch);
    const known = fallen.filter(({ id }) => taken.has(id));
    await answerDuplicates(core, io, known);
    return again.filter(({ settled }) => !settled);
  }

  #fell(entries: readonly Entry[]): void {
    for (const entry of entries) entry.tries += 1;
    this.#core.counters.retried += entries.length;
    this.#fellSince += entries.length;
  }

  /** Reads, decides and appends with the write lock held, so nothing can move. */
  async #lastTry(entries: readonly Entry[]): Promise<Attempt> {
    this.#core.counters.exclusive += 1;
    this.#core.tracked.broughtUp.clear();
    let sent: Attempt['stored'];
    try {
      return await this.#core.session.exclusive(async (locked) => {
        const { elapsed } = this.#core.runtime;
        const until = elapsed() + LAST_TRY_MS_MAX;
        const options = { ground: 'loaded', until, late: this.#late } as const;
        // So that none falls because its id is in the ledger.
        await answerKnown(this.#core, locked, entries);
        let attempt = await this.#attempt(locked, entries, options);
        // Only a registry that has grown can be in the way here.
        while (!attempt.stored && attempt.refused && elapsed() < until) {
          attempt = await this.#attempt(locked, attempt.undecided, options);
        }
        sent = attempt.stored;
        return attempt;
      });
    } catch (error) {
      if (sent) notStored(sent.draft, error, sent.receipt);
      throw error;
    }
  }

  async #attempt(io: BatchCalls, entries: readonly Entry[], options: DraftOptions): Promise<Attempt> {
    const core = this.#core;
    const waiting = entries.filter((entry) => !entry.settled && !this.#parked.has(entry));
    const draft = await draftBatch(core, io, waiting, options);
    for (const { stored } of draft.reads) if (core.tracked.broughtUp.has(stored)) this.#fellSince += 1;
    for (const late of draft.late) this.#park(late);
    (this.queue.lanes.isCostly ? this.#takesCostly : this.#takes).learn(draft, waiting.length);
    await refuseUnlessKnown(core, io, draft.conflicts);
    if (!draft.batch) return this.#unsent(io, draft);
    // Loading and deciding may have taken long.
    this.#assertGoing();
    const appended = await send(io, draft, draft.batch);
    switch (appended.status) {
      case 'stored':
        return { stored: { draft, receipt: appended }, undecided: draft.left, refused: false };
      case 'refused': {
        await core.watermark.confirm(draft.batch.seen, appended.end, io);
        return { undecided: [...(await this.#finish(io, draft, appended)), ...draft.left], refused: true };
      }
      case 'behind': {
        await refreshMembership(core, io);
        const sent = [...draft.drafted, ...draft.unrecorded].map(({ entry }) => entry);
        for (const entry of sent) entry.tries += 1;
        return { undecided: [...sent, ...draft.left].filter(({ settled }) => !settled), refused: true };
      }
      case 'diverged':
        throw core.watermark.diverge();
    }
  }

  /** Nothing is to be stored: commands whose ground has held are answered. */
  async #unsent(io: BatchCalls, { unrecorded, reads, left, working }: Draft): Promise<Attempt> {
    if (unrecorded.length === 0) return { undecided: left, refused: false };
    const { counters } = this.#core;
    const { end, rows } = await movedSince(this.#core, io, reads, working.epoch);
    if (rows.size > 0) counters.conflicts += 1;
    const stands = (drafted: Drafted): boolean => !drafted.reads.some((row) => rows.has(row));
    await answerUnrecorded(this.#core, io, unrecorded.filter(stands), () => end.position);
    const fallen = unrecorded.filter((drafted) => !stands(drafted)).map(({ entry }) => entry);
    this.#fell(fallen);
    return { undecided: [...fallen.filter(({ settled }) => !settled), ...left], refused: fallen.length > 0 };
  }
}

/** The position before the next commit that is stored: after it the ground may have moved. */
function positionsOf(judged: Stored | Refused): (drafted: Drafted) => number {
  const commits = judged.status === 'stored' ? judged.commits : [];
  return ({ after }) => {
    for (let index = after; index < commits.length; index += 1) {
      const at = commits[index];
      if (at) return at.position - 1;
    }
    return judged.end.position;
  };
}
