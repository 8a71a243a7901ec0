/**
 * What a case of the suite is: plain data, so that any test framework can run it.
 */
import type { Store } from '../../store/store.ts';
import { TestLog } from './log.ts';

/**
 * Gives a fresh place with an empty log on each call. It must have the engine's defaults, the system's clock included.
 * Sessions opened on one store share its log, as two servers do.
 */
export type MakeStore = () => Store | Promise<Store>;

/**
 * The law that a case guards (numbered in the project's design), or `'contract'` for a duty that no law demands but that
 * the layers above rely on.
 */
export type Law = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 9 | 'contract';

export interface ConformanceCase {
  readonly name: string;
  readonly law: Law;
  /** Rejects, nearly always with an `AssertionError`, if the engine breaks the law. */
  run(makeStore: MakeStore): Promise<void>;
}

/** A case on one fresh log. Every session that it opened is closed after it. */
export function onLog(law: Law, name: string, use: (log: TestLog) => Promise<void>): ConformanceCase {
  return {
    name,
    law,
    async run(makeStore) {
      const log = await TestLog.on(await makeStore());
      try {
        await use(log);
      } finally {
        await log.close();
      }
    },
  };
}
