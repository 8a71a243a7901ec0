/** The bounds of the queue, and which entries leave a full one for a new one. */
import { Overloaded } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { Entry } from './entry.ts';
import type { ActorLane, QueueLanes } from './queue-lanes.ts';
import type { Request } from './request.ts';

export interface Backlog {
  readonly waiting: number;
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

/** The part of all the room that these take up. */
export function shareOf({ queueCommandsMax, queueBytesMax }: Limits, { waiting, bytes }: Backlog): number {
  return Math.max(waiting / queueCommandsMax, bytes / queueBytesMax);
}

/** The most entries that leave for a new one. */
const EVICTED_MAX = 1_000;
/** How many lanes, the oldest ones, are searched for the one that holds most: a refusal must be cheap. */
const LANES_MAX = 1_000;

/**
 * If the queue is full, the newest entries of the lane that holds most leave, as long as it holds more than the new entry's lane
 * would. Only as many as the new entry needs: entries that came back may have overfilled the queue. None, if there is room or
 * none can be made.
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
  const { waiting, bytes } = own ?? left;
  const ownShare = shareOf(limits, { waiting: waiting + 1, bytes: bytes + request.bytes });
  const largest = largestOf(lanes, own, limits);
  for (const newest of newestOf(largest)) {
    const others = { waiting: largest.waiting - left.waiting, bytes: largest.bytes - left.bytes };
    if (leaving.length === EVICTED_MAX || shareOf(limits, others) <= ownShare) return NOBODY;
    // What was sent may be stored, and the call of `prepare` to the outside world can't be undone.
    if (newest.inDoubt || newest.request.command.prepare) return NOBODY;
    leaving.push(newest);
    left.waiting += 1;
    left.bytes += newest.request.bytes;
    if (left.bytes >= request.bytes || !isFull(left)) return leaving;
  }
  return NOBODY;
}

const NOBODY: readonly Entry[] = [];

/** The lane that holds most; the new entry's own, if no other holds more. */
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

/** The error for those that leave. */
export function crowdedOut(waiting: number, max: number): Overloaded {
  return new Overloaded(
    `${waiting} commands of the same actor, or of one kind where none is named, are waiting already, and others needed room. Nothing was recorded by this call: send fewer at once, or raise limits.queueCommandsMax.`,
    { waiting, max, limit: 'queueCommandsMax' },
  );
}
