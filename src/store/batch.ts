/** What every engine asks of a batch before it looks at the log, and of the times in it. */
import { ClockAhead, InvalidDefinition, InvalidInput } from '../errors.ts';
import type { Batch, Commit } from './store.ts';

/** As the contract has it. */
const HASH = /^[0-9a-f]{64}$/;

/** The last moment that a `Date` can name. A later time is no clock's. */
const TIME_MAX = 8.64e15;

export interface Clock {
  /** The store's own clock, in milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** How far ahead of it a decision's time may be, in milliseconds. */
  readonly aheadMs: number;
}

/** Throws `InvalidInput` unless a batch is one: such a defect of the caller would otherwise be stored for good. */
export function assertBatch({ commits, reads }: Batch): void {
  if (commits.length === 0) throw invalid('it has no commits', {});
  const ids = new Set<string>();
  for (const { command, events, time, digest } of commits) {
    ids.add(command.id);
    if (!HASH.test(command.fingerprint) || !HASH.test(digest)) throw invalid('a hash is none', { command: command.id });
    if (events.length === 0) throw invalid('a commit has no events', { command: command.id });
    if (!Number.isInteger(time) || time < 0) throw invalid('a commit has no time', { command: command.id });
  }
  if (ids.size < commits.length) {
    const twice = commits.find(({ command }) => !ids.delete(command.id));
    throw invalid('a command id stands in it twice', { command: twice?.command.id });
  }
  for (const { collection, id, version } of reads) {
    if (!Number.isInteger(version) || version < 0) throw invalid('a version read is none', { collection, id });
  }
}

/**
 * Throws `ClockAhead` if a commit was decided too far ahead of the clock. Not if it is no later than the log was before
 * the batch: a clock that was set back must not stop everybody until it has caught up.
 */
export function refuseTimesAhead(commits: readonly Commit[], recordedAt: number, { now, aheadMs }: Clock): void {
  const clock = now();
  if (!Number.isFinite(clock)) {
    throw new InvalidDefinition(
      `The store’s clock says ${typeof clock === 'number' ? clock : typeof clock}. Nothing was stored: its option clock must return milliseconds since the Unix epoch.`,
      { option: 'clock' },
    );
  }
  const latest = Math.min(Math.max(clock + aheadMs, recordedAt), TIME_MAX);
  const ahead = commits.find(({ time }) => time > latest);
  if (ahead === undefined) return;
  throw new ClockAhead(
    `The command ${ahead.command.id} was decided at ${moment(ahead.time)}, more than ${aheadMs} ms ahead of the store's ` +
      `clock (${moment(clock)}). Nothing was stored: set the clocks of both machines, then send it again.`,
    { command: ahead.command.id, time: ahead.time, now: clock, aheadMs },
  );
}

function moment(time: number): string {
  return Math.abs(time) <= TIME_MAX ? new Date(time).toISOString() : String(time);
}

function invalid(what: string, where: Readonly<Record<string, unknown>>): InvalidInput {
  return new InvalidInput(
    `The batch can't be stored: ${what}. Nothing was stored: send it as the contract says.`,
    where,
  );
}
