/** A store that is away for a while, as a reader that goes on by itself lives through it. */
import { hasCode } from '../errors.ts';
import type { Core } from './core.ts';
import type { Halt } from './halt.ts';

/** The first pause before the store is asked again, in milliseconds. Each is twice as long as the one before… */
const PAUSE_MS = 20;
/** … up to this: a reader is back within about a second after the store is. */
const PAUSE_MAX_MS = 1_000;

/** What a reader asks of the store. */
type Call = 'read' | 'moved';

export class Outage {
  readonly #core: Core;
  #tries = 0;
  #failed: Call | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * The outage is over once the call that failed last is answered. Another answer says nothing: a store may be read and
   * still fail whoever waits, and each time would then be an outage of its own.
   */
  answered(call: Call): void {
    if (call === this.#failed) this.#tries = 0;
  }

  /**
   * Waits before the store is asked again.
   *
   * @throws what went wrong, if it isn't that the store is away for a while, or the reason to halt
   */
  async sitOut(call: Call, error: unknown, halt: Halt): Promise<void> {
    // Before the kind of error is looked at: a caller may abort with any reason, and that isn't the store's error.
    halt.assertGoing();
    if (!hasCode(error, 'StoreUnavailable', 'ConnectionsBusy') || !error.retryable) throw error;
    const { logger, runtime } = this.#core;
    if (this.#tries === 0) logger.warn({ err: error }, 'the store is away: whoever follows the log waits for it');
    // Jitter: all servers have lost the same store at the same moment.
    const pause = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** this.#tries) * (0.5 + runtime.random() / 2);
    this.#tries += 1;
    this.#failed = call;
    await halt.orElse((signal) => runtime.sleep(pause, signal));
  }
}
