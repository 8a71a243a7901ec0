/**
 * What waits to be decided, in order: bounded in commands and in bytes. Whoever gives up leaves it at once, and whoever
 * sends an id again that is waiting, or being executed, waits for what comes of that; so each step costs the same however
 * many wait.
 */
import { Overloaded } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import { Heap } from '../../heap.ts';
import { Line } from '../../line.ts';
import type { Entry } from './entry.ts';
import type { Request } from './request.ts';
import type { Waiting } from '../status.ts';

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
  /** The turn that it has next: of the lanes, those come first that have had least. */
  due: number;
  /** Those that it takes turns with. */
  side: Side;
  /** How costly its last commands were: each that was counts twice as much as one that wasn't. */
  costs: number;
  /** The turn that counts, of all that were made out for it. */
  turn: Turn | undefined;
  readonly standing: Line<Entry>;
  /** Those who wait for something else than their turn: their id stands in line already, or was taken; documents are loaded. */
  readonly aside: Line<Entry>;
  waiting: number;
  bytes: number;
  /** Those that were taken, and were neither given back nor said over. */
  taken: number;
}

/** Lanes that take turns with each other. */
interface Side {
  readonly turns: Heap<Turn>;
  /** The due of the lane that had a turn last. */
  now: number;
  /** How many stand in line. */
  standing: number;
}

interface Turn {
  readonly lane: Lane;
  readonly due: number;
  readonly number: number;
}

/** Turns that count no more, beside as many as there are lanes, before they are cleared away. */
const SPARE_TURNS = 1_000;

/**
 * A command that takes up so much of what a batch may cost is costly. Lanes with several of them have batches of their own, in
 * turn with those of the others: who asks for little waits for one such batch, and doesn't share the next.
 */
const COSTLY = 1 / 32;
/** What a costly command counts, and one that isn't; a lane is costly from so much on, and no more is counted. */
const COSTS = { costly: 2, other: -1, from: 4, max: 6 };
/** So many names of lanes that had costly commands last are remembered. */
const REMEMBERED_MAX = 1_000;
/** How much of a batch one lane has, and costly ones have, while others take turns with them. */
const SHARE = 1 / 4;
/** For so many batches after the last that others stood in line for. */
const SHARED_BATCHES = 64;

/** Most that leave a full queue for one that comes. */
const EVICTED_MAX = 1_000;
/** The one that holds most is looked for among so many lanes, those that have been there longest: a refusal must cost little. */
const LANES_MAX = 1_000;

export class CommandQueue implements Waiting {
  readonly #limits: Limits;
  /** Those in which somebody waits or was taken, and those that have had more than their part. */
  readonly #lanes = new Map<string, Lane>();
  /** Lanes that ask for little, and the costly ones. */
  readonly #little = side();
  readonly #costly = side();
  /** What is known of lanes in which nobody waits. */
  readonly #costs = new Map<string, number>();
  #turnsMade = 0;
  /** Which of them the last batch was taken from. */
  #last = this.#costly;
  /** For how many batches more lanes are taken to share them, and costly ones not to be alone. */
  #lanesShare = 0;
  #sidesShare = 0;
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

  /** Commands that wait; those that were taken don't, unless they are parked. */
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

  get #standing(): number {
    return this.#little.standing + this.#costly.standing;
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

  /** How much of what a batch may cost is for those that were taken last. */
  get part(): number {
    return this.#last === this.#costly && this.#sidesShare > 0 ? SHARE : 1;
  }

  /** Whether those that were taken last are costly. */
  get isCostly(): boolean {
    return this.#last === this.#costly;
  }

  /**
   * The next of them, no id twice: one of each lane in turn; in the order they came where all are taken `inOrder`. Costly ones
   * by themselves, no more than `costlyMax`. Each is to be given back, or to be said over.
   */
  take(max: number, { costlyMax = max, inOrder = true }: { costlyMax?: number; inOrder?: boolean } = {}): Entry[] {
    const share = this.#lanesShare > 0 ? Math.ceil(SHARE * this.#limits.batchCommitsMax) : Infinity;
    if (inOrder && this.#standing <= Math.min(max, share) && this.#costly.standing === 0) return this.#takeAll();
    const side = this.#next();
    const other = side === this.#little ? this.#costly : this.#little;
    const isShared = other.standing > 0;
    const taken = this.#takeFrom(side, side === this.#costly ? costlyMax : max, share);
    this.#share({ lanes: isShared || taken.lanes > 1, sides: isShared });
    this.#last = side;
    return taken.entries;
  }

  /** The side that hadn't the last batch, if anybody stands there. */
  #next(): Side {
    const [other, same] = this.#last === this.#little ? [this.#costly, this.#little] : [this.#little, this.#costly];
    return other.standing > 0 ? other : same;
  }

