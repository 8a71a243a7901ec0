/** A command in the queue, and the caller that waits for it. */
import type { Place } from '../../line.ts';
import { listen } from '../../signal.ts';
import type { DocumentMap } from '../../document-map.ts';
import type { Brought } from './late.ts';
import type { Outcome } from './outcome.ts';
import type { Request } from './request.ts';

export interface Waited {
  /** How often each was waited for. */
  readonly times: DocumentMap<number>;
  /** The documents that the cache didn't take. */
  readonly brought: DocumentMap<Brought>;
}

export class Entry {
  readonly request: Request;
  readonly prepared: unknown;
  readonly promise: Promise<Outcome>;
  /** The known end of the log when it was first sent and got no answer: a commit behind that may be its own. */
  sentAfter: number | undefined;
  /** Whether it waited for another in doubt with the same id. */
  followsDoubt = false;
  /** How often it was sent and refused, or couldn't be decided in time. */
  tries = 0;
  /** Documents that took long to load. Rare, so made when needed. */
  waited: Waited | undefined;
  /** How much of a batch's cost it has taken up since it was taken from the queue. */
  batchPart = 0;
  /** The part of that spent waiting for documents: other commands may have caused it. */
  waitPart = 0;
  /** Turns of its lane that it has used. */
  paid = 0;
  /** Whether a batch with it was sent, and may be stored. */
  sent = false;
  /** Whether its caller got a result. A caller that gave up didn't: the command may still be stored. */
  answered = false;
  outcome: Outcome | undefined;
  /** Its number in the order of arrival, and its place in the queue. */
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

  /** Gives up waiting when the signal aborts, and calls `gaveUp`. @throws InvalidInput if the signal can't be listened to */
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

  /** Whether a try without an answer may have put its id into the ledger. */
  get inDoubt(): boolean {
    return this.sentAfter !== undefined || this.followsDoubt;
  }

  /** Whether the caller got a result or gave up. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Resolves when nothing can come of it any more: it may be stored although its caller gave up. */
  get ended(): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#ended ??= Promise.withResolvers();
    return this.#ended.promise;
  }

  /** Nothing can come of it any more. */
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
