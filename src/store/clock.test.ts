/** Point by point what a store believes of its clock; with real processes in test/faults/clock. */
import { describe, expect, test } from 'vitest';
import { ClockAhead, InvalidDefinition } from '../errors.ts';
import { givenClock, machineClock, refuseTimesAhead } from './clock.ts';
import type { Anchor, Clock, Machine, MachineClockOptions } from './clock.ts';
import { commit, event } from '../testing/conformance/batches.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const YEAR = 365 * 24 * HOUR;
const START = Date.UTC(2024, 0, 1);
const decidedAt = (time: number) => [commit('c1', event('NOTED'), { time })];

describe('refuseTimesAhead', () => {
  test('a decision as late as the log is stored, though the clock was set back: nobody waits until it has caught up', () => {
    const recordedAt = 101 * HOUR;
    expect(() => refuseTimesAhead(decidedAt(recordedAt), recordedAt, 100 * HOUR, MINUTE)).not.toThrow();
    expect(() => refuseTimesAhead(decidedAt(recordedAt + 1), recordedAt, 100 * HOUR, MINUTE)).toThrow(ClockAhead);
  });

  test('otherwise the clock’s bound counts, to the millisecond', () => {
    expect(() => refuseTimesAhead(decidedAt(100 * HOUR + MINUTE), 0, 100 * HOUR, MINUTE)).not.toThrow();
    expect(() => refuseTimesAhead(decidedAt(100 * HOUR + MINUTE + 1), 0, 100 * HOUR, MINUTE)).toThrow(ClockAhead);
  });
});

/** A machine, and what its processes see of its clock. */
class Fake {
  clock = START;
  uptime = HOUR;
  monotonic = HOUR;
  boot: string | undefined = 'first';
  /** What stands in the file that its processes share. */
  kept: Anchor | undefined;
  /** How often somebody had to look closer than at the monotonic clock. */
  looks = 0;

  passes(ms: number, { asleep = false } = {}): void {
    this.clock += ms;
    this.uptime += ms;
    if (!asleep) this.monotonic += ms;
  }

  restarts(boot: string | undefined): void {
    this.boot = boot;
    this.uptime = MINUTE;
    this.monotonic = MINUTE;
  }

  /** A process whose clock is off by so much. */
  process(offMs = 0, options: Partial<MachineClockOptions> = {}): Clock {
    const shared = { read: () => this.kept, write: (anchor: Anchor) => void (this.kept = anchor) };
    const machine: Machine = {
      now: () => this.clock + offMs,
      monotonicMs: () => this.monotonic,
      sinceBoot: () => {
        this.looks += 1;
        return { uptimeMs: this.uptime, boot: this.boot };
      },
    };
    return machineClock({ aheadMs: 5 * MINUTE, advice: 'Say so.', shared, ...options }, machine);
  }
}

describe('lesson 30: the machine’s clock is refused', () => {
  test('in a process whose clock is a year ahead of what another one has written by', () => {
    const machine = new Fake();
    const first = machine.process();
    expect(first.read(0)).toBe(START);
    machine.passes(10 * SECOND);
    const wrong = machine.process(YEAR);
    const error = thrownBy(() => wrong.read(START));
    expect(error).toBeInstanceOf(ClockAhead);
    const [now, expected] = [START + 10 * SECOND + YEAR, START + 10 * SECOND];
    expect(error).toMatchObject({ retryable: true, details: { now, expected, aheadMs: 5 * MINUTE } });
    expect((error as Error).message).toContain('Say so.');
    // Until it is mended, and nobody else has seen anything of it.
    expect(() => wrong.read(START)).toThrow(ClockAhead);
    expect(first.read(START)).toBe(START + 10 * SECOND);
  });

  test('as soon as it jumps in the middle of a session, also before the first append, and where the start has no name', () => {
    for (const [boot, appends] of [
      ['first', true],
      ['first', false],
      [undefined, true],
      [undefined, false],
    ] as const) {
      const machine = new Fake();
      machine.boot = boot;
      const clock = machine.process();
      if (appends) clock.read(0);
      machine.passes(HOUR);
      machine.clock += 6 * MINUTE;
      expect(() => clock.read(0), `${boot} ${appends}`).toThrow(ClockAhead);
      machine.clock -= 6 * MINUTE;
      expect(clock.read(0)).toBe(START + HOUR);
    }
  });

  test('if it climbs in small steps', () => {
    const machine = new Fake();
    let [recordedAt, climbed] = [machine.process().read(0), 0];
    const climbs = (): void => {
      for (let minute = 0; minute < 60; minute += 1) {
        machine.passes(MINUTE);
        machine.clock += 20 * SECOND;
        // Each time as a process of its own.
        recordedAt = machine.process().read(recordedAt);
        climbed += 20 * SECOND;
      }
    };
    expect(climbs).toThrow(ClockAhead);
    expect(climbed).toBeLessThanOrEqual(5 * MINUTE);
  });

  test('right to the bound', () => {
    const machine = new Fake();
    const clock = machine.process();
    clock.read(0);
    machine.clock += 5 * MINUTE + SECOND;
    expect(clock.read(0)).toBe(machine.clock);
    machine.clock += 1;
    expect(() => clock.read(0)).toThrow(ClockAhead);
    // No later than the log is, it drags nothing along.
    expect(clock.read(machine.clock)).toBe(machine.clock);
  });
});

