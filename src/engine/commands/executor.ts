/**
 * The executor: one batch at a time. While one is being stored the next gathers, undecided; what falls is decided again on
 * what moved, first in the next batch of its kind, and the last try holds the store's write lock, so nobody starves.
 */
import { Closed, hasCode, isTidemarkError, LogCorrupt, StoreUnavailable } from '../../errors.ts';
import { DocumentMap } from '../../document-map.ts';
import type { Appended, Batch, Locked, Refused, Stored, StoredCommit } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { concernsAll } from '../concerns-all.ts';
import { bringUp } from './bring-up.ts';
import { draftBatch, type Draft, type Drafted, type DraftOptions, type Late } from './draft.ts';
import type { Entry } from './entry.ts';
import { forBatch } from './for-batch.ts';
import { LateDocuments } from './late.ts';
import { assertSame, replay } from './replay.ts';
import { CommandQueue } from './queue.ts';
import { membershipNow } from '../registration.ts';
import { Takes } from './takes.ts';
import { answerUnrecorded, catchUp, movedSince, settle } from './settle.ts';

/** How often a batch whose commit got no answer is sent again before the callers hear of it. */
const IN_DOUBT_TRIES_MAX = 3;
/** The longest pause before that, in milliseconds. */
const PAUSE_MAX_MS = 100;
/** For so many batches after the cache was brought up to date what isn't is loaded before it is decided on. */
const TRACKED_BATCHES = 64;

/**
 * Commands that are decided at once under the write lock, and how long they may take there, in milliseconds: others wait for
 * the lock. What isn't decided by then waits for the next.
 */
const LAST_TRY_COMMANDS_MAX = 256;
const LAST_TRY_MS_MAX = 100;

interface Attempt {
  /** What was stored; to be settled once it is durable. */
  readonly stored?: { readonly draft: Draft; readonly receipt: Stored };
  /** Entries still to be decided, as far as is known: those that fell, then those that weren't decided. */
  readonly rest: readonly Entry[];
  /** Whether one fell, and nothing was stored. */
  readonly refused: boolean;
}

