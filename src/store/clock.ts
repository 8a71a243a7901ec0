/**
 * The clock that a store goes by: what it says, whether that can be, and how far ahead of it a decision may be.
 *
 * The log's time is never set back, so whatever drags it ahead does so for good. Where no server of the store's own says
 * what time it is, store and decision share one clock, that of the process, and comparing the two shows nothing. So that
 * clock is held against the time since the machine started, which nobody sets: an *anchor* is one moment by both, kept
 * where all processes on the log find it, and a clock that has come further since then than the machine has isn't
 * believed. It may be set back at any time. After a restart of the machine there is nothing to hold it against but what
 * it says then.
 *
 * An anchor is made once, and never by a clock that is behind the log. If it followed the clock in small steps, a wrong
 * one could climb by them; if it followed it back, a clock that was wrong for a minute would make the right one impossible.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';
import { ClockAhead } from '../errors.ts';
import { timeBy } from '../options.ts';
import type { Commit } from './store.ts';

/** The last moment that a `Date` can name. A later time is no clock's. */
const TIME_MAX = 8.64e15;
/** What an anchor and a look at the clock may differ by for nothing: uptimes are rounded, seconds leap. In milliseconds. */
const ROUNDING_MS = 1_000;
/** How much faster a right clock may go than the time since the start: it is set right in small steps, by a second here and there. */
const DRIFT = 1 / 1_000;

export interface Clock {
  /**
   * Whole milliseconds since the Unix epoch. Read once a batch, with the write lock held.
   *
   * @param recordedAt - of the log, before the batch.
   * @throws InvalidDefinition if it throws, or gives no time; ClockAhead if it can't be right, and is ahead of the log
   */
  read(recordedAt: number): number;
  /** How far ahead of it a decision's time may be, in milliseconds. */
  readonly aheadMs: number;
  /** What was written since it was last read may have been undone. */
  forget?(): void;
}

/** A moment by the clock and by the time since the machine started, both in milliseconds. */
export interface Anchor {
  /** Which start of which machine; the empty string for one that only this process knows. */
  readonly boot: string;
  readonly uptimeMs: number;
  readonly clockMs: number;
}

/** Where an anchor is kept. Both are called with the write lock held. */
export interface AnchorPlace {
  read(): Anchor | undefined;
  write(anchor: Anchor): void;
}

/** What a machine says of time. */
export interface Machine {
  /** Milliseconds since the Unix epoch, as the machine's clock was set. */
  now(): number;
  /** Goes on whatever the clock is set to, but perhaps not while the machine sleeps. Cheap. */
  monotonicMs(): number;
  /** How long ago the machine started, asleep or not, and which start that was: undefined where it has no name. */
  sinceBoot(): { readonly uptimeMs: number; readonly boot: string | undefined };
}

/**
 * A clock that the user gave: it is believed.
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
  /** What to do if the clock is right all the same. */
  readonly advice: string;
  /** Believe it all the same, and anchor it anew. */
  readonly mayJump?: boolean;
  /** Where all processes on the log find the anchor. Used only where the machine's start has a name. */
  readonly shared?: AnchorPlace | undefined;
}

/** The machine's clock, as long as it can be right. */
export function machineClock(
  { aheadMs, advice, mayJump = false, shared }: MachineClockOptions,
  machine: Machine = THIS_MACHINE,
): Clock {
  const opened = anchorNow(machine);
  let own: Anchor | undefined;
  const ownPlace: AnchorPlace = { read: () => own, write: (anchor) => void (own = anchor) };
  /** What the clock should have said when it was last held against the anchor. */
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

// The uptime first: a pause between the two makes the anchor a little late, which nobody is refused for.
function anchorNow(machine: Machine): Anchor {
  const { uptimeMs, boot = '' } = machine.sinceBoot();
  return { boot, uptimeMs, clockMs: machine.now() };
}

/** An anchor of this start of this machine. One from its future is of another: an image that was put back. */
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
    // Not imported: that would open this process's streams. A bare context has none, and does without the comparison.
    const { process } = globalThis as Partial<Pick<typeof globalThis, 'process'>>;
    const monotonicMs = process ? Number(process.hrtime.bigint()) / 1e6 : 0;
    let uptimeMs: number;
    try {
      uptimeMs = uptime() * 1_000;
    } catch {
      return { uptimeMs: monotonicMs, boot: undefined };
    }
    // A container may have an uptime of its own under the name of its machine's start: less than the kernel's clock says.
    if (uptimeMs < monotonicMs - ROUNDING_MS) return { uptimeMs, boot: undefined };
    try {
      return { uptimeMs, boot: readFileSync(BOOT_ID, 'utf8').trim() || undefined };
    } catch {
      return { uptimeMs, boot: undefined };
    }
  },
};

/**
 * Throws `ClockAhead` if a commit was decided too far ahead of the store's clock, which says `now`. Not if it is no later
 * than the log was before the batch: a clock that was set back must not stop everybody until it has caught up.
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

/** What the store's clock says. @throws InvalidDefinition if it throws, or gives no time */
export function timeOf(clock: () => number): number {
  return timeBy(clock, 'The store’s clock', TIME_MAX);
}

function moment(time: number): string {
  return Math.abs(time) <= TIME_MAX ? new Date(time).toISOString() : String(time);
}
