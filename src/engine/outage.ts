/** A store that is away for a while, as readers that go on by themselves live through it: all of them together. */
import { hasCode } from '../errors.ts';
import { abortController } from '../realm.ts';
import type { Core } from './core.ts';
import type { Halt } from './halt.ts';

/** The first pause before the store is asked again, in milliseconds. Each is twice as long as the one before… */
const PAUSE_MS = 20;
/** … up to this: a reader is back within about a second after the store is. */
const PAUSE_MAX_MS = 1_000;

/** What a reader asks of the store. */
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

  /** The pause that is being made: whoever hasn't asked the store yet waits for its end. */
  get pause(): Promise<void> | undefined {
    return this.#pause?.over;
  }

  /**
   * The outage is over once the call that failed last is answered. Another answer says nothing: a store may be read and
   * still fail whoever waits, and each time would then be an outage of its own.
   */
  answered(call: Call): void {
    if (call === this.#failed) this.#tries = 0;
  }

  /**
   * Waits before the store is asked again. Whoever fails during a pause waits for the end of that one.
   *
   * @throws what went wrong, if it isn't that the store is away for a while, or the reason to halt
   */
  async sitOut(call: Call, error: unknown, halt: Halt): Promise<void> {
    // Before the kind of error is looked at: a caller may abort with any reason, and that isn't the store's error.
    halt.assertGoing();
    if (!hasCode(error, 'StoreUnavailable', 'ConnectionsBusy') || !error.retryable) throw error;
    this.#failed = call;
    const { over, end } = (this.#pause ??= this.#begin(error));
    this.#waiting += 1;
    try {
      await halt.orElse(() => over);
    } finally {
      this.#waiting -= 1;
      // Nobody wants the store to be asked any more, so no timer keeps the process from ending.
      if (this.#waiting === 0) end.abort();
    }
  }

  #begin(error: unknown): Pause {
    const { logger, runtime } = this.#core;
    if (this.#tries === 0) logger.warn({ err: error }, 'the store is away: whoever follows the log waits for it');
    // Jitter: all servers have lost the same store at the same moment.
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
