/**
 * The simplest implementation of the contract: a list, which each call searches completely. Random cases compare a store with it.
 */
import { Buffer } from 'node:buffer';
import { LOAD_EVENTS_MAX, STALE_EVENTS_MAX } from '../../store/store.ts';
import type {
  Appended,
  Batch,
  Commit,
  DocumentEvent,
  DocumentHead,
  DocumentRef,
  HeldType,
  Judge,
  LogEnd,
  LogFacts,
  Registry,
  RegistryChange,
  StoredCommit,
  StoredEvent,
} from '../../store/store.ts';
import { factsOf, GENESIS, START } from './batches.ts';
import { expectedChain } from './evidence.ts';
import type { Link } from './evidence.ts';

const bytes = ({ collection, id }: DocumentRef): Buffer => Buffer.from(`${collection}\0${id}`);

export class Model {
  readonly commits: StoredCommit[] = [];
  readonly events: StoredEvent[] = [];
  registry: Registry;
  readonly #sent: Commit[] = [];
  /** What the store's clock said for each of them. */
  readonly #clock: number[] = [];

  constructor(registry: Registry) {
    this.registry = registry;
  }

  get end(): LogEnd {
    const { hash, recordedAt } = this.commits.at(-1) ?? { ...GENESIS, recordedAt: 0 };
    return { position: this.events.length, hash, recordedAt };
  }

  /** Every point that the log has ended at. */
  get ends(): LogEnd[] {
    const ends = this.commits.map(({ position, eventCount, hash, recordedAt }) => {
      return { position: position + eventCount - 1, hash, recordedAt };
    });
    return [{ ...GENESIS, recordedAt: 0 }, ...ends];
  }

  of({ collection, id }: DocumentRef, asOf = Infinity): DocumentEvent[] {
    const isIt = (ref: DocumentRef) => ref.collection === collection && ref.id === id;
    return this.events
      .filter(({ position, attachments }) => position <= asOf && attachments.some(isIt))
      .map(({ type, schemaVersion, json, position, commit }, index) => {
        return { type, schemaVersion, json, position, time: commit.time, version: index + 1 };
      });
  }

  ledger(ids: readonly string[]): StoredCommit[] {
    return this.commits.filter(({ command, position }) => {
      const last = this.commits.findLast((other) => other.command.id === command.id);
      return ids.includes(command.id) && last?.position === position;
    });
  }

  types(): HeldType[] {
    const names = [...new Set(this.events.map(({ type }) => type))];
    return names.map((type) => {
      const all = this.events.filter((event) => event.type === type);
      const succeeded = all.find(({ commit }) => commit.outcome === 'succeeded')?.position;
      return { type, position: all[0]!.position, succeeded };
    });
  }

  /** What is to be known of the log to judge a change. */
  get facts(): LogFacts {
    const held = new Map(this.types().map(({ type, position }) => [type, position]));
    return { isEmpty: this.events.length === 0, firstOf: (type) => held.get(type) };
  }

  /** The registry afterwards. Throws what `judge` throws. */
  change(judge: Judge): Registry {
    const change = judge(this.registry, this.facts);
    if (change) this.registry = registryAfter(this.registry, change);
    return this.registry;
  }

  documents(): DocumentHead[] {
    const all = new Map(
      this.events.flatMap(({ attachments }) => attachments).map((ref) => [bytes(ref).toString(), ref]),
    );
    return [...all.values()]
      .map(({ collection, id }) => ({ collection, id, head: this.of({ collection, id }).length }))
      .sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
  }

  /** `now` is what the store's clock says. */
  append({ seen, generation, handled, reads, commits }: Batch, now: number = START): Appended {
    const { end } = this;
    if (!this.ends.some(({ position, hash }) => position === seen.position && hash === seen.hash))
      return { status: 'diverged' };
    if (generation !== this.registry.generation) return { status: 'behind' };
    let room = LOAD_EVENTS_MAX;
    const stale = reads.flatMap(({ collection, id, version }) => {
      const all = this.of({ collection, id });
      const missed = all.filter((event) => event.version > version);
      if (!missed.some(({ type }) => handled.get(collection)?.has(type))) return [];
      const events = missed.slice(0, Math.min(STALE_EVENTS_MAX, room));
      room -= events.length;
      return [{ collection, id, head: all.length, events }];
    });
    const isFinal = (id: string) => this.commits.some((stored) => stored.final && stored.command.id === id);
    const duplicates = commits.map(({ command }) => command.id).filter(isFinal);
    const heads = reads.map((read) => this.of(read).length);
    const isOf = (row: number, { collection, id }: DocumentRef) =>
      reads[row]!.collection === collection && reads[row]!.id === id;
    // A commit falls if it is a duplicate, rests on a stale document, or on one that a fallen commit would have changed.
    const fallen: Commit[] = [];
    for (const commit of commits) {
      const changes = fallen.flatMap(({ events }) =>
        events.flatMap(({ type, attachments }) => attachments.filter((ref) => handled.get(ref.collection)?.has(type))),
      );
      const isLost = (row: number) => [...stale, ...changes].some((ref) => isOf(row, ref));
      if (duplicates.includes(commit.command.id) || commit.reads.some(isLost)) fallen.push(commit);
    }
    if (fallen.length === commits.length) return { status: 'refused', end, heads, stale, duplicates };
    const kept = commits.filter((commit) => !fallen.includes(commit));
    const versions = kept.flatMap((commit) => this.#store(commit, now));
    const links = this.#chain().slice(-kept.length);
    const at = commits.map((commit) => links[kept.indexOf(commit)]);
    return { status: 'stored', end: this.end, heads, stale, duplicates, commits: at, versions };
  }

  #chain(): Link[] {
    return expectedChain(this.#sent, (index) => this.#clock[index]!);
  }

  #store(commit: Commit, now: number): number[] {
    this.#sent.push(commit);
    this.#clock.push(now);
    const { events } = commit;
    const stored = { ...factsOf(commit), ...this.#chain().at(-1)!, eventCount: events.length };
    this.commits.push(stored);
    return events.flatMap(({ attachments, ...event }) => {
      const attached = attachments.map((ref) => ({ ...ref, version: this.of(ref).length + 1 }));
      this.events.push({ ...event, attachments: attached, position: this.events.length + 1, commit: stored });
      return attached.map(({ version }) => version);
    });
  }
}

export function registryAfter(registry: Registry, change: RegistryChange): Registry {
  const { raises, last, keyings = [], definitions = [], indexes = [], removed = [] } = change;
  return {
    generation: registry.generation + (raises ? 1 : 0),
    last,
    keyings: [...registry.keyings.filter(({ name }) => !keyings.some((one) => one.name === name)), ...keyings].sort(
      (a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
    ),
    definitions: [...registry.definitions.filter(({ id }) => !definitions.some((one) => one.id === id)), ...definitions]
      .filter(({ id }) => !removed.includes(id))
      .sort((a, b) => a.id - b.id),
    indexes: [...registry.indexes.filter(({ number }) => !indexes.some((one) => one.number === number)), ...indexes]
      .filter(({ number }) => !removed.includes(number))
      .sort((a, b) => a.number - b.number),
  };
}
