/**
 * The clock of a store: what time it says, whether that can be right, and how far ahead of it a decision may be.
 *
 * The time of the log is never set back: a wrong clock that moves it ahead does so for good. Where the store has no server
 * with a clock, decisions and store use the same clock of the machine, so comparing the two shows nothing. That clock is
 * compared with the time since the machine started, which nobody can set. An *anchor* is one moment in both times, kept where
 * all processes on the log find it. A clock that has moved further since the anchor than the machine has run isn't believed.
 * The clock may be set back at any time. After a restart of the machine there is nothing to compare the clock with.
 *
 * An anchor is made once, and never by a clock that is behind the log. If it followed the clock in small steps, a wrong clock
 * could move ahead with it; if it followed the clock back, the right time would be refused after a minute of a wrong one.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';
import { ClockAhead } from '../errors.ts';
import { clock as userClock, milliseconds, timeBy, type Checks } from '../options.ts';
import type { Commit } from './store.ts';

/** The options that a store has for its clock. */
export interface ClockOptions {
  /** The store's own clock, in milliseconds since the Unix epoch. Default: the application's, or the machine's. */
  readonly clock?: (() => number) | undefined;
  /** How far ahead of the store's clock a decision's time may be, in milliseconds; then `ClockAhead`. Default: five minutes. */
  readonly clockAheadMs?: number | undefined;
}

export const CLOCK_CHECKS: Checks<ClockOptions> = { clock: userClock, clockAheadMs: milliseconds(Infinity) };

/** The last time that a `Date` can hold. */
const TIME_MAX = 8.64e15;
/** A difference in milliseconds that means nothing: uptimes are rounded, and there are leap seconds. */
const ROUNDING_MS = 1_000;
/** How much faster a right clock may go than the time since the start: it is corrected in small steps. */
const DRIFT = 1 / 1_000;

export interface Clock {
  /**
   * Whole milliseconds since the Unix epoch. Read once a batch, with the write lock held.
   *
   * @param recordedAt of the log, before the batch
   * @throws InvalidDefinition if it throws, or gives no time; ClockAhead if it can't be right and is ahead of the log
   */
  read(recordedAt: number): number;
  /** How far ahead of it a decision's time may be, in milliseconds. */
  readonly aheadMs: number;
  /** To be called when a write was rolled back, which may have held an anchor. */
  forget?(): void;
}

/** A moment by the clock and by the time since the machine started, both in milliseconds. */
export interface Anchor {
  /** Which start of which machine; empty if only this process knows it. */
  readonly boot: string;
  readonly uptimeMs: number;
  readonly clockMs: number;
}

/** Where an anchor is kept. Used with the write lock held. */
export interface AnchorPlace {
  read(): Anchor | undefined;
  write(anchor: Anchor): void;
}

/** The times of a machine. */
export interface Machine {
  /** Milliseconds since the Unix epoch, as the machine's clock was set. */
  now(): number;
  /** Goes on whatever the clock is set to, perhaps not while the machine sleeps. Cheap. */
  monotonicMs(): number;
  /** How long ago the machine started, and the name of that start: undefined where it has none. */
  sinceBoot(): { readonly uptimeMs: number; readonly boot: string | undefined };
}

/**
 * A clock of the user: always believed.
 *
 * @example
 * ```ts
 * import { givenClock, refuseTimesAhead } from 'tidemark/store';
 *
 * const clock = givenClock(() => 1_000, 10);
 * const now = clock.read(0);
 * refuseTimesAhead([], 0, now, clock.aheadMs); // throws ClockAhead for a commit whose time is above 1,010
 * ```
 */
export function givenClock(clock: () => number, aheadMs: number): Clock {
  return { aheadMs, read: () => timeOf(clock) };
}

export interface MachineClockOptions {
  readonly aheadMs: number;
  /** What to do if the clock is right: the end of the message. */
  readonly advice: string;
  /** Believe a clock that jumped, and make a new anchor. */
  readonly mayJump?: boolean;
  /** Where all processes on the log find the anchor. Only used where the machine's start has a name. */
  readonly shared?: AnchorPlace | undefined;
}

