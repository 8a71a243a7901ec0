/** An open application. */
import type { AnyCollection, Collection } from '../model/collection.ts';
import type { AnyCommand, Command } from '../model/command.ts';
import type { AnyEvent } from '../model/event.ts';
import { InvalidInput, NotWritable, Overloaded } from '../errors.ts';
import { CLOSE_LATE_MS, CLOSE_TIMEOUT_MS } from '../limits.ts';
import { milliseconds, optionsOf, TIMER_MAX_MS, type Checks } from '../options.ts';
import { reading } from '../model/foreign.ts';
import { idFault } from '../model/id.ts';
import { abortController } from '../realm.ts';
import type { Core } from './core.ts';
import type { Document, FoldedDocuments } from './reading/document.ts';
import { closedError } from './commands/doubt.ts';
import { Entry } from './commands/entry.ts';
import { Executor } from './commands/executor.ts';
import { foldCollections } from './reading/fold.ts';
import { getDocuments, type At } from './reading/get.ts';
import { readEvents, readHistory, type EventsOptions, type HistoryOptions } from './reading/history.ts';
import type { InFlight, Runner } from './commands/in-flight.ts';
import { InTurn } from './in-turn.ts';
import type { Outcome } from './commands/outcome.ts';
import type { RecordedEvent } from './reading/recorded.ts';
import { replay } from './commands/replay.ts';
import { requestOf, type ExecuteOptions } from './commands/request.ts';
import { SharedLedger } from './commands/shared-ledger.ts';
import { SharedLoad } from './reading/shared-load.ts';
import { statusOf, type Status } from './status.ts';
import { verifyLog, type Verification, type VerifyOptions } from './upkeep/verify.ts';

/** What `execute` takes for a command. */
export type InputOf<C> = C extends Command<string, infer Input, string, infer _> ? Input : never;
/** What `execute` returns for a command. */
export type OutcomeOf<C> =
  C extends Command<string, infer _, infer Reason, infer Event> ? Outcome<Reason, Event> : never;

/** The state of a collection's documents. */
export type StateOf<C> = C extends Collection<string, infer State> ? State : never;

/** An application: a domain running on a store. Made by `open`. `await using` closes it. */
export interface App<
  Commands extends AnyCommand = AnyCommand,
  Collections extends AnyCollection = AnyCollection,
