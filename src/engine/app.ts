/** An open application. */
import type { AnyCollection, Collection, CollectionDefinition, IdOf } from '../model/collection.ts';
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
import { Growth } from './growing/growth.ts';
import { rebuild, type RebuildOptions, type Rebuilt } from './growing/rebuild.ts';
import type { Progress } from './registry/readiness.ts';
import type { Finding } from './queries/finding.ts';
import { Queries } from './queries/queries.ts';
import { queriedOf } from './reduction/queried.ts';
import { Reduction } from './reduction/reduction.ts';
import { askedOf, together, type Asked } from './reduction/reduction-status.ts';
import { getDocuments, knownCollection, type At } from './reading/get.ts';
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
export type StateOf<C> = C extends Collection<string, infer State, infer _> ? State : never;

/** An application: a domain running on a store. Made by `open`. `await using` closes it. */
export interface App<Commands extends AnyCommand = AnyCommand, Collections extends AnyCollection = AnyCollection>
  extends AsyncDisposable, Finding<Collections> {
  /**
   * Executes a command and returns its outcome, once that is on stable storage. A failure is an outcome too.
   *
   * @throws InvalidInput if the input or an option is wrong (nothing is recorded). An input that an earlier release accepted,
   * sent again under the same id, is still answered from the ledger
   * @throws Overloaded if too many commands wait; also later, if this actor has most of them when others come
   * @throws CommandIdReused if the id was used for another command, input or actor
   * @throws Conflict if a document in `unchanged` has changed
   * @throws StoreUnavailable if the store can't be reached: send it again with the same id; ConnectionsBusy
   * @throws HistoryDiverged if the store went back in time
   * @throws NotWritable if the log was opened for reading
   * @throws WrongLog if another log, or none, is now where this one was
   * @throws Closed after `close`
   */
  execute<C extends Commands>(command: C, input: InputOf<C>, options?: ExecuteOptions): Promise<OutcomeOf<C>>;

  /**
   * One document, now or as it was. If it doesn't exist, it is at version 0 with its initial state. It is asked for by its id, or
   * by the fields of its key's template: `get(days, { room_id, day })`.
   *
   * @throws Overloaded if too many documents wait to be read; and the store's errors, as `execute`
   */
  get<C extends Collections>(collection: C, id: IdOf<C>, at?: At): Promise<Document<StateOf<C>>>;
  /** Several documents at one consistent point, in the order of the ids. */
  get<C extends Collections>(
    collection: C,
    ids: readonly IdOf<C>[],
    at?: Omit<At, 'version'>,
  ): Promise<readonly Document<StateOf<C>>[]>;

  /**
   * Every document of a collection, folded again from event 1 at one consistent point: one pass over the log, without the
   * cache. Memory grows with the number of documents. Several collections take no more passes than one.
   *
   * A document whose reducer or upcast fails doesn't stop the others: `failed` names it, and reading its `state` throws.
   *
   * @throws DomainOutdated if an event is newer than this code, or another release has retired the definition that this code reads
   * by; InvalidInput if anything else is passed
   */
  fold<C extends Collections>(collection: C): Promise<FoldedDocuments<StateOf<C>>>;
  fold<const Cs extends readonly Collections[]>(
    collections: Cs,
  ): Promise<{ readonly [K in keyof Cs]: FoldedDocuments<StateOf<Cs[K]>> }>;

  /**
   * The events attached to a document, in the order of its versions. Follows like {@link App.events}.
   *
   * @throws as {@link App.events}; DomainOutdated if another release has retired the definition that this code reads by: one that
   * follows is told at the next event of the log
   */
  history<C extends Collections>(
    collection: C,
    id: IdOf<C>,
    options?: HistoryOptions,
  ): AsyncIterableIterator<RecordedEvent>;

  /**
   * The events of the log, in its order or in reverse. With `follow` it goes on after the end: each event once, in order, from
   * whatever process. Keep `position` and `hash` of the last event that you have handled, and follow after them next time.
   *
   * @throws InvalidInput if an option is wrong, or `follow` is given with `before` or `reverse`; while iterating the reason of
   * the signal, `Closed`, `StoreUnavailable` unless it follows, and `HistoryDiverged` if the log doesn't hold what this server
   * has seen, or the place `after`
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
   * The outcome of a command, by its id; undefined if none was recorded.
   *
   * @throws Overloaded if too many calls wait for an outcome; and the store's errors, as `execute`
   */
  outcome(commandId: string): Promise<Outcome<string, AnyEvent> | undefined>;

  /**
   * Folds a collection's stored documents again from event 1, beside the live ones and while others write; says which came out
   * different, and puts the new ones in their place. For documents that were made by reducers that were wrong, or not pure:
   * raise `definition` where the reducers mean something else now. If the process ends before it is
   * done, another server goes on with it, or the next that is opened. Of several calls one sees to it, and the others wait for that.
   *
   * @throws UnknownCollection; InvalidInput if an option is wrong, or this application doesn't reduce; NotWritable on a log
   * that is only read; the signal's reason; and
   * the store's errors, as `execute`
   */
  rebuild<C extends Collections>(collection: C, options?: RebuildOptions): Promise<Rebuilt>;

  /**
   * Walks the hash chain from the first commit, checks positions, versions and attachments, and folds every document again.
   * Takes as long as reading the whole log; nothing is changed. It can't see an older copy, or a log that lost its end: keep
   * `position` and `hash` of `status()` elsewhere, and pass them as `expect`.
   *
   * @throws an error that stops the check and says nothing about the log: `StoreUnavailable`, `ConnectionsBusy`,
   * `HistoryDiverged`, `WrongLog`, `Closed`, `Overloaded`, or `DomainOutdated` where this code is older than the log
   */
  verify(options?: VerifyOptions): Promise<Verification>;

  /**
   * The end of the log, the queue, the cache, counters. Once the application is closed, or is being closed, what was last known.
   *
   * @throws the store's errors, as `execute`: `StoreUnavailable` while it can't be reached; HistoryDiverged if it finds that the
   * store went back, and from then on `state` says it
   */
  status(): Promise<Status>;

  /**
   * Closes it, within a bound: a server that is told to stop is killed some seconds later.
   *
   * At once no new call is taken. Calls that read, or wait for a `prepare`, get `Closed`; the `prepare` gets its signal. The
   * queue is stored within `timeout` milliseconds ({@link CLOSE_TIMEOUT_MS} by default; 0 waits for nothing). A command that
   * isn't stored then gets `Closed` if it was never sent to the store, or `StoreUnavailable` with `details.unknown: true` if
   * it was sent and not answered. Then the store is closed.
   *
   * It resolves {@link CLOSE_LATE_MS} after the timeout at the latest, unless the event loop is held. Called again, it returns
   * the same promise. `await using` closes with the default.
   *
   * @throws InvalidInput if an option is wrong: then nothing is closed
   */
  close(options?: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /** How long storing the queue may take, in milliseconds. */
  readonly timeout?: number | undefined;
}

const NOT_ASKED: Asked = { places: new Map(), failed: [], errors: [] };

const CLOSE: Checks<CloseOptions> = { timeout: milliseconds(TIMER_MAX_MS) };

function openedForReading(store: string): NotWritable {
  return new NotWritable(
    'The log was opened for reading (readOnly): nothing was recorded. Send commands to an application that may write.',
    { store },
  );
}

/** Options are refused: they could ask for an earlier state. */
function foldsAll(): InvalidInput {
  return new InvalidInput(
    'fold takes collections, and no options: it returns their documents as they are now. Read one document as it was with get(collection, id, { position }).',
    { path: 'options' },
  );
}

function tooManyLongReads(waiting: number, max: number): Overloaded {
  return new Overloaded(
    `${waiting} calls that read the whole log are waiting already: call fewer at once, and this one again later, or raise limits.longReadsWaitingMax.`,
    { waiting, max, limit: 'longReadsWaitingMax' },
  );
}

export class Application implements App {
  readonly #core: Core;
  /** Shared by the applications of this process on the same store. */
  readonly #inFlight: InFlight;
  readonly #executor: Executor;
  readonly #runner: Runner;
  readonly #loads: SharedLoad;
  readonly #long: InTurn;
  readonly #reduction: Reduction;
  readonly #growth: Growth;
  readonly #queries: Queries;
  /** What runs beside the calls until it is closed. */
  #background: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(core: Core, inFlight: InFlight) {
    this.#core = core;
    this.#inFlight = inFlight;
    this.#executor = new Executor(core);
    this.#runner = { core, executor: this.#executor, ledger: new SharedLedger(core) };
    this.#loads = new SharedLoad(core);
    this.#reduction = new Reduction(core);
    this.#growth = new Growth(core, this.#reduction);
    this.#queries = new Queries(queriedOf(core, this.#reduction));
    unused.register(this, core, this);
    const { longReadsMax, longReadsWaitingMax } = core.limits;
    this.#long = new InTurn(longReadsMax, (waiting) => {
      if (waiting >= longReadsWaitingMax) throw tooManyLongReads(waiting, longReadsWaitingMax);
    });
  }

  /** Begins what runs beside the calls. With `onProgress` it resolves when all documents have been made. */
  async begin(reduces: boolean, onProgress?: (progress: Progress) => unknown): Promise<void> {
    // A log that is opened for reading is reduced by other servers.
    if (reduces && !this.#core.session.readOnly) this.#reduction.start();
    this.#background = Promise.all([this.#reduction.ended(), this.#growth.run()]);
    if (onProgress) await this.#growth.finished(onProgress);
  }

  // The public types are those of App; here every command is any command. Not `async`: a command without `prepare` is
  // answered by the promise that waits in the queue, and one more promise would cost every command.
  // eslint-disable-next-line typescript/no-explicit-any
  execute(command: AnyCommand, input: unknown, options?: ExecuteOptions): Promise<any> {
    try {
      this.#assertOpen();
      this.#core.watermark.assertWhole();
      // Before `prepare` calls the outside world for a command that can't be stored.
      if (this.#core.session.readOnly) throw openedForReading(this.#core.storeName);
      const request = requestOf(this.#core, command, input, options);
      request.signal?.throwIfAborted();
      // Without `prepare` too, while another command is on its way under the same id.
      if (request.command.prepare || request.refusal || this.#inFlight.has(request.facts.id))
        return this.#inFlight.wait(this.#runner, request);
      const entry = new Entry(request, undefined);
      this.#executor.submit(entry, request.signal);
      return entry.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async get(collection: AnyCollection, ids: unknown, at?: At): Promise<never> {
    this.#assertOpen();
    const several = reading('get', () => Array.isArray(ids), InvalidInput);
    const asked = (several ? ids : [ids]) as readonly unknown[];
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

  history(collection: AnyCollection, id: unknown, options?: HistoryOptions): AsyncIterableIterator<RecordedEvent> {
    this.#assertOpen();
    return this.#read(readHistory(this.#core, collection, id, options));
  }

  async find(collection: AnyCollection, options?: unknown): Promise<never> {
    return (await this.#queries.find(this.#queried(collection), options)) as never;
  }

  async count(collection: AnyCollection, options?: unknown): Promise<number> {
    return this.#queries.count(this.#queried(collection), options);
  }

  list(collection: AnyCollection, options?: unknown): AsyncIterableIterator<never> {
    return this.#read(this.#queries.list(this.#queried(collection), options)) as never;
  }

  watch(collection: AnyCollection, given?: unknown, options?: unknown): AsyncIterableIterator<never> {
    return this.#read(this.#queries.watch(this.#queried(collection), given, options)) as never;
  }

  events(options?: EventsOptions): AsyncIterableIterator<RecordedEvent> {
    this.#assertOpen();
    return this.#read(readEvents(this.#core, options));
  }

  async outcome(commandId: string): Promise<Outcome | undefined> {
    this.#assertOpen();
    const fault = idFault(commandId);
    if (fault) throw new InvalidInput(`The command id ${fault}.`, { path: 'commandId' });
    const commit = await this.#runner.ledger.entry(commandId);
    return commit && replay(this.#core, commit, this.#core.untilClosed);
  }

  async rebuild(collection: AnyCollection, options?: RebuildOptions): Promise<Rebuilt> {
    this.#assertOpen();
    return rebuild(this.#core, this.#reduction, collection, options);
  }

  async verify(options?: VerifyOptions): Promise<Verification> {
    this.#assertOpen();
    return verifyLog(this.#core, this.#long, options);
  }

  async status(): Promise<Status> {
    const state = this.#state;
    try {
      return await this.#status();
    } catch (error) {
      // Closed meanwhile: then the store isn't asked.
      if (this.#state === state) throw error;
      return this.#status();
    }
  }

  async #status(): Promise<Status> {
    const state = this.#core.watermark.diverged ? 'diverged' : this.#state;
    const status = await statusOf(this.#core, state, this.#executor.queue);
    const asked = state === 'open' ? await askedOf(this.#core) : NOT_ASKED;
    if (asked !== NOT_ASKED) this.#reduction.saw(asked.places);
    return {
      ...status,
      making: this.#growth.progress(),
      reduction: together(this.#reduction.status(), asked),
      unserved: this.#queries.unserved(),
    };
  }

  // Not `async`: a second call returns the same promise.
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
    // Calls that are still open when the queue is stored are no loss.
    const closed = Promise.all([session.close({ timeoutMs: inTime ? timeout : 0 }), drained, this.#background]);
    const isClosed = await first(
      closed,
      late.then(() => runtime.sleep(CLOSE_LATE_MS, done.signal)),
    );
    done.abort();
    this.#executor.abandon();
    if (!isClosed) {
      logger.warn({ store: storeName }, 'the store didn’t close in time: the application no longer waits for it');
      closed.catch((error: unknown) => logger.warn({ err: error }, 'closing the store failed'));
    }
    this.#state = 'closed';
    // What is kept for later holds an error that was made here, whose stack holds this application.
    unused.unregister(this);
  }

  #read<T extends object>(iterator: T): T {
    readBy.set(iterator, this);
    return iterator;
  }

  #queried(collection: AnyCollection): CollectionDefinition {
    this.#assertOpen();
    return knownCollection(this.#core, collection);
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw closedError();
  }
}

/**
 * What runs in the background holds the parts of an application, not the application: one that nobody uses any more goes, and its
 * connections with it.
 */
const unused = new FinalizationRegistry<Core>(({ closing, session }) => {
  closing.abort(closedError());
  void session.close().catch(() => undefined);
});

/** Iterators that are read need their application, also where nobody else holds it. */
const readBy = new WeakMap<object, Application>();

/** Whether `work` is done before `bound` is. */
function first(work: Promise<unknown>, bound: Promise<unknown>): Promise<boolean> {
  return Promise.race([work.then(() => true), bound.then(() => false)]);
}
