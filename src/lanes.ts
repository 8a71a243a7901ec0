/** A queue with named lanes that take turns: a thousand values in one lane delay only each other. */
import { Line, type Place } from './line.ts';

interface Lane<Value> {
  readonly name: string;
  readonly line: Line<Value>;
  turn: Place<Lane<Value>>;
}

export class Lanes<Value> {
  /** Lanes that hold a value. */
  readonly #lanes = new Map<string, Lane<Value>>();
  readonly #turns = new Line<Lane<Value>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(name: string): number {
    return this.#lanes.get(name)?.line.size ?? 0;
  }

  /** The lane whose turn is next, other than this one. */
  nextBut(name: string): string | undefined {
    for (const lane of this.#turns) if (lane.name !== name) return lane.name;
    return undefined;
  }

  /** Lanes that hold a value, in the order of their turns. Valid while the queue doesn't change. */
  *names(): Generator<string> {
    for (const { name } of this.#turns) yield name;
  }

  /** Adds to the end of a lane. */
  add(name: string, value: Value): Place<Value> {
    const lane = this.#lanes.get(name) ?? this.#open(name);
    this.#size += 1;
    return lane.line.add(value);
  }

  /** Whether the place was still in the lane. */
  leave(name: string, place: Place<Value>): boolean {
    const lane = this.#lanes.get(name);
    if (!lane?.line.leave(place)) return false;
    this.#left(lane);
    return true;
  }

  /** Takes the first of a lane, which then has had its turn; without a name, of the lane whose turn is next. */
  next(name = this.#turns.first?.name): Value | undefined {
    const lane = name === undefined ? undefined : this.#lanes.get(name);
    if (!lane) return undefined;
    const value = lane.line.next();
    this.#turns.leave(lane.turn);
    lane.turn = this.#turns.add(lane);
    this.#left(lane);
    return value;
  }

  #open(name: string): Lane<Value> {
    const lane = { name, line: new Line<Value>() } as Lane<Value>;
    lane.turn = this.#turns.add(lane);
    this.#lanes.set(name, lane);
    return lane;
  }

  #left({ name, line, turn }: Lane<Value>): void {
    this.#size -= 1;
    if (line.size > 0) return;
    this.#turns.leave(turn);
    this.#lanes.delete(name);
  }
}