> extends AsyncDisposable {
  /**
   * Executes a command and returns what it left behind, once that is on stable storage. A failure is an outcome too.
   *
   * @throws InvalidInput if the input or an option isn't what it must be (nothing is recorded: it never became a command). An
   * input that an earlier release took, sent again under the same id, is answered from the ledger all the same
   * @throws Overloaded if too many commands are waiting; also later, if this one's actor has most of those that wait when others come
   * @throws CommandIdReused if the id was used for another command, input or actor
   * @throws Conflict if a document in `unchanged` has changed
   * @throws StoreUnavailable if the store can't be reached; send it again with the same id. ConnectionsBusy, if all connections
   * to it are in use
   * @throws HistoryDiverged if the store went back in time
   * @throws NotWritable if the log was opened for reading alone
   * @throws WrongLog if another log, or none, is now where this one was
   * @throws Closed after `close`
   */
  execute<C extends Commands>(command: C, input: InputOf<C>, options?: ExecuteOptions): Promise<OutcomeOf<C>>;

  /**
   * One document, now or as it was. It needn't exist: then it is at version 0, with its initial state.
   *
   * @throws Overloaded if too many documents wait to be read; and what `execute` throws of the store
   */
  get<C extends Collections>(collection: C, id: string, at?: At): Promise<Document<StateOf<C>>>;
  /** Several documents at one consistent point, in the order of the ids. */
  get<C extends Collections>(
    collection: C,
    ids: readonly string[],
    at?: Omit<At, 'version'>,
  ): Promise<readonly Document<StateOf<C>>[]>;

  /**
   * Every document of a collection, folded again from event 1 at one consistent point: one pass over the log, nothing
   * taken from memory. Memory grows with the number of documents. Several collections take no more passes than one.
   *
   * A document whose reducer or upcast fails doesn't keep the others from being given: `failed` names it, and only
   * reading its `state` throws. Whoever sums up states without having looked at `failed` is so told that one is missing.
   *
   * @throws DomainOutdated if an event is newer than this code; InvalidInput if anything else is passed
   */
  fold<C extends Collections>(collection: C): Promise<FoldedDocuments<StateOf<C>>>;
  fold<const Cs extends readonly Collections[]>(
    collections: Cs,
  ): Promise<{ readonly [K in keyof Cs]: FoldedDocuments<StateOf<Cs[K]>> }>;

  /** The events attached to a document, in the order of its versions. Follows like {@link App.events}. */
  history(collection: Collections, id: string, options?: HistoryOptions): AsyncIterableIterator<RecordedEvent>;

  /**
   * The events of the log, in its order or the last first. With `follow` it goes on after the end: each event once, in
   * order, as they are committed by whatever process. Remember `position` and `hash` of the last event that you are done
   * with, and follow after them the next time.
   *
   * @throws InvalidInput if an option isn't what it must be, or `follow` is given with `before` or `reverse`; and while
   * iterating the reason of the signal, `Closed`, `StoreUnavailable` unless it follows, and `HistoryDiverged` if the log
   * doesn't hold what this server has seen, or the place `after` which to go on
   *
   * @example
   * ```ts
   * import { domain, open, type } from 'tidemark';
   * import { memory } from 'tidemark/memory';
   *
   * const blog = domain({ events: { POSTED: type<{ post_id: string; title: string }>() } });
   * const posts = blog.collection('posts', { key: 'post_id', initial: {}, reduce: { POSTED: (post) => post } });
   * const publish = blog.command('PUBLISH', {
   *   input: type<{ post_id: string; title: string }>(),
   *   decide: (_, input) => ({ type: 'POSTED', ...input }),
   * });
   * await using app = await open({ store: memory(), collections: [posts], commands: [publish] });
   *
   * const announcing = (async () => {
   *   for await (const { event, position } of app.events({ follow: true, types: ['POSTED'], limit: 1 })) {
   *     console.log(event.type === 'POSTED' && position); // 1
   *   }
   * })();
   * await app.execute(publish, { post_id: 'p1', title: 'Following' });
   * await announcing;
   * ```
   */
  events(options?: EventsOptions): AsyncIterableIterator<RecordedEvent>;

  /**
   * What a command left behind, by its id; undefined if it was never recorded.
   *
   * @throws Overloaded if too many wait for such an answer; and what `execute` throws of the store
   */
  outcome(commandId: string): Promise<Outcome<string, AnyEvent> | undefined>;

  /**
   * Walks the hash chain from the first commit, checks positions, versions and attachments, and folds every document
   * again. Takes as long as reading the whole log; nothing is changed. What it can't see: a log that lost its end, or
   * an older copy; keep `status()`'s position and hash elsewhere and pass them as `expect`.
   *
   * @throws what keeps it from looking, and says nothing about the log: `StoreUnavailable`, `ConnectionsBusy`, `HistoryDiverged`,
   * `WrongLog`, `Closed`, or `DomainOutdated` where this code is older than the log; Overloaded if too many wait for their turn
   */
  verify(options?: VerifyOptions): Promise<Verification>;

  /** How it is doing: the end of the log, the queue, the cache, counters. */
  status(): Promise<Status>;

  /**
   * Ends it, within a bound: a server that is told to stop has some seconds before it is killed.
   *
   * At once nothing new is taken, and whoever reads (`get`, `fold`, `verify`, `events`, `history`, `status`) or waits for a
   * `prepare` is told `Closed`; the `prepare` gets its signal. What is in the queue is stored, if that is done within
   * `timeout` milliseconds ({@link CLOSE_TIMEOUT_MS} unless told otherwise; 0 waits for nothing). Whoever's command isn't
   * is told so: `Closed` if nothing was sent to the store, and then nothing ever is; `StoreUnavailable` with
   * `details.unknown: true` if it was sent and not answered. Then the store is closed.
   *
   * It resolves {@link CLOSE_LATE_MS} after the timeout at the latest, unless the event loop is held. Asked again, it gives
   * the same promise, whatever the timeout. `await using` closes with the default.
   *
   * @throws InvalidInput if an option isn't what it must be: then nothing is closed
   */
  close(options?: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /** How long what is in the queue may take to be stored, in milliseconds. */
  readonly timeout?: number | undefined;
}

const CLOSE: Checks<CloseOptions> = { timeout: milliseconds(TIMER_MAX_MS) };

function openedForReading(store: string): NotWritable {
  return new NotWritable(
    'The log was opened for reading (readOnly): nothing was recorded. Send commands to an application that may write.',
    { store },
  );
}

/** Whoever asks for an earlier state must not be given that of now. */
function foldsAll(): InvalidInput {
  return new InvalidInput(
    'fold takes collections, and no options: it gives their documents as they are now. One document as it was is given by get(collection, id, { position }).',
    { path: 'options' },
  );
}

function tooManyLongReads(waiting: number, max: number): Overloaded {
  return new Overloaded(
    `${waiting} calls that read the whole log wait for their turn already: call fewer at once, and this one again later, or raise limits.longReadsWaitingMax.`,
    { waiting, max, limit: 'longReadsWaitingMax' },
  );
}

export class Application implements App {
  readonly #core: Core;
  /** Shared with other applications of this process on the same store. */
  readonly #inFlight: InFlight;
  readonly #executor: Executor;
  readonly #runner: Runner;
  readonly #loads: SharedLoad;
  /** What reads the whole log: `fold` and `verify`. */
  readonly #long: InTurn;
  #closed: Promise<void> | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(core: Core, inFlight: InFlight) {
    this.#core = core;
    this.#inFlight = inFlight;
    this.#executor = new Executor(core);
    this.#runner = { core, executor: this.#executor, ledger: new SharedLedger(core) };
    this.#loads = new SharedLoad(core);
    const { longReadsMax, longReadsWaitingMax } = core.limits;
    this.#long = new InTurn(longReadsMax, (waiting) => {
      if (waiting >= longReadsWaitingMax) throw tooManyLongReads(waiting, longReadsWaitingMax);
    });
  }

  // The public types are those of App; inside, every command is any command. Not `async`: a command without `prepare` is
  // answered by the promise that it waits on in the queue, and every promise more would cost all of them.
  // eslint-disable-next-line typescript/no-explicit-any
  execute(command: AnyCommand, input: unknown, options?: ExecuteOptions): Promise<any> {
    try {
      this.#assertOpen();
      this.#core.watermark.assertWhole();
      // Before `prepare` has called anybody for a command that can't be stored.
      if (this.#core.session.readOnly) throw openedForReading(this.#core.storeName);
      const request = requestOf(this.#core, command, input, options);
      request.signal?.throwIfAborted();
      // Also one without `prepare` is refused while another command is on its way under its id.
      if (request.command.prepare || request.refusal || this.#inFlight.has(request.facts.id))
        return this.#inFlight.wait(this.#runner, request);
      const entry = new Entry(request, undefined);
      this.#executor.submit(entry, request.signal);
      return entry.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async get(collection: AnyCollection, ids: string | readonly string[], at?: At): Promise<never> {
    this.#assertOpen();
    const several = reading('get', () => Array.isArray(ids), InvalidInput);
    const asked = (several ? ids : [ids]) as readonly string[];
    const documents = await getDocuments(this.#core, this.#loads, collection, asked, at);
    return (several ? documents : documents[0]) as never;
  }

  async fold(collections: AnyCollection | readonly AnyCollection[], ...more: readonly unknown[]): Promise<never> {
    this.#assertOpen();
    if (more.some((one) => one !== undefined)) throw foldsAll();
    const several = reading('fold', () => Array.isArray(collections), InvalidInput);
    const asked = (several ? collections : [collections]) as readonly AnyCollection[];
    const folded = await foldCollections(this.#core, this.#long, asked);
    return (several ? folded : folded[0]) as never;
  }

  history(collection: AnyCollection, id: string, options?: HistoryOptions): AsyncIterableIterator<RecordedEvent> {
    this.#assertOpen();
    return readHistory(this.#core, collection, id, options, this.#core.closing.signal);
  }

  events(options?: EventsOptions): AsyncIterableIterator<RecordedEvent> {
    this.#assertOpen();
    return readEvents(this.#core, options, this.#core.closing.signal);
  }

  async outcome(commandId: string): Promise<Outcome | undefined> {
    this.#assertOpen();
    const fault = idFault(commandId);
    if (fault) throw new InvalidInput(`The command id ${fault}.`, { path: 'commandId' });
    const { untilClosed } = this.#core;
    const commit = await this.#runner.ledger.entry(commandId);
    return commit && replay(this.#core, commit, untilClosed);
  }

  async verify(options?: VerifyOptions): Promise<Verification> {
    this.#assertOpen();
    return verifyLog(this.#core, this.#long, options);
  }

  async status(): Promise<Status> {
    const state = this.#core.watermark.diverged ? 'diverged' : this.#state;
    return statusOf(this.#core, state, this.#executor.queue);
  }

  // Not `async`: whoever closes twice is given the same promise.
  close(options?: CloseOptions): Promise<void> {
    try {
      const { timeout = CLOSE_TIMEOUT_MS } = optionsOf<CloseOptions>('close', options, CLOSE, InvalidInput);
      this.#closed ??= this.#close(timeout);
      return this.#closed;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(timeout: number): Promise<void> {
    const { closing, logger, runtime, session, storeName } = this.#core;
    this.#state = 'closing';
    closing.abort(closedError());
    this.#inFlight.close(this.#runner);
    const done = abortController();
    const late = runtime.sleep(timeout, done.signal);
    const drained = this.#executor.drain();
    const inTime = await first(drained, late);
    if (!inTime) this.#executor.giveUp();
    // What is still asked of the store when nothing is left to be stored is lost by nobody.
    const closed = Promise.all([session.close({ timeoutMs: inTime ? timeout : 0 }), drained]);
    const isClosed = await first(
      closed,
      late.then(() => runtime.sleep(CLOSE_LATE_MS, done.signal)),
    );
    done.abort();
    this.#executor.abandon();
    if (!isClosed) {
      logger.warn(
        { store: storeName },
        'the store didn’t close in time: whatever it was doing goes on without anybody',
      );
      closed.catch((error: unknown) => logger.warn({ err: error }, 'closing the store failed'));
    }
    this.#state = 'closed';
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw closedError();
  }
}

/** Whether `work` is done before `bound` is. */
function first(work: Promise<unknown>, bound: Promise<unknown>): Promise<boolean> {
  return Promise.race([work.then(() => true), bound.then(() => false)]);
}