export class Executor {
  readonly #core: Core;
  readonly #io: ReturnType<typeof forBatch>;
  readonly queue: CommandQueue;
  #running: Promise<void> | undefined;
  /** How many commands are taken at once, of those that cost little and of those that cost much. */
  readonly #takes: Takes;
  readonly #takesCostly: Takes;
  #closed = false;
  /** Nothing is sent to the store any more. */
  #over = false;
  readonly #late: LateDocuments;
  /** Those that wait for documents that take long to load, and those of them whose documents are there. */
  readonly #parked = new Map<Entry, Promise<void>>();
  #returned: Entry[] = [];
  /**
   * Commands that fell since the cache was brought up to date, or would have, and how many batches more are decided on what is
   * tracked.
   */
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
   * Takes it into the queue, where it is given up when the signal aborts.
   *
   * @throws Closed, Overloaded, HistoryDiverged; InvalidInput if the signal can't be listened to
   */
  submit(entry: Entry, signal?: AbortSignal): void {
    this.#core.watermark.assertWhole();
    if (this.#closed) throw closedError();
    this.queue.add(entry, signal);
    this.#start();
  }

  /**
   * Goes on, if there is something to be done. Not whenever something came: one that is sent again while the first is parked
   * stands in no line, and what has nothing to do is over before it is known to run.
   */
  #start(): void {
    if (this.#running || (this.queue.isEmpty && this.#returned.length === 0)) return;
    this.#running = this.#run();
  }

  /** A command that is waiting or being executed, by its id. */
  find(commandId: string): Entry | undefined {
    return this.queue.find(commandId);
  }

  /** Lets what is waiting be stored; nothing more is taken. */
  async drain(): Promise<void> {
    this.#closed = true;
    for (;;) {
      await this.#running;
      if (this.#parked.size === 0) return;
      await Promise.all(this.#parked.values());
    }
  }

  /**
   * Ends it: nothing more is sent to the store. Whoever waits in the queue is told so now; those of the batch on its way
   * once the store has let go of it.
   */
  giveUp(): void {
    this.#closed = true;
    this.#over = true;
    for (const entry of this.#parked.keys()) if (!entry.settled) entry.reject(this.#toldOf(entry, closedError()));
    while (!this.queue.isEmpty) {
      for (const entry of this.queue.take(Infinity)) {
        // One that was sent before, and came back to be decided again, may be in doubt.
        if (!entry.settled) entry.reject(this.#toldOf(entry, closedError()));
        this.queue.over(entry);
      }
    }
  }

  /** After {@link giveUp}, where the store doesn't let go: what was sent may still be stored, the rest never is. */
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
      // Callers that were just answered, and ask again at once, come into this batch.
      await runtime.turn();
      this.#takeBack();
      const taken = this.queue.take(this.#takes.most, {
        costlyMax: this.#takesCostly.most,
        inOrder: this.#takes.isRoomy,
      });
      const last = taken.filter(({ tries }) => tries >= limits.triesMax - 1);
      // Those that fell before come with them, and no new ones.
      if (last.length > 0) last.push(...taken.filter(({ tries }) => tries > 0 && tries < limits.triesMax - 1));
      const entries = last.length > 0 ? last.slice(0, LAST_TRY_COMMANDS_MAX) : taken;
      if (entries.length < taken.length) {
        const chosen = new Set(entries);
        this.queue.giveBack(taken.filter((entry) => !chosen.has(entry)));
      }
      try {
        const rest = await this.#process(entries, last.length > 0);
        this.queue.giveBack(rest.filter(({ settled }) => !settled));
      } catch (error) {
        for (const entry of entries) {
          if (!entry.settled && !this.#parked.has(entry)) entry.reject(this.#toldOf(entry, error));
        }
      }
      for (const entry of entries) if (entry.settled && !this.#parked.has(entry)) this.#end(entry);
    }
    this.#running = undefined;
  }

  /** Nothing more comes of it. */
  #end(entry: Entry): void {
    const { counters } = this.#core;
    const { length } = this.queue.over(entry);
    counters.commands += length;
    counters.replayed += length;
  }

  /** It is decided once its documents are there; others don't wait for that. */
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

  /** Those whose documents are there stand in line again. */
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

  /** What is told of an entry whose batch went wrong. */
  #toldOf({ inDoubt }: Entry, error: unknown): unknown {
    if (inDoubt) return isClosed(error) ? closedInDoubt(error) : stillInDoubt(error);
    // Whatever keeps the others of its batch in doubt: it was never sent.
    if (this.#over) return closedError();
    return isInDoubt(error) ? neverSent(error) : error;
  }

  /** @throws Closed once nothing may be sent any more */
  #assertGoing(): void {
    if (this.#over) throw closedError();
  }

  /** Executes entries, and returns those still to be decided. */
  async #process(entries: readonly Entry[], last: boolean): Promise<readonly Entry[]> {
    const { runtime } = this.#core;
    for (let inDoubt = 0; ;) {
      this.#assertGoing();
      try {
        const { stored, rest } = last
          ? await this.#lastTry(entries)
          : await this.#attempt(this.#io, entries, {
              ground: await this.#prepared(inDoubt > 0),
              late: this.#late,
              part: this.queue.part,
            });
        if (!stored) return rest;
        const { draft, receipt } = stored;
        await this.#confirm(draft, receipt);
        return [...(await this.#settle(this.#io, draft, receipt)), ...rest];
      } catch (error) {
        // In doubt whether it is stored: the same ids again, and the ledger makes that safe.
        if (!isInDoubt(error) || this.#over) throw error;
        if ((inDoubt += 1) > IN_DOUBT_TRIES_MAX) throw error;
        await runtime.sleep(runtime.random() * PAUSE_MAX_MS);
      }
    }
  }

  /** On what is to be decided. Where others write to the same documents, what they have written is taken in first. */
  async #prepared(isAgain: boolean): Promise<DraftOptions['ground']> {
    const { tracked, watermark } = this.#core;
    tracked.begin();
    // What is sent again in doubt doesn't wait for it.
    if (!isAgain && tracked.isWorth(this.#fellSince, watermark.seen)) {
      // What it hasn't come to yet is taken in before the next batch. Where many have fallen many will, so half of them count on.
      if (await bringUp(this.#core, this.#io)) this.#fellSince = Math.floor(this.#fellSince / 2);
      this.#tracking = TRACKED_BATCHES;
    } else if (this.#tracking > 0) this.#tracking -= 1;
    return this.#tracking > 0 ? 'tracked' : 'cached';
  }

  /** What was stored must be on the history that this server knows. If that can't be told now, the callers are in doubt. */
  async #confirm({ batch, drafted }: Draft, { commits, end }: Stored): Promise<void> {
    const { watermark } = this.#core;
    try {
      await watermark.confirm(batch!.seen, end, this.#io);
    } catch (error) {
      for (const [index, { entry }] of drafted.entries()) if (commits[index]) entry.sentAfter ??= batch!.seen.position;
      throw error;
    }
  }

  /** Answers those who stand, and then finds out why others fell. Gives those that are to be decided again. */
  async #settle(io: Locked, draft: Draft, judged: Stored | Refused): Promise<readonly Entry[]> {
    const core = this.#core;
    const { fallen, unrecorded, behind } = settle(core, draft, judged);
    const taken = new Set(judged.duplicates);
    const again = fallen.filter(({ id }) => !taken.has(id));
    this.#fell(again);
    await this.#answerUnrecorded(io, unrecorded, positionsOf(judged));
    await catchUp(core, io, behind);
    await this.#answerDuplicates(
      io,
      fallen.filter(({ id }) => taken.has(id)),
    );
    return again.filter(({ settled }) => !settled);
  }

  /** These are to be decided again. */
  #fell(entries: readonly Entry[]): void {
    for (const entry of entries) entry.tries += 1;
    this.#core.counters.retried += entries.length;
    this.#fellSince += entries.length;
  }

  /** Reads, decides and appends with the write lock held: nothing can move meanwhile. */
  async #lastTry(entries: readonly Entry[]): Promise<Attempt> {
    this.#core.counters.exclusive += 1;
    this.#core.tracked.begin();
    let sent: Attempt['stored'];
    try {
      return await this.#core.session.exclusive(async (locked) => {
        const { elapsed } = this.#core.runtime;
        const until = elapsed() + LAST_TRY_MS_MAX;
        const options = { ground: 'loaded', until, late: this.#late } as const;
        // So that nothing falls here for what others have stored under these ids.
        await this.#answerKnown(locked, entries);
        let attempt = await this.#attempt(locked, entries, options);
        // Only a registry that has grown can stand in the way here.
        while (!attempt.stored && attempt.refused && elapsed() < until) {
          attempt = await this.#attempt(locked, attempt.rest, options);
        }
        sent = attempt.stored;
        return attempt;
      });
    } catch (error) {
      if (sent) notStored(sent.draft, error, sent.receipt);
      throw error;
    }
  }

  async #attempt(io: Locked, entries: readonly Entry[], options: DraftOptions): Promise<Attempt> {
    const core = this.#core;
    const waiting = entries.filter((entry) => !entry.settled && !this.#parked.has(entry));
    const draft = await draftBatch(core, io, waiting, options);
    for (const { stored } of draft.reads) if (core.tracked.wasBehind(stored)) this.#fellSince += 1;
    for (const late of draft.late) this.#park(late);
    (this.queue.isCostly ? this.#takesCostly : this.#takes).learn(draft, waiting.length);
    await this.#refuse(io, draft.conflicts);
    if (!draft.batch) return this.#unsent(io, draft);
    const appended = await this.#append(io, draft, draft.batch);
    switch (appended.status) {
      case 'stored':
        return { stored: { draft, receipt: appended }, rest: draft.left, refused: false };
      case 'refused': {
        await core.watermark.confirm(draft.batch.seen, appended.end, io);
        return { rest: [...(await this.#settle(io, draft, appended)), ...draft.left], refused: true };
      }
      case 'behind': {
        core.membership = await membershipNow(core, io);
        const sent = [...draft.drafted, ...draft.unrecorded].map(({ entry }) => entry);
        for (const entry of sent) entry.tries += 1;
        return { rest: [...sent, ...draft.left].filter(({ settled }) => !settled), refused: true };
      }
      case 'diverged':
        throw core.watermark.diverge();
    }
  }

  /** Nothing is to be stored: those whose ground has held are answered. */
  async #unsent(io: Locked, { unrecorded, reads, left }: Draft): Promise<Attempt> {
    if (unrecorded.length === 0) return { rest: left, refused: false };
    const { counters } = this.#core;
    const { end, rows } = await movedSince(this.#core, io, reads);
    if (rows.size > 0) counters.conflicts += 1;
    const stands = ({ rests }: Drafted): boolean => !rests.some((row) => rows.has(row));
    await this.#answerUnrecorded(io, unrecorded.filter(stands), () => end.position);
    const fallen = unrecorded.filter((drafted) => !stands(drafted)).map(({ entry }) => entry);
    this.#fell(fallen);
    return { rest: [...fallen.filter(({ settled }) => !settled), ...left], refused: fallen.length > 0 };
  }

  async #append(io: Locked, draft: Draft, batch: Batch): Promise<Appended> {
    // Loading and deciding may have taken long.
    this.#assertGoing();
    for (const { entry } of draft.drafted) entry.sent = true;
    let appended: Appended;
    try {
      appended = await io.append(batch);
    } catch (error) {
      notStored(draft, error);
      throw error;
    }
    const commits = appended.status === 'stored' ? appended.commits : [];
    for (const [index, { entry }] of draft.drafted.entries()) if (!commits[index]) entry.sent = false;
    return appended;
  }

  /** A command that was executed before is answered, whatever has changed since. */
  async #refuse(io: Locked, conflicts: Draft['conflicts']): Promise<void> {
    if (conflicts.length === 0) return;
    const { watermark } = this.#core;
    const before = watermark.seen;
    const outcomes = await this.#finalOutcomes(io, conflicts);
    // What the cache alone says may be of a log that the store no longer holds; what the ledger says counts as seen.
    const { end } = await io.load([]);
    await watermark.observe(before, end, io);
    for (const { entry, error } of conflicts) {
      const commit = outcomes.get(entry.id);
      if (commit) await this.#answer(io, entry, commit);
      else entry.reject(error);
    }
  }

  /** Answers those that record nothing; one that was executed before, by what it came to then. */
  async #answerUnrecorded(
    io: Locked,
    unrecorded: readonly Drafted[],
    positionOf: (drafted: Drafted) => number,
  ): Promise<void> {
    const outcomes = await this.#finalOutcomes(io, unrecorded);
    for (const drafted of unrecorded) {
      const commit = outcomes.get(drafted.entry.id);
      if (drafted.entry.settled) continue;
      if (commit) await this.#answer(io, drafted.entry, commit);
      else answerUnrecorded(this.#core, drafted, positionOf(drafted));
    }
  }

  /** What the ledger holds of commands that it can know. */
  async #finalOutcomes(
    io: Locked,
    asked: readonly { readonly entry: Entry }[],
  ): Promise<ReadonlyMap<string, StoredCommit>> {
    const entries = asked.map(({ entry }) => entry).filter(({ request, inDoubt }) => request.named || inDoubt);
    return this.#ledger(io, entries, ({ final }) => final);
  }

  /** What the ledger holds of entries' ids. Whose commit is damaged is told so, and nobody else. */
  async #ledger(
    io: Locked,
    entries: readonly Entry[],
    isAsked: (commit: StoredCommit) => boolean,
  ): Promise<ReadonlyMap<string, StoredCommit>> {
    if (entries.length === 0) return new Map();
    try {
      const commits = await io.ledger(entries.map(({ id }) => id));
      return new Map(commits.filter(isAsked).map((commit) => [commit.command.id, commit]));
    } catch (error) {
      if (concernsAll(error)) throw error;
      if (entries.length === 1) {
        entries[0]!.reject(entries[0]!.inDoubt ? stillInDoubt(error) : error);
        return new Map();
      }
      const found: [string, StoredCommit][] = [];
      for (const entry of entries) found.push(...(await this.#ledger(io, [entry], isAsked)));
      return new Map(found);
    }
  }

  /** Those that were executed before. */
  async #answerKnown(io: Locked, entries: readonly Entry[]): Promise<void> {
    const { watermark } = this.#core;
    const before = watermark.seen;
    const asked = entries.filter(({ settled }) => !settled).map((entry) => ({ entry }));
    const outcomes = await this.#finalOutcomes(io, asked);
    if (outcomes.size === 0) return;
    // What the ledger says counts as seen: whatever is decided from now on comes after it.
    const { end } = await io.load([]);
    await watermark.observe(before, end, io);
    for (const entry of entries) {
      const commit = outcomes.get(entry.id);
      if (commit && !entry.settled) await this.#answer(io, entry, commit);
    }
  }

  /** Those that fell because the ledger has an outcome of theirs. */
  async #answerDuplicates(io: Locked, duplicates: readonly Entry[]): Promise<void> {
    const commits = await this.#ledger(io, duplicates, () => true);
    for (const entry of duplicates) {
      const { id } = entry;
      const commit = commits.get(id);
      if (commit?.final) await this.#answer(io, entry, commit);
      else if (!entry.settled) {
        const { watermark } = this.#core;
        const { end } = await io.load([]);
        await watermark.observe(watermark.seen, end, io);
        entry.reject(
          new LogCorrupt(
            `The ledger refused the command id ${JSON.stringify(id)} but holds no outcome of it. Run verify.`,
            { id },
          ),
        );
      }
    }
  }

  async #answer(io: Pick<Locked, 'read'>, entry: Entry, commit: StoredCommit): Promise<void> {
    try {
      assertSame(entry.request, commit.command);
      const outcome = await replay(this.#core, commit, io);
      this.#core.counters.commands += 1;
      this.#core.counters.replayed += 1;
      const isOwn = entry.sentAfter !== undefined && commit.position > entry.sentAfter;
      entry.resolve(isOwn ? Object.freeze({ ...outcome, replayed: false }) : outcome);
    } catch (error) {
      entry.reject(entry.inDoubt ? stillInDoubt(error) : error);
    }
  }
}

/** Each as of where it stands among the commits: what it rests on may move with the next that is stored. */
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

/** A batch that was sent isn't stored; or got no answer: then the ledger may show the commits of these very callers. */
function notStored({ batch, drafted }: Draft, error: unknown, receipt?: Stored): void {
  const inDoubt = isInDoubt(error);
  for (const [index, { entry }] of drafted.entries()) {
    // What fell wasn’t sent to be stored.
    if (receipt && !receipt.commits[index]) continue;
    entry.sent = inDoubt;
    if (inDoubt) entry.sentAfter ??= batch!.seen.position;
  }
}

/**
 * What is told of a commit that got no answer when a later try fails: that try stored nothing, but the one before may
 * have been stored, or still be on its way.
 */
function stillInDoubt(error: unknown): unknown {
  // Another's command has this id, so it isn't stored; and on a store that went back nothing is sent again.
  if (hasCode(error, 'CommandIdReused', 'HistoryDiverged')) return error;
  if (!isTidemarkError(error) || isInDoubt(error)) return error;
  return new StoreUnavailable(
    `An earlier try got no answer, and may have been stored; sending it again failed: ${error.message} Send the command again with the same id: it is stored once.`,
    { ...error.details, unknown: true },
    error,
  );
}

/** What is told of one who was to be sent after what is in doubt. */
function neverSent(error: unknown): StoreUnavailable {
  return new StoreUnavailable(
    'The store gave no answer to what came before this command, and it wasn’t sent: nothing was recorded. Send it again later.',
    { unknown: false },
    error,
  );
}

function isInDoubt(error: unknown): boolean {
  return hasCode(error, 'StoreUnavailable') && error.details['unknown'] === true;
}

function isClosed(error: unknown): boolean {
  return hasCode(error, 'Closed');
}

/** What was sent before the application was closed, and never answered. */
function closedInDoubt(error?: unknown): StoreUnavailable {
  return new StoreUnavailable(
    'The application was closed before the store had answered: the command may have been stored. Send it again with the same id once the store is back: it is stored once.',
    { unknown: true },
    error,
  );
}

export function closedError(): Closed {
  return new Closed('The application has been closed: nothing was recorded. Open it again to go on.');
}
