/**
 * What waits to be decided, in order: bounded in commands and in bytes. Whoever gives up leaves it at once, and whoever
 * sends an id again that is waiting, or being executed, waits for what comes of that; so each step costs the same however
 * many wait.
 */
import { Overloaded } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { Line, type Place } from '../line.ts';
import type { Entry } from './entry.ts';
import type { Request } from './request.ts';
import type { Waiting } from './status.ts';

/** @throws Overloaded if one command more would be too many, or too large beside those that wait */
export function assertRoom(limits: Limits, { waiting, bytes }: Waiting, request: Request): void {
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
export function shareOf({ queueCommandsMax, queueBytesMax }: Limits, { waiting, bytes }: Waiting): number {
  return Math.max(waiting / queueCommandsMax, bytes / queueBytesMax);
}

/** The actor; where none is named, the command. Names and actors have no NUL in them. */
export function laneName({ facts: { actor, name } }: Request): string {
  return actor === undefined ? `\0${name}` : actor;
}

/**
 * Those of one actor; where none is named, of one command. Lanes take turns where more wait than fit, fewer the more theirs
 * cost, and one that holds most of a full queue makes room for others: who asks for too much waits, and is refused, at their
 * own cost.
 */
interface Lane {
  readonly name: string;
  /** The round from which it has turns again. */
  due: number;
  /** Where it stands among the lanes; and among those that are owed a turn. */
  place: Place<Lane> | undefined;
  owed: Place<Lane> | undefined;
  readonly standing: Line<Entry>;
  /** Those who wait for something else than their turn: their id stands in line already, or was taken; documents are loaded. */
  readonly aside: Line<Entry>;
  waiting: number;
  bytes: number;
}

/** Most that leave a full queue for one that comes. */
const EVICTED_MAX = 100;
/** Among more lanes nobody looks for the one that holds most: a refusal must cost little. */
const LANES_MAX = 1_000;

export class CommandQueue implements Waiting {
  readonly #limits: Limits;
  /** Those in which somebody waits, and the order in which they have their turns. */
  readonly #lanes = new Map<string, Lane>();
  readonly #order = new Line<Lane>();
  /** Lanes whose command was taken, and came back: their turn is still to come. */
  readonly #owed = new Line<Lane>();
  /** Rounds in which each lane had a turn, and how many lanes the one under way has passed. */
  #round = 0;
  #passed = 0;
  /** How many stand in line. */
  #standing = 0;
  #entered = 0;
  /** Of each id the one that stands in line, or was taken and isn't over. */
  readonly #leads = new Map<string, Entry>();
  /** Those that were sent while it does. */
  readonly #followers = new Map<string, Set<Entry>>();
  #waiting = 0;
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Commands that wait; those that were taken don't. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Bytes of their inputs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nobody stands in line. */
  get isEmpty(): boolean {
    return this.#standing === 0;
  }

  /** @throws Overloaded; InvalidInput if the signal can't be listened to */
  add(entry: Entry, signal: AbortSignal | undefined): void {
    if (!this.#makeRoom(entry)) assertRoom(this.#limits, this, entry.request);
    // Not before it is accepted: a listener for each refusal would pile up.
    if (signal) entry.giveUpOn(signal, () => this.#leave(entry));
    this.#count(entry, 1);
    const lead = this.#leads.get(entry.id);
    if (lead === undefined) this.#enter(entry);
    else {
      entry.place = this.#lane(entry.request).aside.add(entry);
      const followers = this.#followers.get(entry.id);
      if (followers) followers.add(entry);
      else this.#followers.set(entry.id, new Set([entry]));
    }
  }

  /**
   * The next of them, no id twice: one of each lane in turn; in the order they came where all are taken `inOrder`. Each is to
   * be given back, or to be said over.
   */
  take(max: number, { inOrder = true }: { inOrder?: boolean } = {}): Entry[] {
    const taken: Entry[] = [];
    const isAll = inOrder && this.#standing <= max;
    while (this.#standing > 0 && taken.length < max) {
      const entry = this.#nextLane(isAll)?.standing.first;
      if (!entry) continue;
      this.#stepOut(entry);
      this.#count(entry, -1);
      taken.push(entry);
    }
    return isAll ? taken.sort((one, other) => one.order - other.order) : taken;
  }

  /** One that was taken waits for documents, aside. It is to be unparked, and then given back or said over. */
  park(entry: Entry): void {
    entry.place = this.#lane(entry.request).aside.add(entry);
    this.#count(entry, 1);
  }

  unpark(entry: Entry): void {
    if (this.#lanes.get(laneName(entry.request))?.aside.leave(entry.place)) this.#count(entry, -1);
  }

  /** Those that are to be decided again come first in their lanes, in their order, and their lanes before others. */
  giveBack(entries: readonly Entry[]): void {
    for (let index = entries.length - 1; index >= 0; index -= 1) {
      const entry = entries[index]!;
      this.#count(entry, 1);
      entry.place = this.#lane(entry.request).standing.addFirst(entry);
      this.#standing += 1;
    }
    for (const entry of entries) {
      this.#charge(entry);
      const lane = this.#lane(entry.request);
      lane.owed ??= this.#owed.add(lane);
    }
  }

  /**
   * Nothing more comes of one that was taken. Whoever sent its id meanwhile gets its outcome, if that is final; otherwise
   * the next of them stands in line.
   *
   * @returns those who got its outcome
   */
  over(entry: Entry): readonly Entry[] {
    this.#charge(entry);
    entry.end();
    const { id, outcome, request } = entry;
    this.#leads.delete(id);
    const followers = this.#followers.get(id);
    if (followers === undefined) return [];
    const answered: Entry[] = [];
    if (outcome?.recorded && !outcome.retryable) {
      const again = Object.freeze({ ...outcome, replayed: true });
      for (const follower of followers) {
        if (follower.request.facts.fingerprint !== request.facts.fingerprint) continue;
        this.#unfollow(follower, followers);
        this.#count(follower, -1);
        follower.resolve(again);
        follower.end();
        answered.push(follower);
      }
    }
    this.#promote(entry);
    return answered;
  }

  /** All of which something may still come: those who wait, and those that were taken. */
  *everybody(): Generator<Entry> {
    yield* this.#leads.values();
    for (const followers of this.#followers.values()) yield* followers;
  }

  /** The one of the same id that stands in line, or was taken. */
  leadOf(entry: Entry): Entry {
    return this.#leads.get(entry.id) ?? entry;
  }

  /** A command that is waiting or being executed, by its id. One that was answered is neither. */
  find(id: string): Entry | undefined {
    const lead = this.#leads.get(id);
    if (lead && !lead.answered) return lead;
    const [follower] = this.#followers.get(id) ?? [];
    return follower;
  }

  /** The lane whose turn it is; undefined if that has had more than its part, or has nobody in line. */
  #nextLane(whoever: boolean): Lane | undefined {
    const owed = this.#owed.next();
    if (owed) {
      owed.owed = undefined;
      if (whoever || owed.due <= this.#round) return owed;
    }
    if (this.#passed >= this.#lanes.size) {
      this.#passed = 0;
      this.#round = Math.max(this.#round + 1, this.#earliest());
    }
    this.#passed += 1;
    const lane = this.#order.next()!;
    // Its next turn comes after those of all others.
    lane.place = this.#order.add(lane);
    return whoever || lane.due <= this.#round ? lane : undefined;
  }

  /** The first round in which somebody who stands in line has a turn. */
  #earliest(): number {
    let earliest = Infinity;
    for (const { standing, due } of this.#lanes.values()) if (standing.size > 0 && due < earliest) earliest = due;
    return earliest === Infinity ? this.#round : earliest;
  }

  /** A lane has its next turn after as many rounds as commands could have been executed instead. */
  #charge(entry: Entry): void {
    const lane = this.#lanes.get(laneName(entry.request));
    if (lane) lane.due = Math.max(lane.due, this.#round) + Math.floor(entry.batchPart * this.#limits.batchCommitsMax);
    entry.batchPart = 0;
  }

  /** Nobody waits for it any more. What was taken may be stored all the same. */
  #leave(entry: Entry): void {
    const { id } = entry;
    const followers = this.#followers.get(id);
    if (followers?.has(entry)) {
      this.#unfollow(entry, followers);
      if (followers.size === 0) this.#followers.delete(id);
    } else if (this.#stepOut(entry)) {
      this.#leads.delete(id);
      this.#promote(entry);
    } else return this.unpark(entry);
    this.#count(entry, -1);
    entry.end();
  }

  /** The first of those that sent an id again stands in line: if the one before may be stored, so may this one. */
  #promote({ id, sent, sentInDoubt, outcome, request }: Entry): void {
    const followers = this.#followers.get(id);
    if (followers === undefined) return;
    const [next] = followers;
    if (!outcome && (sent || sentInDoubt)) {
      const { fingerprint } = request.facts;
      for (const follower of followers)
        if (follower.request.facts.fingerprint === fingerprint) follower.sentInDoubt = true;
    }
    if (next) {
      this.#unfollow(next, followers);
      this.#enter(next);
    }
    if (followers.size === 0) this.#followers.delete(id);
  }

  /**
   * Where the queue is full, the newest of the lane that holds most of it are refused, as long as that holds more than this
   * one's with it would. Whether what left is as much as what comes: with what was taken and came back the queue may hold more
   * than it should, and that isn't for the next to make up for.
   */
  #makeRoom({ request }: Entry): boolean {
    const { queueCommandsMax, queueBytesMax } = this.#limits;
    const isFull = (): boolean =>
      this.#waiting >= queueCommandsMax || (this.#waiting > 0 && this.#bytes + request.bytes > queueBytesMax);
    if (!isFull() || this.#lanes.size > LANES_MAX) return false;
    const share = (held: Waiting): number => shareOf(this.#limits, held);
    const own = this.#lanes.get(laneName(request));
    const ownShare = share({ waiting: (own?.waiting ?? 0) + 1, bytes: (own?.bytes ?? 0) + request.bytes });
    let largest = own ?? this.#order.first!;
    for (const lane of this.#lanes.values()) if (share(lane) > share(largest)) largest = lane;
    const bytes = this.#bytes;
    for (let evicted = 0; evicted < EVICTED_MAX && share(largest) > ownShare; evicted += 1) {
      const newest = largest.aside.last ?? largest.standing.last;
      // What was sent may be stored; and whom `prepare` has called for it can't be called back.
      if (!newest || newest.sentInDoubt || newest.request.command.prepare) return false;
      newest.reject(
        new Overloaded(
          `${largest.waiting} commands of the same actor, or of one kind where none is named, are waiting already, and others came. Nothing was recorded by this call: send fewer at once, or raise limits.queueCommandsMax.`,
          { waiting: largest.waiting, max: queueCommandsMax, limit: 'queueCommandsMax' },
        ),
      );
      this.#leave(newest);
      if (bytes - this.#bytes >= request.bytes || !isFull()) return true;
    }
    return false;
  }

  #enter(entry: Entry): void {
    this.#leads.set(entry.id, entry);
    entry.order = this.#entered += 1;
    entry.place = this.#lane(entry.request).standing.add(entry);
    this.#standing += 1;
  }

  /** Whether it stood in line. */
  #stepOut(entry: Entry): boolean {
    const stood = this.#lanes.get(laneName(entry.request))?.standing.leave(entry.place) ?? false;
    if (stood) this.#standing -= 1;
    return stood;
  }

  #unfollow(entry: Entry, followers: Set<Entry>): void {
    followers.delete(entry);
    this.#lane(entry.request).aside.leave(entry.place);
  }

  #count({ request }: Entry, sign: 1 | -1): void {
    const lane = this.#lane(request);
    lane.waiting += sign;
    lane.bytes += sign * request.bytes;
    this.#waiting += sign;
    this.#bytes += sign * request.bytes;
    if (lane.waiting > 0) return;
    this.#lanes.delete(lane.name);
    this.#order.leave(lane.place);
    this.#owed.leave(lane.owed);
  }

  #lane(request: Request): Lane {
    const name = laneName(request);
    const known = this.#lanes.get(name);
    if (known) return known;
    const lane: Lane = {
      name,
      due: 0,
      place: undefined,
      owed: undefined,
      standing: new Line(),
      aside: new Line(),
      waiting: 0,
      bytes: 0,
    };
    lane.place = this.#order.add(lane);
    this.#lanes.set(name, lane);
    return lane;
  }
}
