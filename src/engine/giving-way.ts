/**
 * Reading of the whole log gives way: while commands are executed, whoever folds or verifies rests after each stretch as
 * long as that took. So it has half of what one caller can have of the processor and of the store, and takes twice the time.
 */
import type { Core } from './core.ts';
import type { ReadingSession } from './until-closed.ts';

/** The shortest stretch after which it rests, and the longest rest, in milliseconds. */
const STRETCH_MS = 5;
const REST_MS_MAX = 100;

/** A session for one caller who reads the whole log, one call after the other. */
export function givingWay({ runtime, counters, closing, untilClosed }: Core): ReadingSession {
  let since = runtime.elapsed();
  let { commands } = counters;
  const rest = async (): Promise<void> => {
    const took = runtime.elapsed() - since;
    if (took < STRETCH_MS) return;
    if (counters.commands !== commands) await runtime.sleep(Math.min(took, REST_MS_MAX), closing.signal);
    since = runtime.elapsed();
    ({ commands } = counters);
  };
  const resting = <Given extends readonly unknown[], Value>(
    call: (...given: Given) => Promise<Value>,
  ): ((...given: Given) => Promise<Value>) => {
    return async (...given) => {
      await rest();
      return call(...given);
    };
  };
  return {
    registry: resting(untilClosed.registry),
    load: resting(untilClosed.load),
    read: resting(untilClosed.read),
    scan: resting(untilClosed.scan),
    commits: resting(untilClosed.commits),
    ledger: resting(untilClosed.ledger),
    types: resting(untilClosed.types),
    documents: resting(untilClosed.documents),
    check: () => untilClosed.check(rest),
  };
}
