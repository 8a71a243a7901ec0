/** The queue's lanes, which take turns: one for each actor, or for each command where no actor is named. */
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
 * Lanes take turns where more commands wait than fit, fewer turns the more their commands cost. A lane that holds most of a full
 * queue makes room for others. So an actor that asks for too much waits, and is refused, at its own cost.
 */
export interface ActorLane {
  readonly name: string;
  /** Its next turn: lanes that had the fewest turns come first. */
  due: number;
  /** The lanes that it takes turns with. */
  side: Side;
  /** How costly its last commands were: a costly one counts twice as much as another. */
  costs: number;
  /** Its valid turn, of all that were made for it. */
  turn: Turn | undefined;
  readonly standing: Line<Entry>;
  /** Entries that wait for something else than a turn: for the first of the same id, or for documents. */
  readonly aside: Line<Entry>;
  waiting: number;
  bytes: number;
  /** Entries that were taken, and neither given back nor over. */
  taken: number;
}

interface Side {
  readonly turns: Heap<Turn>;
  /** The due of the last turn. */
  now: number;
  /** The number of entries in line. */
  standing: number;
}

interface Turn {
  readonly lane: ActorLane;
  readonly due: number;
  readonly number: number;
}

/** Invalid turns, beyond as many as there are lanes, before they are cleared away. */
const SPARE_TURNS = 1_000;

/**
 * A command that takes up so much of a batch's cost is costly. Lanes with several of them have batches of their own, in turn with
 * the other lanes': those wait for one such batch, and don't share the next.
 */
const COSTLY = 1 / 32;
/** What a costly command counts, and another; a lane is costly from `from` on, and counts no further than `max`. */
const COSTS = { costly: 2, other: -1, from: 4, max: 6 };
/** How many lanes are remembered that had costly commands last. */
const REMEMBERED_MAX = 1_000;
/** The part of a batch for one lane, and for costly lanes, while others take turns with them. */
const SHARE = 1 / 4;
/** It holds for so many batches after the last that was shared. */
const SHARED_BATCHES = 64;

export interface TakeOptions {
  /** How many costly ones. */
  readonly costlyMax?: number;
  /** Whether they are taken in the order of arrival, if all are taken. */
  readonly inOrder?: boolean;
}

export class QueueLanes {
  readonly #limits: Limits;
  /** Lanes with entries that wait or were taken, and lanes that have had more than their part. */
  readonly #lanes = new Map<string, ActorLane>();
  /** The cheap lanes, and the costly ones. */
  readonly #little = side();
  readonly #costly = side();
  /** The costs of lanes without entries. */
  readonly #costs = new Map<string, number>();
  #turnsMade = 0;
  /** The side of the last batch. */
  #last = this.#costly;
  /** For how many more batches lanes count as sharing, and costly ones as not alone. */
  #lanesShare = 0;
  #sidesShare = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The number of entries in line. */
  get standing(): number {
    return this.#little.standing + this.#costly.standing;
  }

  /** The part of a batch's cost for the entries taken last. */
  get part(): number {
    return this.#last === this.#costly && this.#sidesShare > 0 ? SHARE : 1;
  }

  /** Whether the entries taken last are costly. */
  get isCostly(): boolean {
    return this.#last === this.#costly;
  }

  /** The oldest lanes first. */
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

  /** The side that didn't have the last batch, if an entry stands there. */
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
    // Where all are taken no lane owes anything.
    this.#little.turns.clear();
    this.#costly.turns.clear();
    for (const lane of this.#lanes.values()) {
      lane.turn = undefined;
      lane.due = lane.side.now;
      this.#drop(lane);
    }
    return taken.sort((one, other) => one.order - other.order);
  }

  #takeFrom(side: Side, max: number, share: number): { readonly entries: Entry[]; readonly lanes: number } {
    const entries: Entry[] = [];
    const had = new Map<ActorLane, number>();
    const sated: ActorLane[] = [];
    let waiting = 0;
    // A lane without entries has its turn later.
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

  /** Remembers whether other lanes wait, or were taken from as well. */
  #share({ lanes, sides }: { readonly lanes: boolean; readonly sides: boolean }): void {
    this.#lanesShare = lanes ? SHARED_BATCHES : Math.max(0, this.#lanesShare - 1);
    this.#sidesShare = sides ? SHARED_BATCHES : Math.max(0, this.#sidesShare - 1);
  }

  #takeOf(entry: Entry): Entry {
    this.leave(entry);
    this.of(entry.request).taken += 1;
    return entry;
  }

  /** Entries to be decided again come first in their lanes, in their order, and have their turns before others. */
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

  over(entry: Entry): void {
    const lane = this.of(entry.request);
    lane.taken -= 1;
    this.#judge(lane, isCostly(entry) ? COSTS.costly : COSTS.other);
    this.#charge(lane, entry);
    this.#drop(lane);
  }

  /** Makes a turn for a lane, in place of its last one. */
  #line(lane: ActorLane): void {
    this.#turnsMade += 1;
    lane.turn = { lane, due: lane.due, number: this.#turnsMade };
    lane.side.turns.add(lane.turn);
    const { turns } = this.#little;
    if (turns.size + this.#costly.turns.size <= 2 * this.#lanes.size + SPARE_TURNS) return;
    // Invalid turns leave when they are due, and with ever new actors that may be never.
    turns.clear();
    this.#costly.turns.clear();
    for (const one of this.#lanes.values()) if (one.turn) one.side.turns.add(one.turn);
  }

  /** Forgets a lane without entries once it owes nothing. */
  #drop({ name, waiting, taken, turn, costs }: ActorLane): void {
    if (waiting > 0 || taken > 0 || turn || !this.#lanes.delete(name) || costs === 0) return;
    this.#costs.set(name, costs);
    if (this.#costs.size > REMEMBERED_MAX) this.#costs.delete(this.#costs.keys().next().value!);
  }

  /** Moves a lane to the side that its last commands belong to. */
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

  /** Delays a lane's next turn by as many turns as commands could have been executed instead. */
  #charge(lane: ActorLane, entry: Entry): void {
    const cost = Math.floor(entry.batchPart * this.#limits.batchCommitsMax) - 1;
    entry.batchPart = entry.waitPart = 0;
    // So many that owe are remembered, beside those with entries.
    if (cost <= 0 || this.#lanes.size > 2 * this.#limits.queueCommandsMax) return;
    lane.due = Math.max(lane.due, lane.side.now) + cost;
    this.#line(lane);
  }
}

/** Lanes with the same due take turns in the order in which their turns were made. */
function isBefore(one: Turn, other: Turn): boolean {
  return one.due < other.due || (one.due === other.due && one.number < other.number);
}

function side(): Side {
  return { turns: new Heap(isBefore), now: 0, standing: 0 };
}

/** What it took up itself: others may have caused the waiting. */
function isCostly({ batchPart, waitPart }: Entry): boolean {
  return batchPart - waitPart >= COSTLY;
}
