/**
 * The executor: one batch at a time. While one is being stored the next gathers, undecided; a batch that is refused is
 * decided again on what moved, and the last try holds the store's write lock, so nobody starves.
 */
import { Closed, hasCode, isTidemarkError, LogCorrupt, Overloaded, StoreUnavailable } from '../errors.ts';
import type { Appended, Batch, Locked, Stored, StoredCommit } from '../store/store.ts';
import type { Core } from './core.ts';
import { draftBatch, type Draft, type Drafted, type DraftOptions } from './draft.ts';
import type { Entry } from './entry.ts';
import { assertSame, replay } from './replay.ts';
import { membershipNow } from './registration.ts';
import { answerUnrecorded, endWhereHeld, settle, takeIn } from './settle.ts';

/** How often a batch whose commit got no answer is sent again before the callers hear of it. */
const IN_DOUBT_TRIES_MAX = 3;
/** The longest pause before that, in milliseconds. */
const PAUSE_MAX_MS = 100;
/**
 * A refusal for so many stale documents says that others write to what is cached here: for so many batches it is then
 * brought up to date before deciding. Two busy servers on one file would be refused at nearly every batch otherwise.
 */
const STALE_MANY = 8;
const FRESH_BATCHES = 64;

interface Attempt {
  /** What was stored; to be settled once it is durable. */
  readonly stored?: { readonly draft: Draft; readonly receipt: Stored };
  /** Entries still to be decided. */
  readonly rest: readonly Entry[];
}

