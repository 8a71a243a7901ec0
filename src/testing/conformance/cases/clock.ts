/**
 * One wrong clock must not drag the log along.
 */
import { CLOCK_AHEAD_MAX_MS } from '../../../store/store.ts';
import { at, commit, event, START, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { same, throwsCode } from '../plain.ts';

const MINUTE = 60_000;
const ahead = (milliseconds: number) => ({ time: Date.now() + milliseconds });

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

  onLog('contract', 'a wrong clock can’t drag the log along in small steps either', async (log) => {
    const first = ahead(CLOCK_AHEAD_MAX_MS - MINUTE);
    await log.append(commit('c1', event('NOTED'), first));
    const further = commit('c2', event('NOTED'), { time: first.time + 2 * MINUTE });
    await log.unchangedBy(() => throwsCode('ClockAhead', log.send(further)));
    // Who decides no later than the log is, goes on.
    same((await log.append(commit('c3', event('NOTED'), first))).end.recordedAt, first.time);
  }),

  onLog('contract', 'a time that no date can have is a clock ahead, however the log stands', async (log) => {
    for (const time of [8.64e15 + 1, Number.MAX_SAFE_INTEGER])
      await log.unchangedBy(() => throwsCode('ClockAhead', log.send(commit('c1', event('NOTED'), { time }))));
  }),

  onLog('contract', 'a decision far behind the log is stored', async (log) => {
    await log.append(commit('c1', event('NOTED'), { time: START }));
    const { end } = await log.append(commit('c2', event('NOTED'), { time: 0 }));
    same(end.recordedAt, START);
  }),

  onLog('contract', 'what stands in the way is answered before the clock is looked at', async (log) => {
    await log.append(commit('c1', event('BOUGHT', user('u1'))));
    const late = ahead(CLOCK_AHEAD_MAX_MS + MINUTE);
    await log.refuse(commit('c1', event('NOTED'), late));
    await log.refuse(commit('c2', event('NOTED'), late), { reads: [at(user('u1'), 0)] });
  }),
];
