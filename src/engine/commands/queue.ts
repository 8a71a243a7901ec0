/**
 * Commands that wait to be decided, in order: bounded in number and in bytes. An entry that gives up leaves at once; one with the
 * id of another that waits or is executed waits for its outcome. Each step costs the same however many wait.
 */
import type { Limits } from '../../limits.ts';
import type { Entry } from './entry.ts';
import { QueueLanes, type TakeOptions } from './queue-lanes.ts';
import { assertRoom, crowdedOut, leavingFor, type Backlog } from './queue-room.ts';

export class CommandQueue implements Backlog {
  readonly #limits: Limits;
  readonly lanes: QueueLanes;
  #entered = 0;
  /** By id: the entry that stands in line, or was taken and isn't over. */
  readonly #leads = new Map<string, Entry>();
  /** By id: the entries sent after it. */
  readonly #followers = new Map<string, Set<Entry>>();
  /** Commands that wait; those that were taken don't, unless they are parked. */
  waiting = 0;
  bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.lanes = new QueueLanes(limits);
  }

  get isEmpty(): boolean {
    return this.lanes.standing === 0;
  }

  /** @throws Overloaded; InvalidInput if the signal can't be listened to */
  add(entry: Entry, signal: AbortSignal | undefined): void {
    this.#makeRoom(entry);
    // Only now: a listener for each refused entry would pile up.
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
   * Takes the next entries, no id twice: one of each lane in turn, or in the order of arrival if all are taken `inOrder`. Costly
   * ones by themselves, no more than `costlyMax`. Each must be given back, or be over.
   */
  take(max: number, options: TakeOptions = {}): Entry[] {
    const taken = this.lanes.take(max, options);
    for (const entry of taken) this.#count(entry, -1);
    return taken;
  }

  /** An entry that was taken waits aside for documents, until it is unparked. */
  park(entry: Entry): void {
    entry.place = this.lanes.of(entry.request).aside.add(entry);
    this.#count(entry, 1);
  }

  unpark(entry: Entry): void {
    if (this.lanes.find(entry.request)?.aside.leave(entry.place)) this.#count(entry, -1);
  }

  giveBack(entries: readonly Entry[]): void {
    for (const entry of entries) this.#count(entry, 1);
    this.lanes.giveBack(entries);
  }

  /**
   * An entry that was taken is over. Its followers get its outcome, if that is final; otherwise the next of them stands in line.
   *
   * @returns those that got its outcome
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

  /** All entries that wait or were taken. */
  *everybody(): Generator<Entry> {
    yield* this.#leads.values();
    for (const followers of this.#followers.values()) yield* followers;
  }

  /** The entry of the same id that stands in line, or was taken. */
  leadOf(entry: Entry): Entry {
    return this.#leads.get(entry.id) ?? entry;
  }

  /** A command that waits or is executed, by its id. One that was answered does neither. */
  find(id: string): Entry | undefined {
    const lead = this.#leads.get(id);
    if (lead && !lead.answered) return lead;
    const [follower] = this.#followers.get(id) ?? [];
    return follower;
  }

  /** Its caller has given up. If it was taken it may still be stored. */
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

  /** The first follower of an id stands in line: if the entry before it may be stored, so may the follower. */
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

  /** If the queue is full, the largest lane makes room. @throws Overloaded if that isn't enough */
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
    this.waiting += sign;
    this.bytes += sign * request.bytes;
  }
}