export class Executor {
  readonly #core: Core;
  #queue: Entry[] = [];
  /** What was taken from the queue last. */
  #batch: readonly Entry[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  /** Nothing is sent to the store any more. */
  #over = false;
  /** How many batches more are decided on documents brought up to date first. */
  #fresh = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Takes it into the queue, where it is given up when the signal aborts.
   *
   * @throws Closed, Overloaded, HistoryDiverged; InvalidInput if the signal can't be listened to
   */
  submit(entry: Entry, signal?: AbortSignal): void {
    this.#core.watermark.assertWhole();
    if (this.#closed) throw closedError();
    const { queueCommandsMax } = this.#core.limits;
    if (this.#queue.length >= queueCommandsMax) this.#queue = this.#queue.filter(isWaitedFor);
    if (this.#queue.length >= queueCommandsMax) throw overloaded(this.#queue.length, queueCommandsMax);
    // Not before it is accepted: a listener for each refusal would pile up.
    if (signal) entry.giveUpOn(signal);
    this.#queue.push(entry);
    this.#running ??= this.#run();
  }

  /** A command that is waiting or being stored, by its id. One that was answered stands in its batch until that is over. */
  find(commandId: string): Entry | undefined {
    const own = ({ id, answered }: Entry): boolean => id === commandId && !answered;
    return this.#batch.find(own) ?? this.#queue.find(own);
  }

  /** Lets what is waiting be stored; nothing more is taken. */
  async drain(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  /**
   * Ends it: nothing more is sent to the store. Whoever waits in the queue is told so now; those of the batch on its way
   * once the store has let go of it.
   */
  giveUp(): void {
    this.#closed = true;
    this.#over = true;
    const waiting = this.#queue;
    this.#queue = [];
    for (const entry of waiting) {
      if (!entry.settled) entry.reject(closedError());
      entry.end();
    }
  }

  /** After {@link giveUp}, where the store doesn't let go: what was sent may still be stored, the rest never is. */
  abandon(): void {
    for (const entry of this.#batch) if (!entry.settled) entry.reject(entry.sent ? closedInDoubt() : closedError());
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // Callers that were just answered, and ask again at once, come into this batch.
      await this.#core.runtime.turn();
      const entries = this.#take();
      this.#batch = entries;
      try {
        await this.#process(entries);
      } catch (error) {
        for (const entry of entries) if (!entry.settled) entry.reject(this.#toldOf(entry, error));
      }
      this.#batch = [];
      for (const entry of entries) entry.end();
    }
    this.#running = undefined;
  }

  /** What is told of an entry whose batch went wrong. */
  #toldOf({ sentInDoubt }: Entry, error: unknown): unknown {
    if (sentInDoubt) return isClosed(error) ? closedInDoubt(error) : stillInDoubt(error);
    // Whatever keeps the others of its batch in doubt: it was never sent.
    return this.#over ? closedError() : error;
  }

  /** @throws Closed once nothing may be sent any more */
  #assertGoing(): void {
    if (this.#over) throw closedError();
  }

  /** The next batch: an id that stands in it already waits for the one after. */
  #take(): Entry[] {
    const batch = new Map<string, Entry>();
    const later: Entry[] = [];
    let index = 0;
    for (; index < this.#queue.length && batch.size < this.#core.limits.batchCommitsMax; index += 1) {
      const entry = this.#queue[index]!;
      if (!isWaitedFor(entry)) continue;
      if (batch.has(entry.id)) later.push(entry);
      else batch.set(entry.id, entry);
    }
    this.#queue = [...later, ...this.#queue.slice(index)];
    return [...batch.values()];
  }

  async #process(entries: readonly Entry[]): Promise<void> {
    const { runtime, session, limits } = this.#core;
    let rest = entries;
    let inDoubt = 0;
    for (let tries = 1; rest.length > 0; tries += 1) {
      this.#assertGoing();
      try {
        const attempt =
          tries < limits.triesMax
            ? await this.#attempt(session, rest, { fresh: this.#fresh > 0 })
            : await this.#lastTry(rest);
        if (attempt.stored) {
          const { draft, receipt } = attempt.stored;
          await this.#confirm(draft, receipt);
          settle(this.#core, draft, receipt);
          // Each as of where it stands among the commits: what it rests on may move with the next.
          const { commits, end } = receipt;
          await this.#answerUnrecorded(
            session,
            draft,
            ({ after }) => (commits[after]?.position ?? end.position + 1) - 1,
          );
          tries = 0;
        }
        rest = attempt.rest;
      } catch (error) {
        // In doubt whether it is stored: the same ids again, and the ledger makes that safe.
        if (!isInDoubt(error) || this.#over) throw error;
        if ((inDoubt += 1) > IN_DOUBT_TRIES_MAX) throw error;
        await runtime.sleep(runtime.random() * PAUSE_MAX_MS);
      }
    }
  }

  /** What was stored must be on the history that this server knows. If that can't be told now, the callers are in doubt. */
  async #confirm({ batch, drafted }: Draft, { end }: Stored): Promise<void> {
    const { watermark, session } = this.#core;
    try {
      await watermark.confirm(batch!.seen, end, session);
    } catch (error) {
      for (const { entry } of drafted) entry.sentInDoubt = true;
      throw error;
    }
  }

  /** Reads, decides and appends with the write lock held: nothing can move meanwhile. */
  async #lastTry(entries: readonly Entry[]): Promise<Attempt> {
    this.#core.counters.exclusive += 1;
    let sent: Draft | undefined;
    try {
      return await this.#core.session.exclusive(async (locked) => {
        let attempt = await this.#attempt(locked, entries, { fresh: true });
        // Only ids that are in the ledger, or a registry that has grown, can stand in the way here.
        while (!attempt.stored && attempt.rest.length > 0) {
          attempt = await this.#attempt(locked, attempt.rest, { fresh: true });
        }
        sent = attempt.stored?.draft;
        return attempt;
      });
    } catch (error) {
      if (sent) notStored(sent, error);
      throw error;
    }
  }

  async #attempt(io: Locked, entries: readonly Entry[], options: DraftOptions): Promise<Attempt> {
    const core = this.#core;
    const waiting = entries.filter(({ settled }) => !settled);
    const draft = await draftBatch(core, io, waiting, options);
    await this.#refuse(io, draft.conflicts);
    const sent = [...draft.drafted, ...draft.unrecorded].map(({ entry }) => entry);
    if (!draft.batch) {
      if (draft.unrecorded.length === 0) return { rest: draft.left };
      const end = await endWhereHeld(core, io, draft.reads);
      if (!end) {
        core.counters.conflicts += 1;
        return { rest: [...sent, ...draft.left] };
      }
      if (this.#fresh > 0) this.#fresh -= 1;
      await this.#answerUnrecorded(io, draft, () => end.position);
      return { rest: draft.left };
    }
    const appended = await this.#append(io, draft, draft.batch);
    switch (appended.status) {
      case 'stored':
        if (this.#fresh > 0) this.#fresh -= 1;
        return { stored: { draft, receipt: appended }, rest: draft.left };
      case 'refused':
        if (appended.stale.length >= STALE_MANY) this.#fresh = FRESH_BATCHES;
        await takeIn(core, io, draft, appended);
        await this.#answerDuplicates(io, sent, appended.duplicates);
        return { rest: [...sent, ...draft.left].filter(({ settled }) => !settled) };
      case 'behind':
        core.membership = await membershipNow(core, io);
        return { rest: [...sent, ...draft.left] };
      case 'diverged':
        throw core.watermark.diverge();
    }
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
    if (appended.status !== 'stored') for (const { entry } of draft.drafted) entry.sent = false;
    return appended;
  }

  /** A command that was executed before is answered, whatever has changed since. */
  async #refuse(io: Locked, conflicts: Draft['conflicts']): Promise<void> {
    if (conflicts.length === 0) return;
    const { watermark, session } = this.#core;
    const before = watermark.seen;
    const outcomes = await this.#finalOutcomes(io, conflicts);
    // What the cache alone says may be of a log that the store no longer holds; what the ledger says counts as seen.
    const { end } = await io.load([]);
    await watermark.observe(before, end, session);
    for (const { entry, error } of conflicts) {
      const commit = outcomes.get(entry.id);
      if (commit) await this.#answer(entry, commit);
      else entry.reject(error);
    }
  }

  /** Answers those that record nothing; one that was executed before, by what it came to then. */
  async #answerUnrecorded(io: Locked, { unrecorded }: Draft, positionOf: (drafted: Drafted) => number): Promise<void> {
    const outcomes = await this.#finalOutcomes(io, unrecorded);
    for (const drafted of unrecorded) {
      const commit = outcomes.get(drafted.entry.id);
      if (commit) await this.#answer(drafted.entry, commit);
      else answerUnrecorded(this.#core, drafted, positionOf(drafted));
    }
  }

  /** What the ledger holds of commands that it can know. */
  async #finalOutcomes(
    io: Locked,
    asked: readonly { readonly entry: Entry }[],
  ): Promise<ReadonlyMap<string, StoredCommit>> {
    const ids = asked.filter(({ entry }) => entry.request.named || entry.sentInDoubt).map(({ entry }) => entry.id);
    const commits = ids.length === 0 ? [] : await io.ledger(ids);
    return new Map(commits.filter(({ final }) => final).map((commit) => [commit.command.id, commit]));
  }

  async #answerDuplicates(io: Locked, entries: readonly Entry[], ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const commits = new Map((await io.ledger(ids)).map((commit) => [commit.command.id, commit]));
    for (const id of ids) {
      const entry = entries.find((one) => one.id === id)!;
      const commit = commits.get(id);
      if (commit?.final) await this.#answer(entry, commit);
      else {
        const { watermark, session } = this.#core;
        const { end } = await io.load([]);
        await watermark.observe(watermark.seen, end, session);
        entry.reject(
          new LogCorrupt(
            `The ledger refused the command id ${JSON.stringify(id)} but holds no outcome of it. Run verify.`,
            { id },
          ),
        );
      }
    }
  }

  async #answer(entry: Entry, commit: StoredCommit): Promise<void> {
    try {
      assertSame(entry.request, commit.command);
      const outcome = await replay(this.#core, commit);
      this.#core.counters.commands += 1;
      this.#core.counters.replayed += 1;
      entry.resolve(entry.sentInDoubt ? { ...outcome, replayed: false } : outcome);
    } catch (error) {
      entry.reject(entry.sentInDoubt ? stillInDoubt(error) : error);
    }
  }
}

/** A batch that was sent isn't stored; or got no answer: then the ledger may show the commits of these very callers. */
function notStored(draft: Draft, error: unknown): void {
  const inDoubt = isInDoubt(error);
  for (const { entry } of draft.drafted) {
    entry.sent = inDoubt;
    if (inDoubt) entry.sentInDoubt = true;
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

function isInDoubt(error: unknown): boolean {
  return hasCode(error, 'StoreUnavailable') && error.details['unknown'] === true;
}

/** Callers that gave up no longer wait: nothing comes of their commands. */
function isWaitedFor(entry: Entry): boolean {
  if (entry.settled) entry.end();
  return !entry.settled;
}

export function overloaded(waiting: number, max: number): Overloaded {
  return new Overloaded(
    `${max} commands are waiting already. Nothing was recorded: send it again later, or raise limits.queueCommandsMax.`,
    { waiting, max },
  );
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
