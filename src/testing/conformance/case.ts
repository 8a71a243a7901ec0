/**
 * What a case of the suite is: plain data, so that any test framework can run it.
 */
import type { Opening, Store } from '../../store/store.ts';
import { START } from './batches.ts';
import { TestLog } from './log.ts';

/**
 * Gives a fresh place with an empty log on each call, with the store's defaults, its own clock included; but where
 * `options.clock` is given, that is the store's clock. Sessions opened on one store share its log, as two servers do.
 */
export type MakeStore = (options: Opening) => Store | Promise<Store>;

/**
 * The law that a case guards (numbered in the project's design), or `'contract'` for a duty that no law demands but that
 * the layers above rely on.
 */
export type Law = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 9 | 'contract';

export interface ConformanceCase {
  readonly name: string;
  readonly law: Law;
  /** Rejects, nearly always with an `AssertionError`, if the store breaks the law. */
  run(makeStore: MakeStore): Promise<void>;
}

/** A case on one fresh log. Every session that it opened is closed after it. */
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
  /** By how much it goes on each time that it is read. */
  stepMs: number;
}

/** A case on a log whose store goes by a clock of the case's. It says {@link START} until it is set. */
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
