/** How much may wait, and who leaves a full queue for one that comes. */
import { Overloaded } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { Entry } from './entry.ts';
import type { ActorLane, QueueLanes } from './queue-lanes.ts';
import type { Request } from './request.ts';

/** What waits to be decided. */
export interface Backlog {
  readonly waiting: number;
  /** Of their inputs. */
  readonly bytes: number;
}

/** @throws Overloaded if one command more would be too many, or too large beside those that wait */
export function assertRoom(limits: Limits, { waiting, bytes }: Backlog, request: Request): void {
  const { queueCommandsMax, queueBytesMax } = limits;
  if (waiting >= queueCommandsMax)
    throw new Overloaded(
      `${queueCommandsMax} commands are waiting already. Nothing was recorded: send it again later, or raise limits.queueCommandsMax.`,
      { waiting, max: queueCommandsMax, limit: 'queueCommandsMax' },
    );
  if (waiting > 0 && bytes + request.bytes > queueBytesMax)
    throw new Overloaded(
      `Commands of ${bytes} bytes are waiting already. Nothing was recorded: send it again later, or raise limits.queueBytesMax.`,
      { waiting, bytes, max: queueBytesMax, limit: 'queueBytesMax' },
    );
}

/** How much of all the room these take up. */
export function shareOf({ queueCommandsMax, queueBytesMax }: Limits, { waiting, bytes }: Backlog): number {
  return Math.max(waiting / queueCommandsMax, bytes / queueBytesMax);
}

/** Most that leave a full queue for one that comes. */
const EVICTED_MAX = 1_000;
/** The one that holds most is looked for among so many lanes, those that have been there longest: a refusal must cost little. */
const LANES_MAX = 1_000;

/**
 * Where the queue is full, the newest of the lane that holds most of it are to leave, as long as that holds more than this
 * one's with it would. As many as this one needs: with what was taken and came back the queue may hold more than it should,
 * and that isn't for the next to make up for. Nobody, where there is room or none can be made.
 */
export function leavingFor(request: Request, limits: Limits, held: Backlog, lanes: QueueLanes): readonly Entry[] {
  const { queueCommandsMax, queueBytesMax } = limits;
  const isFull = (without: Backlog): boolean =>
    held.waiting - without.waiting >= queueCommandsMax ||
    (held.waiting > 0 && held.bytes - without.bytes + request.bytes > queueBytesMax);
  const leaving: Entry[] = [];
  const left = { waiting: 0, bytes: 0 };
  if (!isFull(left)) return NOBODY;
  const own = lanes.find(request);
  const ownShare = shareOf(limits, {
    waiting: (own?.waiting ?? 0) + 1,
    bytes: (own?.bytes ?? 0) + request.bytes,
  });
  const largest = largestOf(lanes, own, limits);
  for (const newest of newestOf(largest)) {
    const others = { waiting: largest.waiting - left.waiting, bytes: largest.bytes - left.bytes };
    if (leaving.length === EVICTED_MAX || shareOf(limits, others) <= ownShare) return NOBODY;
    // What was sent may be stored; and whom `prepare` has called for it can't be called back.
    if (newest.inDoubt || newest.request.command.prepare) return NOBODY;
    leaving.push(newest);
    left.waiting += 1;
    left.bytes += newest.request.bytes;
    if (left.bytes >= request.bytes || !isFull(left)) return leaving;
  }
  return NOBODY;
}

const NOBODY: readonly Entry[] = [];

/** The lane that holds most; this one's, if no other holds more. */
function largestOf(lanes: QueueLanes, own: ActorLane | undefined, limits: Limits): ActorLane {
  let largest = own;
  let looked = 0;
  for (const lane of lanes.values()) {
    largest ??= lane;
    if (lane.waiting === 0) continue;
    if (shareOf(limits, lane) > shareOf(limits, largest)) largest = lane;
    if ((looked += 1) >= LANES_MAX) break;
  }
  return largest!;
}

function* newestOf({ aside, standing }: ActorLane): Generator<Entry> {
  yield* aside.fromLast();
  yield* standing.fromLast();
}

/** What is told of those who leave. */
export function crowdedOut(waiting: number, max: number): Overloaded {
  return new Overloaded(
    `${waiting} commands of the same actor, or of one kind where none is named, are waiting already, and others came. Nothing was recorded by this call: send fewer at once, or raise limits.queueCommandsMax.`,
    { waiting, max, limit: 'queueCommandsMax' },
  );
}