describe('a clock that can be right is believed', () => {
  test('while nothing happens, and that costs no look at the machine', () => {
    const machine = new Fake();
    const clock = machine.process();
    clock.read(0);
    machine.looks = 0;
    for (let day = 0; day < 400; day += 1) {
      machine.passes(24 * HOUR);
      expect(clock.read(START)).toBe(machine.clock);
    }
    expect(machine.looks).toBe(0);
  });

  test('after the machine has slept, as the uptime counts that', () => {
    const machine = new Fake();
    const clock = machine.process();
    clock.read(0);
    machine.passes(8 * HOUR, { asleep: true });
    expect(clock.read(START)).toBe(START + 8 * HOUR);
    machine.looks = 0;
    machine.passes(HOUR);
    expect(clock.read(START)).toBe(START + 9 * HOUR);
    expect(machine.looks).toBe(0);
  });

  test('however far it is set back, and when it is set right again', () => {
    const machine = new Fake();
    const clock = machine.process();
    clock.read(0);
    machine.clock -= YEAR;
    machine.passes(2 * MINUTE);
    expect(clock.read(START)).toBe(START - YEAR + 2 * MINUTE);
    expect(machine.process().read(START)).toBe(START - YEAR + 2 * MINUTE);
    machine.clock += YEAR;
    expect(machine.process().read(START)).toBe(START + 2 * MINUTE);
    expect(clock.read(START)).toBe(START + 2 * MINUTE);
  });

  test('if it was behind the log when the machine had started, and was then set right: that is no anchor', () => {
    const machine = new Fake();
    machine.clock = 0;
    const clock = machine.process();
    expect(clock.read(START)).toBe(0);
    expect(machine.kept).toBeUndefined();
    machine.clock = START + 9 * HOUR;
    expect(clock.read(START)).toBe(START + 9 * HOUR);
    expect(machine.kept).toMatchObject({ clockMs: START + 9 * HOUR });
  });

  test('if it is set right by a little every hour, for months', () => {
    const machine = new Fake();
    const clock = machine.process();
    for (let hour = 0; hour < 24 * 90; hour += 1) {
      machine.passes(HOUR);
      machine.clock += SECOND;
      expect(clock.read(START)).toBe(machine.clock);
    }
  });

  test('after a restart of the machine, on another one, and where an image from before was put back', () => {
    const machine = new Fake();
    machine.process().read(0);
    for (const boot of ['second', undefined, 'third']) {
      machine.restarts(boot);
      machine.clock += 7 * HOUR;
      expect(machine.process().read(START)).toBe(machine.clock);
    }
    machine.passes(HOUR);
    machine.uptime = SECOND;
    expect(machine.process().read(START)).toBe(machine.clock);
    // From there on it is held against what it said then.
    expect(machine.kept).toEqual({ boot: 'third', uptimeMs: SECOND, clockMs: machine.clock });
  });

  test('if that is said by name: once is enough, for all', () => {
    const machine = new Fake();
    const old = machine.process();
    old.read(0);
    machine.clock += YEAR;
    expect(() => old.read(START)).toThrow(ClockAhead);
    expect(machine.process(0, { mayJump: true }).read(START)).toBe(START + YEAR);
    machine.passes(HOUR);
    expect(old.read(START)).toBe(START + YEAR + HOUR);
    expect(machine.process().read(START)).toBe(START + YEAR + HOUR);
    expect(() => machine.process(YEAR).read(START)).toThrow(ClockAhead);
  });

  test('if it was given: it is the user’s word', () => {
    let now = START;
    const clock = givenClock(() => now, 0);
    expect(clock.read(0)).toBe(START);
    now += YEAR + 0.5;
    expect(clock.read(0)).toBe(START + YEAR);
  });

  test.each([NaN, Infinity, -1, 8.64e15 + 1, '5', undefined])('unless it says %s, which is no time', (said) => {
    expect(() => givenClock(() => said as number, 0).read(0)).toThrow(InvalidDefinition);
  });
});

test('an anchor whose transaction was undone is made again by the next append', () => {
  const machine = new Fake();
  const clock = machine.process();
  clock.read(0);
  machine.kept = undefined;
  clock.forget?.();
  clock.read(0);
  expect(machine.kept).toMatchObject({ boot: 'first', clockMs: START });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
