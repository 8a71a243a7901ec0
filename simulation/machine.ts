/**
 * The simulated store's machine: one log (the memory store's own roles on it), its write lock, and writes that are
 * done after their sender has given them up. It survives all servers; it may go back in time.
 */
import { GENESIS_HASH } from '../src/store/chain.ts';
import { machineClock, type Anchor, type AnchorPlace, type Clock } from '../src/store/clock.ts';
import { Appender, undo } from '../src/store/memory/writing/append.ts';
import { RegistryEntries } from '../src/store/memory/writing/registry.ts';
import { emptyLog, publish, type Log } from '../src/store/memory/schema.ts';
import type { CollectionEntry, Definitions } from '../src/engine/registry/rules.ts';
import type { Appended, Batch, Judge, LogPoint, Registry, StoredCommit } from '../src/store/store.ts';
import type { Chance } from '../src/testing/conformance/random.ts';
import { Journal } from './journal.ts';
import type { DomainShape } from './domain/shape.ts';
import { NOTHING_REGISTERED, registeredOf, type Registered } from './laws/attach.ts';
import { holds, same } from './laws/broken.ts';
import { refusalOf } from './laws/registry.ts';
import type { Logged } from './laws/records.ts';
import type { Owner, Scheduler } from './scheduler.ts';

/** How far ahead a decision's time may be. */
export const CLOCK_AHEAD_MS = 60_000;

/** A clock that the store goes by, and what it is without anything done to it. */
export interface StoreClock {
  readonly clock: Clock;
  readonly says: () => number;
}

/** What a server wants to be registered while it is being opened. */
export interface Wanted {
  readonly entries: readonly CollectionEntry[];
  readonly definitions: Definitions;
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
  /** Releases of which a definition was never ready, and went when another release put its own in its place. */
  readonly replaced = new Set<number>();
  readonly journal: Journal;
  /** Told when stored documents, index entries or attachments have changed. */
  changed: () => void = () => undefined;
  /** What servers that are being opened want. */
  readonly opening = new Map<string, Wanted>();
  /** The registry as it was from the commit with an index on. */
  readonly #registries: { from: number; readonly registered: Registered }[] = [];
  readonly #shape: DomainShape;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  #holder: Holder | undefined;
  #waiting: { owner: Owner; grant: (holder: Holder) => void }[] = [];
  #era = 0;
  /** The registry that was looked at last. */
  #known: Registry | undefined;
  /** What the clock said, and what time it was, when a commit was stored. */
  readonly #stamps = new WeakMap<StoredCommit, Stamp>();

  constructor(shape: DomainShape, scheduler: Scheduler, chance: Chance) {
    this.#shape = shape;
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
    return this.#registries.findLast(({ from }) => from <= index)?.registered ?? NOTHING_REGISTERED;
  }

  get registered(): Registered {
    return this.registeredAt(Infinity);
  }

  /** Changes the registry. What a server that is being opened registers, and is refused, is what the model says. */
  change(owner: Owner, judge: Judge): Registry {
    const { log } = this;
    const wanted = this.opening.get(owner.name);
    const held = new Set(log.types.keys());
    const refusal = wanted && refusalOf(log.registry, held, wanted.entries, wanted.definitions);
    const before = log.registry;
    try {
      const registry = new RegistryEntries(log).change(judge);
      this.#grown();
      const isNew = registry.definitions.some(({ id }) => id > before.last);
      holds(4, !isNew || refusal === undefined, () => `${owner.name} was registered, and not told ${refusal}`);
      return registry;
    } catch (error) {
      const code = (error as { code?: string }).code ?? String(error);
      if (wanted) same(4, code, refusal, () => `what ${owner.name} was told: ${String(error)}`);
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
    this.#grown();
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
    this.#takesBack(position);
    // What was registered stays.
    for (const one of this.#registries) one.from = Math.min(one.from, this.log.commits.length);
    this.publish();
  }

  /** What was made of the log since is lost with it: sets are empty again, keyings that are being filled lack what is gone. */
  #takesBack(position: number): void {
    const { log } = this;
    for (const at of log.appended.keys()) if (at > position) log.appended.delete(at);
    for (const [number, { place }] of log.sets) if (place.position > position) this.forgets(number);
    const keyings = log.registry.keyings
      .filter(({ state, filled }) => state === 'filling' && filled > position)
      .map((keying) => Object.assign({}, keying, { filled: position }));
    const { last } = log.registry;
    if (keyings.length > 0) new RegistryEntries(log).write({ raises: false, last, keyings });
  }

  /** Whether a place of a set is on the log: the last commit that ends there or before it has its hash. */
  reaches({ position, hash }: LogPoint): boolean {
    const { commits, events } = this.log;
    const whole = commits.findLast((one) => one.position + one.eventCount - 1 <= position);
    return position <= events.length && hash === (whole?.hash ?? GENESIS_HASH);
  }

  /** A set is back at its beginning: what moved it on wasn't on stable storage yet. */
  forgets(set: number): void {
    const { sets, indexes, registry } = this.log;
    this.journal.stops('a set is lost');
    sets.delete(set);
    for (const index of registry.indexes) if (index.set === set) indexes.delete(index.number);
  }

  /** A collection that finds nothing in any event: the generation rises, and nothing else changes. */
  grow(): void {
    this.journal.stops('the registry grows by itself');
    const { generation } = this.log.registry;
    const collection = `z${String(generation).padStart(4, '0')}`;
    new RegistryEntries(this.log).change(({ last }) => {
      const [id, set] = [last + 1, last + 2];
      const key = { fields: ['nowhere'] };
      const keying = { name: collection, collection, key, state: 'live', filled: 0 } as const;
      const row = { id, collection, definition: 1, handled: [], keying: collection, set, usedAt: 0 };
      return { raises: true, last: set, keyings: [keying], definitions: [row] };
    });
    this.#grown();
  }

  /** What the log was attached by from now on. */
  #grown(): void {
    if (this.#known === this.log.registry) return;
    this.#known = this.log.registry;
    const registered = registeredOf(this.#known, this.#shape);
    for (const [name, { id }] of this.registered.own) {
      if (registered.own.get(name)?.id !== id) this.replaced.add(Number(name.split(' ')[0]));
    }
    this.#registries.push({ from: this.log.commits.length, registered });
  }

  /** The commits that everybody can see, from an index on. */
  commitsFrom(index: number): Logged[] {
    return this.log.commits
      .slice(index)
      .filter(({ position }) => position <= this.log.visible.position)
      .map((commit) => ({
        commit,
        events: this.log.events.slice(commit.position - 1, commit.position - 1 + commit.eventCount).map((event) =>
          Object.assign({}, event, {
            attachments: event.attachments.slice(0, this.log.appended.get(event.position)),
          }),
        ),
      }));
  }

  #grant(): void {
    if (this.#holder || this.#waiting.length === 0) return;
    const [next] = this.#waiting.splice(this.#chance.below(this.#waiting.length), 1);
    this.#holder = { owner: next!.owner, committing: false };
    next!.grant(this.#holder);
  }
}
