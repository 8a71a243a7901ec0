/**
 * Who stands in the queue, in lanes that take turns: those of one actor, or of one command where no actor is named.
 */
import type { Limits } from '../../limits.ts';
import { Heap } from '../../heap.ts';
import { Line } from '../../line.ts';
import type { Entry } from './entry.ts';
import type { Request } from './request.ts';

/** The actor; where none is named, the command. Names and actors have no NUL in them. */
export function laneName({ facts: { actor, name } }: Request): string {
  return actor === undefined ? `\0${name}` : actor;
}

/**
 * Those of one actor; where none is named, of one command. Lanes take turns where more wait than fit, fewer the more theirs
 * cost, and one that holds most of a full queue makes room for others: who asks for too much waits, and is refused, at their
 * own cost.
 */
export interface ActorLane {
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
  readonly lane: ActorLane;
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

/** How many are taken at once. */
export interface TakeOptions {
  /** How many of those that are costly. */
  readonly costlyMax?: number;
  /** Whether they are taken in the order they came, where all are taken. */
  readonly inOrder?: boolean;
}

export class QueueLanes {
  readonly #limits: Limits;
  /** Those in which somebody waits or was taken, and those that have had more than their part. */
  readonly #lanes = new Map<string, ActorLane>();
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

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** How many stand in line. */
  get standing(): number {
    return this.#little.standing + this.#costly.standing;
  }

  /** How much of what a batch may cost is for those that were taken last. */
  get part(): number {
    return this.#last === this.#costly && this.#sidesShare > 0 ? SHARE : 1;
  }

  /** Whether those that were taken last are costly. */
  get isCostly(): boolean {
    return this.#last === this.#costly;
  }

  /** Those that have been there longest come first. */
  values(): Iterable<ActorLane> {
    return this.#lanes.values();
  }

  find(request: Request): ActorLane | undefined {
    return this.#lanes.get(laneName(request));
  }

  of(request: Request): ActorLane {
    const name = laneName(request);
    const known = this.#lanes.get(name);
    if (known) return known;
    const costs = this.#costs.get(name) ?? 0;
    this.#costs.delete(name);
    const side = costs < COSTS.from ? this.#little : this.#costly;
    const lane: ActorLane = {
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

  /** One that comes stands at the end of its lane. */
  add(entry: Entry): void {
    const lane = this.of(entry.request);
    entry.place = lane.standing.add(entry);
    lane.side.standing += 1;
    if (lane.standing.size > 1 || lane.turn) return;
    lane.due = Math.max(lane.due, lane.side.now);
    this.#line(lane);
  }

  /** Whether it stood in line. */
  leave(entry: Entry): boolean {
    const lane = this.find(entry.request);
    const stood = lane?.standing.leave(entry.place) ?? false;
    if (stood) lane!.side.standing -= 1;
    return stood;
  }

  /** One more waits, or one less. */
  count(request: Request, sign: 1 | -1): void {
    const lane = this.of(request);
    lane.waiting += sign;
    lane.bytes += sign * request.bytes;
    this.#drop(lane);
  }

  take(max: number, { costlyMax = max, inOrder = true }: TakeOptions): Entry[] {
    const share = this.#lanesShare > 0 ? Math.ceil(SHARE * this.#limits.batchCommitsMax) : Infinity;
    if (inOrder && this.standing <= Math.min(max, share) && this.#costly.standing === 0) return this.#takeAll();
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
    const had = new Map<ActorLane, number>();
    const sated: ActorLane[] = [];
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

  #takeOf(entry: Entry): Entry {
    this.leave(entry);
    this.of(entry.request).taken += 1;
    return entry;
  }

  /** Those that are to be decided again come first in their lanes, in their order, and have their turns before others. */
  giveBack(entries: readonly Entry[]): void {
    for (let index = entries.length - 1; index >= 0; index -= 1) {
      const entry = entries[index]!;
      const lane = this.of(entry.request);
      lane.taken -= 1;
      entry.place = lane.standing.addFirst(entry);
      lane.side.standing += 1;
      lane.due -= entry.paid;
      entry.paid = 0;
      if (isCostly(entry)) this.#judge(lane, COSTS.costly);
      this.#charge(lane, entry);
    }
    for (const lane of new Set(entries.map(({ request }) => this.of(request)))) this.#line(lane);
  }

  /** Nothing more comes of one that was taken. */
  over(entry: Entry): void {
    const lane = this.of(entry.request);
    lane.taken -= 1;
    this.#judge(lane, isCostly(entry) ? COSTS.costly : COSTS.other);
    this.#charge(lane, entry);
    this.#drop(lane);
  }

  /** Makes out a turn for a lane, in the place of the one that it had. */
  #line(lane: ActorLane): void {
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
  #drop({ name, waiting, taken, turn, costs }: ActorLane): void {
    if (waiting > 0 || taken > 0 || turn || !this.#lanes.delete(name) || costs === 0) return;
    this.#costs.set(name, costs);
    if (this.#costs.size > REMEMBERED_MAX) this.#costs.delete(this.#costs.keys().next().value!);
  }

  /** A lane is costly, or no longer, by its last commands. */
  #judge(lane: ActorLane, costs: number): void {
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
  #charge(lane: ActorLane, entry: Entry): void {
    const cost = Math.floor(entry.batchPart * this.#limits.batchCommitsMax) - 1;
    entry.batchPart = entry.waitPart = 0;
    // So many that owe are remembered, beside those who wait.
    if (cost <= 0 || this.#lanes.size > 2 * this.#limits.queueCommandsMax) return;
    lane.due = Math.max(lane.due, lane.side.now) + cost;
    this.#line(lane);
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