  #takeAll(): Entry[] {
    const taken: Entry[] = [];
    let lanes = 0;
    for (const { standing } of this.#lanes.values()) {
      if (standing.first) lanes += 1;
      while (standing.first) taken.push(this.#takeOf(standing.first));
    }
    this.#share({ lanes: lanes > 1, sides: false });
    this.#last = this.#little;
    // Where all are taken nobody owes anything.
    this.#little.turns.clear();
    this.#costly.turns.clear();
    for (const lane of this.#lanes.values()) {
      lane.turn = undefined;
      lane.due = lane.side.now;
      this.#drop(lane);
    }
    return taken.sort((one, other) => one.order - other.order);
  }

  /** No more of one lane than its share. */
  #takeFrom(side: Side, max: number, share: number): { readonly entries: Entry[]; readonly lanes: number } {
    const entries: Entry[] = [];
    const had = new Map<Lane, number>();
    const sated: Lane[] = [];
    let waiting = 0;
    // What lanes owe in which nobody stands is for later.
    while (entries.length < max && side.standing > waiting) {
      const turn = side.turns.next()!;
      const { lane } = turn;
      if (turn !== lane.turn) continue;
      lane.turn = undefined;
      side.now = Math.max(side.now, turn.due);
      const { first } = lane.standing;
      if (!first) {
        this.#drop(lane);
        continue;
      }
      lane.due = side.now + 1;
      first.paid = 1;
      entries.push(this.#takeOf(first));
      const taken = (had.get(lane) ?? 0) + 1;
      had.set(lane, taken);
      const { size } = lane.standing;
      if (size === 0) continue;
      if (taken < share) this.#line(lane);
      else {
        sated.push(lane);
        waiting += size;
      }
    }
    for (const lane of sated) this.#line(lane);
    return { entries, lanes: had.size };
  }

