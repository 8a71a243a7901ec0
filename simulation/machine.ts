/**
 * The simulated store's machine: one log (the memory store's own roles on it), its write lock, and writes that are
 * done after their sender has given them up. It survives all servers; it may go back in time.
 */
import { machineClock, type Anchor, type AnchorPlace, type Clock } from '../src/store/clock.ts';
import { Appender, undo } from '../src/store/memory/writing/append.ts';
import { RegistryEntries } from '../src/store/memory/writing/registry.ts';
import { emptyLog, publish, type Log } from '../src/store/memory/schema.ts';
import type { Appended, Batch, CollectionEntry, Registry, StoredCommit } from '../src/store/store.ts';
import { registryAfter } from '../src/testing/conformance/model.ts';
import type { Chance } from '../src/testing/conformance/random.ts';
import { Journal } from './journal.ts';
import { registeredOf, type Registered } from './laws/attach.ts';
import { same } from './laws/broken.ts';
import type { Logged } from './laws/records.ts';
import type { Owner, Scheduler } from './scheduler.ts';

/** How far ahead a decision's time may be. */
export const CLOCK_AHEAD_MS = 60_000;

/** A clock that the store goes by, and what it is without anything done to it. */
export interface StoreClock {
  readonly clock: Clock;
  readonly says: () => number;
}

interface Stamp {
  readonly said: number;
  readonly now: number;
}

interface Holder {
  /** The machine itself once the server has given up what it holds the lock for. */
  owner: Owner;
  /** Whether it has sent its commit. */
  committing: boolean;
}

export class Machine implements Owner {
  readonly name = 'store';
  readonly dead = false;
  readonly log: Log = emptyLog();
  /** What clocks of servers are held against: kept with the log. */
  readonly anchor: AnchorPlace & { kept?: Anchor } = {
    read: () => this.anchor.kept,
    write: (anchor) => void (this.anchor.kept = anchor),
  };
  /** Tokens of calls that were sent to be written and got no answer. */
  readonly doubts = new Set<string>();
  readonly journal: Journal;
  /** Servers whose collections can't be registered, with the code of why. */
  readonly refused = new Map<string, string>();
  /** The registry as it was from the commit with an index on. */
  readonly #registries: { from: number; readonly registered: Registered }[] = [];
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  #holder: Holder | undefined;
  #waiting: { owner: Owner; grant: (holder: Holder) => void }[] = [];
  #era = 0;
  /** What the clock said, and what time it was, when a commit was stored. */
  readonly #stamps = new WeakMap<StoredCommit, Stamp>();

  constructor(scheduler: Scheduler, chance: Chance) {
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.journal = new Journal(() => scheduler.now);
  }

  get free(): boolean {
    return this.#holder === undefined;
  }

  holds(owner: Owner): boolean {
    return this.#holder?.owner === owner;
  }

  /** By what the commit with this index was attached. */
  registeredAt(index: number): Registered {
    return this.#registries.findLast(({ from }) => from <= index)?.registered ?? new Map();
  }

  /** Registers what a server gives, if the log lets it; judged by the model. While nobody holds the lock. */
  register(owner: Owner, given: readonly CollectionEntry[]): Registry {
    const { log } = this;
    const expected = registryAfter(log.registry, given, new Set(log.events.map(({ type }) => type)));
    if (typeof expected === 'string') this.refused.set(owner.name, expected);
    try {
      const registry = new RegistryEntries(log).register(given);
      same(4, registry, expected, () => `what ${owner.name} was registered as`);
      this.#grown();
      return registry;
    } catch (error) {
      same(4, (error as { code?: string }).code ?? String(error), expected, () => `what ${owner.name} was told`);
      throw error;
    }
  }

  /** Waits for the write lock. */
  acquire(owner: Owner): Promise<Holder> {
    return new Promise((grant) => {
      this.#waiting.push({ owner, grant });
      this.#grant();
    });
  }

