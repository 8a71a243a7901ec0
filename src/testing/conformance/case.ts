/**
 * What a case of the suite is: plain data, so that any test framework can run it.
 */
import type { Opening, Store } from '../../store/store.ts';
import { START } from './batches.ts';
import { TestLog } from './log.ts';

/**
 * Each call gives a store with a new, empty log and the store's default options. If `options.clock` is given, the store uses
 * that clock, otherwise its own. Sessions opened on one store share its log, as two servers do.
 */
export type MakeStore = (options: Opening) => Store | Promise<Store>;

/**
 * The law that a case guards (numbered in the project's design), or `'contract'` for what no law demands, but the layers
 * above rely on.
 */
export type Law = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 9 | 'contract';

export interface ConformanceCase {
  readonly name: string;
  readonly law: Law;
  /** Rejects, nearly always with an `AssertionError`, if the store breaks the law. */
  run(makeStore: MakeStore): Promise<void>;
}

/** A case on one new log. Afterwards every session that it opened is closed. */
export function onLog(law: Law, name: string, use: (log: TestLog) => Promise<void>): ConformanceCase {
  return {
    name,
    law,
    async run(makeStore) {
      const log = await TestLog.on(await makeStore({}));
      try {
        await use(log);
      } finally {
        await log.close();
      }
    },
  };
}

/** The store's clock in a case that sets it. */
export interface TestClock {
  now: number;
  /** How far the clock moves each time that it is read. */
  stepMs: number;
}

/** A case that sets the store's clock. The clock says {@link START} until the case sets it. */
export function onClockedLog(
  law: Law,
  name: string,
  use: (log: TestLog, clock: TestClock) => Promise<void>,
): ConformanceCase {
  return {
    name,
    law,
    async run(makeStore) {
      const clock: TestClock = { now: START, stepMs: 0 };
      const log = await TestLog.on(await makeStore({ clock: () => (clock.now += clock.stepMs) }));
      try {
        await use(log, clock);
      } finally {
        await log.close();
      }
    },
  };
}
