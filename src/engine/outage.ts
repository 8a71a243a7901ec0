/** How readers that follow the log wait for a store that can't be reached: all of them together. */
import { hasCode } from '../errors.ts';
import { abortController } from '../realm.ts';
import type { Core } from './core.ts';
import type { Halt } from './halt.ts';

/** The first pause before the store is asked again, in milliseconds. Each pause is twice as long as the last… */
const PAUSE_MS = 20;
/** … up to this: a reader goes on within about a second after the store is back. */
const PAUSE_MAX_MS = 1_000;

/** Whether an error concerns the whole batch: the store can't be reached, or isn't the same. Others concern one caller. */
export function concernsAll(error: unknown): boolean {
  const ofStore = ['StoreUnavailable', 'ConnectionsBusy', 'NotWritable', 'FormatTooNew', 'HistoryDiverged'] as const;
  return hasCode(error, ...ofStore, 'WrongLog', 'Closed');
}

/** A call to the store. */
type Call = 'read' | 'moved';

interface Pause {
  readonly over: Promise<void>;
  readonly end: AbortController;
}

export class Outage {
  readonly #core: Core;
  #tries = 0;
  #failed: Call | undefined;
  #pause: Pause | undefined;
  #waiting = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The current pause: readers that haven't asked the store yet wait for its end. */
  get pause(): Promise<void> | undefined {
    return this.#pause?.over;
  }

  /** Ends the outage, if this is the call that failed last. Another call says nothing: a store may be read while waiting fails. */
  answered(call: Call): void {
    if (call === this.#failed) this.#tries = 0;
  }

  /**
   * Waits before the store is asked again. All errors during a pause wait for its end.
   *
   * @throws the error, if it isn't an outage, or the reason to halt
   */
  async sitOut(call: Call, error: unknown, halt: Halt): Promise<void> {
    // First: a caller may abort with any reason, also with an error of this kind.
    halt.assertGoing();
    if (!hasCode(error, 'StoreUnavailable', 'ConnectionsBusy') || !error.retryable) throw error;
    this.#failed = call;
    const { over, end } = (this.#pause ??= this.#begin(error));
    this.#waiting += 1;
    try {
      await halt.orElse(() => over);
    } finally {
      this.#waiting -= 1;
      // So that no timer keeps the process running.
      if (this.#waiting === 0) end.abort();
    }
  }

  #begin(error: unknown): Pause {
    const { logger, runtime } = this.#core;
    if (this.#tries === 0) logger.warn({ err: error }, 'the store can’t be reached: readers that follow the log wait');
    // Jitter: all servers have lost the store at the same moment.
    const pause = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** this.#tries) * (0.5 + runtime.random() / 2);
    this.#tries += 1;
    const end = abortController();
    const sleep = async (): Promise<void> => {
      await runtime.sleep(pause, end.signal);
      this.#pause = undefined;
    };
    return { over: sleep(), end };
  }
}
