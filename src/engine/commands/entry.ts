/** A command in the queue, and the caller who waits for it. */
import type { Place } from '../../line.ts';
import type { Folded } from '../../model/reduce.ts';
import { listen } from '../../signal.ts';
import type { DocumentMap } from '../../document-map.ts';
import type { Outcome } from './outcome.ts';
import type { Request } from './request.ts';

export interface Waited {
  /** How often for each. */
  readonly times: DocumentMap<number>;
  /** Those that the cache didn't take, as they were then. */
  readonly brought: DocumentMap<Folded>;
}

export class Entry {
  readonly request: Request;
  readonly prepared: unknown;
  readonly promise: Promise<Outcome>;
  /**
   * Where the log ended, as far as was known, when it was first sent to the store without an answer: its own commit may be what
   * the ledger then shows behind that.
   */
  sentAfter: number | undefined;
  /** Whether another of the same id was, and this one waited for what comes of that. */
  followsDoubt = false;
  /** How often it was sent to the store and refused, or couldn't be decided in time. */
  tries = 0;
  /** Documents that it has waited for, as they take long to load. Made when it does, which is rare. */
  waited: Waited | undefined;
  /** How much of what one batch may cost it has taken up, since it was taken from the queue. */
  batchPart = 0;
  /** How much of that is waiting for documents: others may be to blame for it. */
  waitPart = 0;
  /** Turns of its lane that were spent on taking it from the queue. */
  paid = 0;
  /** Whether it stands in a batch that was sent, and may be stored by that. */
  sent = false;
  /** Whether it was told what came of it. Whoever gives up isn't: it may still be stored. */
  answered = false;
  /** What came of it, if something did. */
  outcome: Outcome | undefined;
  /** When it came into the queue, among the others; and where it stands there. */
  order = 0;
  place: Place<Entry> | undefined;
  #settled = false;
  #over = false;
  #deafen: (() => void) | undefined;
  #ended: PromiseWithResolvers<void> | undefined;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #reject: (error: unknown) => void;

  constructor(request: Request, prepared: unknown) {
    this.request = request;
    this.prepared = prepared;
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /**
   * Gives up waiting when the signal aborts; `gaveUp` is called then.
   *
   * @throws InvalidInput if it can't be listened to
   */
  giveUpOn(signal: AbortSignal, gaveUp: () => void): void {
    this.#deafen = listen(signal, (reason) => {
      this.#settle();
      this.#reject(reason);
      gaveUp();
    });
  }

  get id(): string {
    return this.request.facts.id;
  }

  /** Whether its id may be in the ledger by what got no answer. */
  get inDoubt(): boolean {
    return this.sentAfter !== undefined || this.followsDoubt;
  }

  /** Whether the caller has been answered, or has given up. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Resolves when nothing can come of it any more: it may be stored although its caller gave up. */
  get ended(): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#ended ??= Promise.withResolvers();
    return this.#ended.promise;
  }

  /** Whoever executes it is through with it. */
  end(): void {
    this.#over = true;
    this.#ended?.resolve();
  }

  resolve(outcome: Outcome): void {
    this.answered = true;
    this.outcome = outcome;
    this.#settle();
    this.#resolve(outcome);
  }

  reject(error: unknown): void {
    this.answered = true;
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.#settled = true;
    this.#deafen?.();
  }
}