/** The clock of the machine: it throws if it can't be right. */
export function machineClock(
  { aheadMs, advice, mayJump = false, shared }: MachineClockOptions,
  machine: Machine = THIS_MACHINE,
): Clock {
  const opened = anchorNow(machine);
  let own: Anchor | undefined;
  const ownPlace: AnchorPlace = { read: () => own, write: (anchor) => void (own = anchor) };
  /** What the clock should have said when it was last compared with the anchor. */
  let checked: { readonly clockMs: number; readonly monotonicMs: number } | undefined;

  return {
    aheadMs,
    forget: () => (checked = undefined),
    read(recordedAt) {
      const now = timeOf(() => machine.now());
      if (checked && now <= checked.clockMs + machine.monotonicMs() - checked.monotonicMs + aheadMs) return now;

      const since = machine.sinceBoot();
      const place = since.boot === undefined || !shared ? ownPlace : shared;
      const kept = comparable(place.read(), since);
      let anchor = kept ?? (opened.clockMs >= recordedAt ? comparable(opened, since) : undefined);
      if (anchor) {
        const passedMs = since.uptimeMs - anchor.uptimeMs;
        const expected = anchor.clockMs + passedMs;
        if (now > Math.max(expected + aheadMs + ROUNDING_MS + passedMs * DRIFT, recordedAt)) {
          if (!mayJump) throw impossible(now, expected, aheadMs, advice);
          anchor = undefined;
        }
      }
      anchor ??= now >= recordedAt ? anchorNow(machine) : undefined;
      if (anchor && anchor !== kept) place.write(anchor);
      checked = anchor && {
        clockMs: anchor.clockMs + since.uptimeMs - anchor.uptimeMs,
        monotonicMs: machine.monotonicMs(),
      };
      return now;
    },
  };
}

// The uptime first: a pause between the two makes the anchor's clock late, and no clock is refused because of that.
function anchorNow(machine: Machine): Anchor {
  const { uptimeMs, boot = '' } = machine.sinceBoot();
  return { boot, uptimeMs, clockMs: machine.now() };
}

/** The anchor, if it is of this start of this machine. An anchor from the future is not: a disk image was put back. */
function comparable(
  anchor: Anchor | undefined,
  { boot = '', uptimeMs }: ReturnType<Machine['sinceBoot']>,
): Anchor | undefined {
  return anchor?.boot === boot && anchor.uptimeMs <= uptimeMs ? anchor : undefined;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

const THIS_MACHINE: Machine = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sinceBoot() {
    // Not imported: that would open the streams of the process. A bare context has no process, and skips the comparison.
    const { process } = globalThis as Partial<Pick<typeof globalThis, 'process'>>;
    const monotonicMs = process ? Number(process.hrtime.bigint()) / 1e6 : 0;
    let uptimeMs: number;
    try {
      uptimeMs = uptime() * 1_000;
    } catch {
      return { uptimeMs: monotonicMs, boot: undefined };
    }
    // A container may have its own, shorter uptime and its machine's name of the start.
    if (uptimeMs < monotonicMs - ROUNDING_MS) return { uptimeMs, boot: undefined };
    try {
      return { uptimeMs, boot: readFileSync(BOOT_ID, 'utf8').trim() || undefined };
    } catch {
      return { uptimeMs, boot: undefined };
    }
  },
};

/**
 * Throws `ClockAhead` if a commit was decided too far ahead of the store's clock, which says `now`. Not for a time that isn't
 * later than the log before the batch: a clock that was set back must not stop all writers until it has caught up.
 */
export function refuseTimesAhead(commits: readonly Commit[], recordedAt: number, now: number, aheadMs: number): void {
  const latest = Math.min(Math.max(now + aheadMs, recordedAt), TIME_MAX);
  const ahead = commits.find(({ time }) => time > latest);
  if (ahead === undefined) return;
  throw new ClockAhead(
    `The command ${ahead.command.id} was decided at ${moment(ahead.time)}, more than ${aheadMs} ms ahead of the store's ` +
      `clock (${moment(now)}). Nothing was stored: set the clocks of both machines, then send it again.`,
    { command: ahead.command.id, time: ahead.time, now, aheadMs },
  );
}

function impossible(now: number, expected: number, aheadMs: number, advice: string): ClockAhead {
  return new ClockAhead(
    `The clock of this machine says ${moment(now)}, but going by the time since it started it is ${moment(expected)}: ` +
      `it was set ahead by more than ${aheadMs} ms. Nothing was stored: set the clock, then send it again. ${advice}`,
    { now, expected: Math.floor(expected), aheadMs },
  );
}

/** The time that the store's clock says. @throws InvalidDefinition if it throws, or gives no time */
export function timeOf(clock: () => number): number {
  return timeBy(clock, 'The store’s clock', TIME_MAX);
}

function moment(time: number): string {
  return Math.abs(time) <= TIME_MAX ? new Date(time).toISOString() : String(time);
}
