/**
 * What waits to be decided, in order: bounded in commands and in bytes. Whoever gives up leaves it at once, and whoever
 * sends an id again that is waiting, or being executed, waits for what comes of that; so each step costs the same however
 * many wait.
 */
import { Overloaded } from '../errors.ts';
import type { Limits } from '../limits.ts';
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

export class CommandQueue implements Waiting {
  readonly #limits: Limits;
  #first: Entry | undefined;
  #last: Entry | undefined;
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
    return this.#first === undefined;
  }

  /** @throws Overloaded; InvalidInput if the signal can't be listened to */
  add(entry: Entry, signal: AbortSignal | undefined): void {
    assertRoom(this.#limits, this, entry.request);
    // Not before it is accepted: a listener for each refusal would pile up.
    if (signal) entry.giveUpOn(signal, () => this.#leave(entry));
    this.#count(entry, 1);
    const lead = this.#leads.get(entry.id);
    if (lead === undefined) this.#enter(entry);
    else {
      const followers = this.#followers.get(entry.id);
      if (followers) followers.add(entry);
      else this.#followers.set(entry.id, new Set([entry]));
    }
  }

  /** The next of them, no id twice. Each is to be given back, or to be said over. */
  take(max: number): Entry[] {
    const taken: Entry[] = [];
    while (this.#first && taken.length < max) {
      const entry = this.#first;
      this.#unlink(entry);
      this.#count(entry, -1);
      taken.push(entry);
    }
    return taken;
  }

  /** Those that are to be decided again come first, in their order. */
  giveBack(entries: readonly Entry[]): void {
    for (let index = entries.length - 1; index >= 0; index -= 1) {
      const entry = entries[index]!;
      this.#linkBefore(entry, this.#first);
      this.#count(entry, 1);
    }
  }

  /**
   * Nothing more comes of one that was taken. Whoever sent its id meanwhile gets its outcome, if that is final; otherwise
   * the next of them stands in line.
   *
   * @returns those who got its outcome
   */
  over(entry: Entry): readonly Entry[] {
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
        followers.delete(follower);
        this.#count(follower, -1);
        follower.resolve(again);
        follower.end();
        answered.push(follower);
      }
    }
    this.#promote(id);
    return answered;
  }

  /** A command that is waiting or being executed, by its id. One that was answered is neither. */
  find(id: string): Entry | undefined {
    const lead = this.#leads.get(id);
    if (lead && !lead.answered) return lead;
    const [follower] = this.#followers.get(id) ?? [];
    return follower;
  }

  /** A caller gave up. What was taken may be stored all the same. */
  #leave(entry: Entry): void {
    const { id } = entry;
    const followers = this.#followers.get(id);
    if (followers?.delete(entry)) {
      if (followers.size === 0) this.#followers.delete(id);
    } else if (this.#isInLine(entry)) {
      this.#unlink(entry);
      this.#leads.delete(id);
      this.#promote(id);
    } else return;
    this.#count(entry, -1);
    entry.end();
  }

  /** The first of those that sent an id again stands in line. */
  #promote(id: string): void {
    const followers = this.#followers.get(id);
    if (followers === undefined) return;
    const [next] = followers;
    if (next) {
      followers.delete(next);
      this.#enter(next);
    }
    if (followers.size === 0) this.#followers.delete(id);
  }

  #enter(entry: Entry): void {
    this.#leads.set(entry.id, entry);
    this.#linkBefore(entry, undefined);
  }

  #count({ request }: Entry, sign: 1 | -1): void {
    this.#waiting += sign;
    this.#bytes += sign * request.bytes;
  }

  #isInLine(entry: Entry): boolean {
    return entry.before !== undefined || this.#first === entry;
  }

  /** At the end, where it comes before nobody. */
  #linkBefore(entry: Entry, next: Entry | undefined): void {
    const before = next ? next.before : this.#last;
    entry.before = before;
    entry.after = next;
    if (before) before.after = entry;
    else this.#first = entry;
    if (next) next.before = entry;
    else this.#last = entry;
  }

  #unlink(entry: Entry): void {
    const { before, after } = entry;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    entry.before = undefined;
    entry.after = undefined;
  }
}
