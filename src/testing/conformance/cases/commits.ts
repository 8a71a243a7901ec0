/**
 * The commits of the log as they are hashed.
 */
import { PAGE_ROWS_MAX } from '../../../store/store.ts';
import type { CommitRange } from '../../../store/store.ts';
import { commit, event, range, START } from '../batches.ts';
import { onClockedLog, onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { same } from '../plain.ts';

/**
 * Commits of three events at positions 1, 4, 7, 10, 13; recorded at 10, 20, 20, 20, 50 after the start, if the store's
 * clock is no further.
 */
async function five(log: TestLog): Promise<void> {
  const times = [10, 20, 15, 5, 50];
  await log.append(
    times.map((time, n) => commit(`c${n}`, [event('NOTED'), event('NOTED'), event('NOTED')], { time: START + time })),
  );
}

const FIVE = [1, 4, 7, 10, 13];

async function found(log: TestLog, bounds: Partial<CommitRange>): Promise<number[]> {
  return (await log.session.commits({ limit: 100, ...bounds })).map(({ position }) => position);
}

async function within(log: TestLog, bounds: Partial<CommitRange>, expected: readonly number[]): Promise<void> {
  const message = JSON.stringify(bounds);
  same(await found(log, bounds), expected, message);
  same(await found(log, { ...bounds, reverse: true }), [...expected].reverse(), `${message} in reverse`);
}

export const commitsCases = [
  onLog('contract', 'after is exclusive and upTo inclusive, both by a commit’s first position', async (log) => {
    await within(log, {}, []);
    await five(log);
    await within(log, {}, FIVE);
    await within(log, { after: 0, upTo: 99 }, FIVE);
    for (const after of range(0, 14)) {
      await within(
        log,
        { after },
        FIVE.filter((position) => position > after),
      );
      await within(
        log,
        { upTo: after },
        FIVE.filter((position) => position <= after),
      );
    }
    await within(log, { after: 3, upTo: 10 }, [4, 7, 10]);
    await within(log, { after: 4, upTo: 6 }, []);
    await within(log, { after: 10, upTo: 4 }, []);
  }),

  onClockedLog('contract', 'recordedBy goes by the time of recording, not of the decision', async (log) => {
    await five(log);
    await within(log, { recordedBy: START + 9 }, []);
    await within(log, { recordedBy: START + 10 }, [1]);
    // Decided at 5, but recorded when the log had come to 20.
    await within(log, { recordedBy: START + 19 }, [1]);
    await within(log, { recordedBy: START + 20 }, [1, 4, 7, 10]);
    await within(log, { recordedBy: START + 50 }, FIVE);
    await within(log, { recordedBy: START + 20, after: 1, upTo: 7 }, [4, 7]);
    same(await found(log, { recordedBy: START + 49, reverse: true, limit: 1 }), [10]);
  }),

  onLog('contract', 'a limit takes the first, or the last if reversed', async (log) => {
    await five(log);
    same(await found(log, { limit: 2 }), [1, 4]);
    same(await found(log, { limit: 2, after: 1 }), [4, 7]);
    same(await found(log, { limit: 2, reverse: true }), [13, 10]);
    same(await found(log, { limit: 2, reverse: true, upTo: 12 }), [10, 7]);
    same(await found(log, { limit: 9, reverse: true, after: 9 }), [13, 10]);
  }),

  onLog('contract', 'so many commits at most are returned, whatever the limit', async (log) => {
    const many = PAGE_ROWS_MAX + 20;
    await log.append(range(1, many).map((n) => commit(`c${n}`, event('NOTED'))));
    same(await found(log, { limit: many * 2 }), range(1, PAGE_ROWS_MAX));
    same(await found(log, { limit: many * 2, reverse: true }), range(21, many).reverse());
    same(await found(log, { limit: many, after: PAGE_ROWS_MAX }), range(PAGE_ROWS_MAX + 1, many));
  }),
];
