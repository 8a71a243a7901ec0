/**
 * The store says what time it is. One wrong clock must not move the log's time ahead.
 */
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { CLOCK_AHEAD_MAX_MS } from '../../../store/store.ts';
import type { Commit, Stored } from '../../../store/store.ts';
import { at, commit, event, START, user } from '../batches.ts';
import { onClockedLog, onLog } from '../case.ts';
import { everything } from '../log.ts';
import { each, same, throwsCode } from '../plain.ts';

const MINUTE = 60_000;
/** How long the lock is held while another session waits. */
const HELD_MS = 60;
/** How much two clocks may differ in such a short time. */
const ROUNDING_MS = 10;
const ahead = (milliseconds: number) => ({ time: Date.now() + milliseconds });

let ids = 0;
/** A commit with a new id. */
const noted = (time: number): Commit => commit(`noted-${(ids += 1)}`, [event('NOTED'), event('NOTED')], { time });

export const clockCases = [
  onLog('contract', 'a decision too far ahead of the store’s clock is refused, and nothing is stored', async (log) => {
    await log.append(commit('c1', event('NOTED')));
    const batch = [
      commit('c2', event('NOTED', user('u1'))),
      commit('c3', event('NOTED'), ahead(CLOCK_AHEAD_MAX_MS + MINUTE)),
      commit('c4', event('NOTED')),
    ];
    await log.unchangedBy(() => throwsCode('ClockAhead', log.send(batch)));
    same(await log.session.ledger(['c2', 'c3', 'c4']), []);
    // The session goes on.
    same((await log.append(commit('c2', event('NOTED', user('u1'))))).versions, [1]);
  }),

  onLog('contract', 'a decision a little ahead of the store’s clock is stored', async (log) => {
    const { time } = ahead(CLOCK_AHEAD_MAX_MS - MINUTE);
    same((await log.append(commit('c1', event('NOTED'), { time }))).end.recordedAt, time);
  }),

  onLog('contract', 'a wrong clock can’t move the log’s time ahead in small steps either', async (log) => {
    const first = ahead(CLOCK_AHEAD_MAX_MS - MINUTE);
    await log.append(commit('c1', event('NOTED'), first));
    const further = commit('c2', event('NOTED'), { time: first.time + 2 * MINUTE });
    await log.unchangedBy(() => throwsCode('ClockAhead', log.send(further)));
    // A decision that isn't later than the log's time is stored.
    same((await log.append(commit('c3', event('NOTED'), first))).end.recordedAt, first.time);
  }),

  onLog('contract', 'a time that no date can have is a clock ahead, whatever is in the log', async (log) => {
    for (const time of [8.64e15 + 1, Number.MAX_SAFE_INTEGER])
      await log.unchangedBy(() => throwsCode('ClockAhead', log.send(commit('c1', event('NOTED'), { time }))));
  }),

  onClockedLog(
    3,
    'recordedAt is the latest of the store’s clock, the decision’s time and the commit’s before: it never runs backwards',
    async (log, clock) => {
      const at = async (now: number, ...times: readonly number[]): Promise<readonly number[]> => {
        clock.now = START + now;
        const batch = times.map((time) => noted(START + time));
        const { commits, end } = await log.append(batch);
        same(end.recordedAt, commits.at(-1)?.recordedAt);
        return commits.map(({ recordedAt }) => recordedAt - START);
      };
      const recorded = [
        ...(await at(0, 10, 0, 20)),
        ...(await at(25, 19, 30, 1)),
        // The clock goes back, and then it is right again.
        ...(await at(5, 0)),
        ...(await at(40, 35, 0)),
      ];
      same(recorded, [10, 10, 20, 25, 30, 30, 30, 40, 40]);
      const { commits, events } = await everything(log.session);
      same(
        commits.map(({ recordedAt }) => recordedAt - START),
        recorded,
      );
      // The decision's own time is kept beside it.
      same(
        commits.map(({ time }) => time - START),
        [10, 0, 20, 19, 30, 1, 0, 35, 0],
      );
      same(
        events.map(({ commit }) => commit.recordedAt - START),
        recorded.flatMap((time) => [time, time]),
      );
    },
  ),

  onClockedLog(
    'contract',
    'the clock is read once a batch: its commits are recorded at one time',
    async (log, clock) => {
      clock.stepMs = 1_000;
      for (let batch = 1; batch <= 3; batch += 1) {
        const { commits } = await log.append([noted(START), noted(START), noted(START)]);
        same(new Set(each(commits, 'recordedAt')).size, 1);
        same(commits[0]?.recordedAt, clock.now);
      }
    },
  ),

  onClockedLog(
    'contract',
    'what was recorded by a time that has passed is the same for ever, however long ago what comes was decided',
    async (log, clock) => {
      await log.append(noted(START));
      clock.now = START + 10_000;
      const past = { recordedBy: START + 9_999, limit: 10 };
      same((await log.session.commits(past)).length, 1);
      await log.append([noted(START), noted(START + 5_000)]);
      same((await log.session.commits(past)).length, 1);
      same((await log.session.commits({ ...past, recordedBy: START + 10_000 })).length, 3);
    },
  ),

  onLog('contract', 'the clock is read with the write lock held', async (log) => {
    const [session, other] = await log.sessions(2);
    const before = (await log.append(noted(0), { by: other! })).end.recordedAt;
    const asked = performance.now();
    let waiting: Promise<Stored> | undefined;
    await session!.exclusive(async () => {
      waiting = log.append(noted(0), { by: other! });
      await setTimeout(HELD_MS);
    });
    // By the store's own clock, so much time has passed.
    const passed = Math.floor(performance.now() - asked) - ROUNDING_MS;
    const { end } = await waiting!;
    assert(end.recordedAt >= before + Math.min(passed, HELD_MS - ROUNDING_MS), 'it is as if stored before it could be');
  }),

  onLog('contract', 'a store without the option clock uses its own clock, and shows none', async (log) => {
    const { end } = await log.append(commit('c1', event('NOTED'), { time: START }));
    const off = Math.abs(end.recordedAt - Date.now());
    assert(off < MINUTE, `the store’s clock, or this machine’s, is off by ${off} ms`);
    same(log.store.clock, undefined);
  }),

  onClockedLog('contract', 'a store that was given a clock shows it, and uses no other', async (log, clock) => {
    clock.now = START + MINUTE;
    same(log.store.clock?.(), START + MINUTE);
    const session = await log.store.open({ clock: () => START + 2 * MINUTE });
    try {
      same((await log.append(noted(START), { by: session })).end.recordedAt, START + MINUTE);
    } finally {
      await session.close();
    }
  }),

  onLog('contract', 'diverged, behind and refused are answered before the clock is checked', async (log) => {
    await log.append(commit('c1', event('BOUGHT', user('u1'))));
    const late = ahead(CLOCK_AHEAD_MAX_MS + MINUTE);
    await log.refuse(commit('c1', event('NOTED'), late));
    await log.refuse(commit('c2', event('NOTED'), late), { reads: [at(user('u1'), 0)] });
  }),
];
