/**
 * Reading the whole log gives way to commands: while some are executed, a reader rests after each stretch as long as that took.
 * So it has at most half of what one caller can have of processor and store, and takes twice the time.
 */
import type { Core } from './core.ts';
import { readingBy, type ReadingSession } from './until-closed.ts';

/** The shortest stretch after which it rests, and the longest rest, in milliseconds. */
const STRETCH_MS = 5;
const REST_MS_MAX = 100;

/** The time since a reader rested last. */
export class Stretch {
  readonly #core: Pick<Core, 'runtime' | 'counters' | 'closing'>;
  #since: number;
  #commands: number;

  constructor(core: Pick<Core, 'runtime' | 'counters' | 'closing'>) {
    this.#core = core;
    this.#since = core.runtime.elapsed();
    this.#commands = core.counters.commands;
  }

  /** Rests as long, if commands were executed meanwhile. */
  async rest(): Promise<void> {
    const { runtime, counters, closing } = this.#core;
    const took = runtime.elapsed() - this.#since;
    const isAlone = counters.commands === this.#commands;
    // A command that was on its way meanwhile counts once it was executed.
    if (took < (isAlone ? REST_MS_MAX : STRETCH_MS)) return;
    if (!isAlone) await runtime.sleep(Math.min(took, REST_MS_MAX), closing.signal);
    this.#since = runtime.elapsed();
    this.#commands = counters.commands;
  }
}

/** A session for one reader of the whole log that makes one call after the other. */
export function givingWay(core: Core, session = core.untilClosed): ReadingSession {
  const { closing } = core;
  const stretch = new Stretch(core);
  const rested = async <T>(call: () => Promise<T>): Promise<T> => {
    await stretch.rest();
    return call();
  };
  return {
    ...readingBy(session, rested),
    check: () =>
      session.check(async () => {
        await stretch.rest();
        // Nobody waits for the check any more.
        closing.signal.throwIfAborted();
      }),
  };
}
