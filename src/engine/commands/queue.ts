/**
 * What waits to be decided, in order: bounded in commands and in bytes. Whoever gives up leaves it at once, and whoever
 * sends an id again that is waiting, or being executed, waits for what comes of that; so each step costs the same however
 * many wait.
 */
import type { Limits } from '../../limits.ts';
import type { Entry } from './entry.ts';
import { QueueLanes, type TakeOptions } from './queue-lanes.ts';
import { assertRoom, crowdedOut, leavingFor, type Backlog } from './queue-room.ts';

export class CommandQueue implements Backlog {
  readonly #limits: Limits;
  readonly lanes: QueueLanes;
  #entered = 0;
  /** Of each id the one that stands in line, or was taken and isn't over. */
  readonly #leads = new Map<string, Entry>();
  /** Those that were sent while it does. */
  readonly #followers = new Map<string, Set<Entry>>();
  #waiting = 0;
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.lanes = new QueueLanes(limits);
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
    return this.lanes.standing === 0;
  }

  /** @throws Overloaded; InvalidInput if the signal can't be listened to */
  add(entry: Entry, signal: AbortSignal | undefined): void {
    this.#makeRoom(entry);
    // Not before it is accepted: a listener for each refusal would pile up.
    if (signal) entry.giveUpOn(signal, () => this.#leave(entry));
    this.#count(entry, 1);
    const lead = this.#leads.get(entry.id);
    if (lead === undefined) this.#enter(entry);
    else {
      entry.place = this.lanes.of(entry.request).aside.add(entry);
      const followers = this.#followers.get(entry.id);
      if (followers) followers.add(entry);
      else this.#followers.set(entry.id, new Set([entry]));
    }
  }

  /**
   * The next of them, no id twice: one of each lane in turn; in the order they came where all are taken `inOrder`. Costly ones
   * by themselves, no more than `costlyMax`. Each is to be given back, or to be said over.
   */
  take(max: number, options: TakeOptions = {}): Entry[] {
    const taken = this.lanes.take(max, options);
    for (const entry of taken) this.#count(entry, -1);
    return taken;
  }

  /** One that was taken waits for documents, aside. It is to be unparked, and then given back or said over. */
  park(entry: Entry): void {
    entry.place = this.lanes.of(entry.request).aside.add(entry);
    this.#count(entry, 1);
  }

  unpark(entry: Entry): void {
    if (this.lanes.find(entry.request)?.aside.leave(entry.place)) this.#count(entry, -1);
  }

  /** Those that are to be decided again come first in their lanes, in their order, and have their turns before others. */
  giveBack(entries: readonly Entry[]): void {
    for (const entry of entries) this.#count(entry, 1);
    this.lanes.giveBack(entries);
  }

  /**
   * Nothing more comes of one that was taken. Whoever sent its id meanwhile gets its outcome, if that is final; otherwise
   * the next of them stands in line.
   *
   * @returns those who got its outcome
   */
  over(entry: Entry): readonly Entry[] {
    this.lanes.over(entry);
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

  /** Nobody waits for it any more. What was taken may be stored all the same. */
  #leave(entry: Entry): void {
    const { id } = entry;
    const followers = this.#followers.get(id);
    if (followers?.has(entry)) {
      this.#unfollow(entry, followers);
      if (followers.size === 0) this.#followers.delete(id);
    } else if (this.lanes.leave(entry)) {
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

  /** Where the queue is full, those who ask for most leave it. @throws Overloaded if that isn't enough */
  #makeRoom({ request }: Entry): void {
    const leaving = leavingFor(request, this.#limits, this, this.lanes);
    const [first] = leaving;
    if (!first) return assertRoom(this.#limits, this, request);
    const { waiting } = this.lanes.of(first.request);
    for (const one of leaving) {
      one.reject(crowdedOut(waiting, this.#limits.queueCommandsMax));
      this.#leave(one);
    }
  }

  #enter(entry: Entry): void {
    this.#leads.set(entry.id, entry);
    entry.order = this.#entered += 1;
    this.lanes.add(entry);
  }

  #unfollow(entry: Entry, followers: Set<Entry>): void {
    followers.delete(entry);
    this.lanes.of(entry.request).aside.leave(entry.place);
  }

  #count({ request }: Entry, sign: 1 | -1): void {
    this.lanes.count(request, sign);
    this.#waiting += sign;
    this.#bytes += sign * request.bytes;
  }
}