  release(): void {
    this.#holder = undefined;
    this.#grant();
  }

  /** The clock that the store goes by for a server whose own says `now`; undefined if it has one for all. */
  clockFor(now: (() => number) | undefined): StoreClock {
    const scheduler = this.#scheduler;
    if (!now) return { says: () => scheduler.now, clock: { aheadMs: CLOCK_AHEAD_MS, read: () => scheduler.now } };
    const sinceBoot = () => ({ uptimeMs: scheduler.now, boot: 'the only one' });
    const machine = { now, monotonicMs: () => scheduler.now, sinceBoot };
    return { says: now, clock: machineClock({ aheadMs: CLOCK_AHEAD_MS, advice: '', shared: this.anchor }, machine) };
  }

  append(batch: Batch, { clock, says }: StoreClock): Appended {
    const answer = new Appender(this.log, clock).append(batch);
    if (answer.status !== 'stored') return answer;
    const stamp = { said: says(), now: this.#scheduler.now };
    const stored = answer.commits.filter((at) => at !== undefined);
    for (const commit of this.log.commits.slice(-stored.length)) this.#stamps.set(commit, stamp);
    return answer;
  }

  stampOf(commit: StoredCommit): Stamp {
    return this.#stamps.get(commit)!;
  }

  /** What was appended under the lock is there for everybody. */
  publish(): void {
    this.journal.ends('commits');
    publish(this.log);
  }

  /** Those who wait look whether the store is still there. */
  stirs(): void {
    for (const waiters of this.log.waiters) waiters.wake();
  }

  undo(): void {
    this.journal.ends('is undone');
    undo(this.log, this.log.visible.position);
  }

  /** Does something some time later, unless the store has gone back in time by then: nobody waits for it. */
  async later(what: string, work: () => Promise<void> | void): Promise<void> {
    const era = this.#era;
    await this.#scheduler.wait(this, what, this.#chance.below(200));
    if (era === this.#era) await work();
  }

  /** A server died: what it had begun and not committed is undone. */
  buries(owner: Owner): void {
    this.#waiting = this.#waiting.filter((one) => one.owner !== owner);
    if (this.#holder?.owner !== owner) return;
    if (this.#holder.committing && this.#chance.once(2)) this.publish();
    else this.undo();
    this.release();
  }

  /** Loses what came after a position, the end of a commit. Only while nobody holds the lock. */
  goBack(position: number): void {
    this.#era += 1;
    this.journal.stops('the store goes back');
    undo(this.log, position);
    // What was registered stays.
    for (const one of this.#registries) one.from = Math.min(one.from, this.log.commits.length);
    this.publish();
  }

  /** A collection that finds nothing in any event: the generation rises, and nothing else changes. */
  grow(): void {
    this.journal.stops('the registry grows by itself');
    const { generation, collections } = this.log.registry;
    const name = `z${String(generation).padStart(4, '0')}`;
    const registry: Registry = {
      generation: generation + 1,
      collections: [...collections, { name, definition: 1, key: { fields: ['nowhere'] }, handled: [] }],
    };
    this.log.registry = Object.freeze(registry);
    this.#grown();
  }

  #grown(): void {
    this.#registries.push({ from: this.log.commits.length, registered: registeredOf(this.log.registry) });
  }

  /** The commits that everybody can see, from an index on. */
  commitsFrom(index: number): Logged[] {
    return this.log.commits
      .slice(index)
      .filter(({ position }) => position <= this.log.visible.position)
      .map((commit) => ({
        commit,
        events: this.log.events.slice(commit.position - 1, commit.position - 1 + commit.eventCount),
      }));
  }

  #grant(): void {
    if (this.#holder || this.#waiting.length === 0) return;
    const [next] = this.#waiting.splice(this.#chance.below(this.#waiting.length), 1);
    this.#holder = { owner: next!.owner, committing: false };
    next!.grant(this.#holder);
  }
}