  /** Whether others than those that were taken wait, or were taken with them. */
  #share({ lanes, sides }: { readonly lanes: boolean; readonly sides: boolean }): void {
    this.#lanesShare = lanes ? SHARED_BATCHES : Math.max(0, this.#lanesShare - 1);
    this.#sidesShare = sides ? SHARED_BATCHES : Math.max(0, this.#sidesShare - 1);
  }

  /** One that was taken waits for documents, aside. It is to be unparked, and then given back or said over. */
  park(entry: Entry): void {
    entry.place = this.#lane(entry.request).aside.add(entry);
    this.#count(entry, 1);
  }

  unpark(entry: Entry): void {
    if (this.#lanes.get(laneName(entry.request))?.aside.leave(entry.place)) this.#count(entry, -1);
  }

  /** Those that are to be decided again come first in their lanes, in their order, and have their turns before others. */
  giveBack(entries: readonly Entry[]): void {
    for (let index = entries.length - 1; index >= 0; index -= 1) {
      const entry = entries[index]!;
      this.#count(entry, 1);
      const lane = this.#lane(entry.request);
      lane.taken -= 1;
      entry.place = lane.standing.addFirst(entry);
      lane.side.standing += 1;
      lane.due -= entry.paid;
      entry.paid = 0;
      if (isCostly(entry)) this.#judge(lane, COSTS.costly);
      this.#charge(lane, entry);
    }
    for (const lane of new Set(entries.map(({ request }) => this.#lane(request)))) this.#line(lane);
  }

  /**
   * Nothing more comes of one that was taken. Whoever sent its id meanwhile gets its outcome, if that is final; otherwise
   * the next of them stands in line.
   *
   * @returns those who got its outcome
   */
  over(entry: Entry): readonly Entry[] {
    const lane = this.#lane(entry.request);
    lane.taken -= 1;
    this.#judge(lane, isCostly(entry) ? COSTS.costly : COSTS.other);
    this.#charge(lane, entry);
    this.#drop(lane);
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

  #takeOf(entry: Entry): Entry {
    this.#stepOut(entry);
    this.#lane(entry.request).taken += 1;
    this.#count(entry, -1);
    return entry;
  }

  /** Makes out a turn for a lane, in the place of the one that it had. */
  #line(lane: Lane): void {
    this.#turnsMade += 1;
    lane.turn = { lane, due: lane.due, number: this.#turnsMade };
    lane.side.turns.add(lane.turn);
    const { turns } = this.#little;
    if (turns.size + this.#costly.turns.size <= 2 * this.#lanes.size + SPARE_TURNS) return;
    // Those that count no more come out when they are due, and with ever new actors that may be never.
    turns.clear();
    this.#costly.turns.clear();
    for (const one of this.#lanes.values()) if (one.turn) one.side.turns.add(one.turn);
  }

  /** A lane in which nobody waits is forgotten once it owes nothing. */
  #drop({ name, waiting, taken, turn, costs }: Lane): void {
    if (waiting > 0 || taken > 0 || turn || !this.#lanes.delete(name) || costs === 0) return;
    this.#costs.set(name, costs);
    if (this.#costs.size > REMEMBERED_MAX) this.#costs.delete(this.#costs.keys().next().value!);
  }

  /** A lane is costly, or no longer, by its last commands. */
  #judge(lane: Lane, costs: number): void {
    lane.costs = Math.max(0, Math.min(COSTS.max, lane.costs + costs));
    const [before, now] = [lane.side, lane.costs < COSTS.from ? this.#little : this.#costly];
    if (before === now) return;
    before.standing -= lane.standing.size;
    now.standing += lane.standing.size;
    lane.due += now.now - before.now;
    lane.side = now;
    if (lane.turn) this.#line(lane);
  }

  /** A lane has its next turn after as many of all others as commands could have been executed instead. */
  #charge(lane: Lane, entry: Entry): void {
    const cost = Math.floor(entry.batchPart * this.#limits.batchCommitsMax) - 1;
    entry.batchPart = entry.waitPart = 0;
    // So many that owe are remembered, beside those who wait.
    if (cost <= 0 || this.#lanes.size > 2 * this.#limits.queueCommandsMax) return;
    lane.due = Math.max(lane.due, lane.side.now) + cost;
    this.#line(lane);
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
  #promote({ id, sent, inDoubt, outcome, request }: Entry): void {
    const followers = this.#followers.get(id);
    if (followers === undefined) return;
    const [next] = followers;
    if (!outcome && (sent || inDoubt)) {
      const { fingerprint } = request.facts;
      for (const follower of followers)
        if (follower.request.facts.fingerprint === fingerprint) follower.followsDoubt = true;
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
    const isFull = (without: Waiting): boolean =>
      this.#waiting - without.waiting >= queueCommandsMax ||
      (this.#waiting > 0 && this.#bytes - without.bytes + request.bytes > queueBytesMax);
    const leaving: Entry[] = [];
    const left = { waiting: 0, bytes: 0 };
    if (!isFull(left)) return false;
    const share = (held: Waiting): number => shareOf(this.#limits, held);
    const own = this.#lanes.get(laneName(request));
    const ownShare = share({ waiting: (own?.waiting ?? 0) + 1, bytes: (own?.bytes ?? 0) + request.bytes });
    let largest = own ?? this.#lanes.values().next().value!;
    let looked = 0;
    for (const lane of this.#lanes.values()) {
      if (lane.waiting === 0) continue;
      if (share(lane) > share(largest)) largest = lane;
      if ((looked += 1) >= LANES_MAX) break;
    }
    const { waiting, bytes } = largest;
    for (const newest of newestOf(largest)) {
      const rest = { waiting: waiting - left.waiting, bytes: bytes - left.bytes };
      if (leaving.length === EVICTED_MAX || share(rest) <= ownShare) return false;
      // What was sent may be stored; and whom `prepare` has called for it can't be called back.
      if (newest.inDoubt || newest.request.command.prepare) return false;
      leaving.push(newest);
      left.waiting += 1;
      left.bytes += newest.request.bytes;
      if (left.bytes < request.bytes && isFull(left)) continue;
      for (const one of leaving) {
        one.reject(crowdedOut(waiting, queueCommandsMax));
        this.#leave(one);
      }
      return true;
    }
    return false;
  }

  #enter(entry: Entry): void {
    this.#leads.set(entry.id, entry);
    entry.order = this.#entered += 1;
    const lane = this.#lane(entry.request);
    entry.place = lane.standing.add(entry);
    lane.side.standing += 1;
    if (lane.standing.size > 1 || lane.turn) return;
    lane.due = Math.max(lane.due, lane.side.now);
    this.#line(lane);
  }

  /** Whether it stood in line. */
  #stepOut(entry: Entry): boolean {
    const lane = this.#lanes.get(laneName(entry.request));
    const stood = lane?.standing.leave(entry.place) ?? false;
    if (stood) lane!.side.standing -= 1;
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
    this.#drop(lane);
  }

  #lane(request: Request): Lane {
    const name = laneName(request);
    const known = this.#lanes.get(name);
    if (known) return known;
    const costs = this.#costs.get(name) ?? 0;
    this.#costs.delete(name);
    const side = costs < COSTS.from ? this.#little : this.#costly;
    const lane: Lane = {
      name,
      due: side.now,
      side,
      costs,
      turn: undefined,
      standing: new Line(),
      aside: new Line(),
      waiting: 0,
      bytes: 0,
      taken: 0,
    };
    this.#lanes.set(name, lane);
    return lane;
  }
}

/** Lanes with the same due have their turns in the order in which they came to stand there. */
function isBefore(one: Turn, other: Turn): boolean {
  return one.due < other.due || (one.due === other.due && one.number < other.number);
}

function side(): Side {
  return { turns: new Heap(isBefore), now: 0, standing: 0 };
}

/** By what it took up itself: for waiting others may be to blame. */
function isCostly({ batchPart, waitPart }: Entry): boolean {
  return batchPart - waitPart >= COSTLY;
}

function* newestOf({ aside, standing }: Lane): Generator<Entry> {
  yield* aside.fromLast();
  yield* standing.fromLast();
}

function crowdedOut(waiting: number, max: number): Overloaded {
  return new Overloaded(
    `${waiting} commands of the same actor, or of one kind where none is named, are waiting already, and others came. Nothing was recorded by this call: send fewer at once, or raise limits.queueCommandsMax.`,
    { waiting, max, limit: 'queueCommandsMax' },
  );
}
