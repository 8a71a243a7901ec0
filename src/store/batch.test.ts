import { describe, expect, test } from 'vitest';
import { ClockAhead, InvalidDefinition } from '../errors.ts';
import { refuseTimesAhead } from './batch.ts';
import { commit, event } from '../testing/conformance/batches.ts';

const HOUR = 3_600_000;
const decidedAt = (time: number) => [commit('c1', event('NOTED'), { time })];

describe('refuseTimesAhead', () => {
  test('a decision as late as the log is stored, though the clock was set back: nobody waits until it has caught up', () => {
    const clock = { now: () => 100 * HOUR, aheadMs: 60_000 };
    const recordedAt = 101 * HOUR;
    expect(() => refuseTimesAhead(decidedAt(recordedAt), recordedAt, clock)).not.toThrow();
    expect(() => refuseTimesAhead(decidedAt(recordedAt + 1), recordedAt, clock)).toThrow(ClockAhead);
  });

  test('otherwise the clock’s bound counts, to the millisecond', () => {
    const clock = { now: () => 100 * HOUR, aheadMs: 60_000 };
    expect(() => refuseTimesAhead(decidedAt(100 * HOUR + 60_000), 0, clock)).not.toThrow();
    expect(() => refuseTimesAhead(decidedAt(100 * HOUR + 60_001), 0, clock)).toThrow(ClockAhead);
  });

  test('a clock that gives no time is named', () => {
    expect(() => refuseTimesAhead(decidedAt(1), 0, { now: () => NaN, aheadMs: 1 })).toThrow(InvalidDefinition);
  });
});
