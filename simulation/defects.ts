/**
 * Defects to plant: stores that each break one law, and what could be wrong with the engine. They show that the
 * simulation can fail; a run with one of them must be found wanting within a few hundred seeds.
 */
import { DefinitionChanged, StoreUnavailable } from '../src/errors.ts';
import { givenClock, type Clock } from '../src/store/clock.ts';
import { undo } from '../src/store/memory/writing/append.ts';
import { commitDigest } from '../src/store/chain.ts';
import type { Batch, Commit, DocumentRef, Session, Stored } from '../src/store/store.ts';
import { findDocument, headAt } from '../src/store/memory/schema.ts';
import { resting } from '../src/testing/conformance/batches.ts';
import { ENGINE_DEFECTS, storeWith } from './engine-defects.ts';
import type { SessionParts } from './session.ts';
import { STORED_DEFECTS } from './stored-defects.ts';
import type { Plant } from './world.ts';

/** What a defect replaces of a session. */
type Defect = (sound: Session, place: SessionParts) => Partial<Session>;

function planted(defect: Defect): Plant {
  return { store: (store, place) => storeWith(store, (sound) => defect(sound, place)) };
}

/** A defect in what is sent, also under the write lock. */
function sends(change: (batch: Batch, place: SessionParts) => Batch): Plant {
  return planted((sound, place) => ({
    append: (batch) => sound.append(change(batch, place)),
    exclusive: (work) =>
      sound.exclusive((locked) => work({ ...locked, append: (batch) => locked.append(change(batch, place)) })),
  }));
}

/** A store that goes by another clock than it should. */
function goesBy(change: (sound: SessionParts['clock']) => Clock): Plant {
  return {
    store: (store, place) => {
      place.clock = { ...place.clock, clock: change(place.clock) };
      return store;
    },
  };
}

/** The same commit under another id. */
function renamed(commit: Commit): Commit {
  const command = { ...commit.command, id: `${commit.command.id} again` };
  return { ...commit, command, digest: commitDigest({ ...commit, command }) };
}

/** Machines whose store does something else. A machine is all servers'. */
const changed = new WeakSet<SessionParts['machine']>();

/** A defect in what is judged of a batch, with the lock held. */
function judges(change: (batch: Batch, machine: SessionParts['machine']) => Batch): Plant {
  return {
    store: (store, { machine }) => {
      if (changed.has(machine)) return store;
      changed.add(machine);
      const sound = machine.append.bind(machine);
      machine.append = (batch, clock) => sound(change(batch, machine), clock);
      return store;
    },
  };
}

const key = ({ collection, id }: DocumentRef): string => `${collection} ${id}`;

/** No commit rests on what an earlier one of its batch has made of a document, but for those that are stale. */
function untainted(batch: Batch, { log }: SessionParts['machine']): Batch {
  const made = new Set<string>();
  const isStale = ({ collection, id, version }: Batch['reads'][number]): boolean =>
    findDocument(log, collection, id)
      ?.events.slice(version)
      .some(({ type }) => batch.handled.get(collection)?.has(type)) ?? false;
  const stale = batch.reads.map(isStale);
  const commits = batch.commits.map((commit): Commit => {
    const reads = commit.reads.filter((row) => stale[row] || !made.has(key(batch.reads[row]!)));
    for (const ref of commit.events.flatMap(({ attachments }) => attachments)) made.add(key(ref));
    return { ...commit, reads };
  });
  return { ...batch, commits };
}

export const DEFECTS: Readonly<Record<string, Plant>> = {
  'a retry after a lost answer makes new command ids': planted((sound) => {
    const doubted = new Set<string>();
    return {
      append: async (batch) => {
        const commits = batch.commits.map((commit) => (doubted.has(commit.command.id) ? renamed(commit) : commit));
        try {
          return await sound.append({ ...batch, commits });
        } catch (error) {
          if (isUnknown(error)) for (const { command } of batch.commits) doubted.add(command.id);
          throw error;
        }
      },
    };
  }),
  'the ledger is not asked before storing': sends((batch, { machine }) => {
    for (const { command } of batch.commits) machine.log.ledger.delete(command.id);
    return batch;
  }),
  'the end that was seen is not checked': sends((batch, { machine }) => {
    const { position, hash } = machine.log.commits.length > 0 ? endOf(machine.log.commits.at(-1)!) : batch.seen;
    return { ...batch, seen: { position, hash } };
  }),
  'what was read is not checked': planted((sound, { machine }) => ({
    append: async (batch) => {
      const answer = await sound.append(resting(batch, () => false));
      if (answer.status !== 'stored') return answer;
      const before = beforeStored(answer);
      const head = (ref: DocumentRef): number => headAt(findDocument(machine.log, ref.collection, ref.id), before);
      return { ...answer, heads: batch.reads.map(head) };
    },
  })),
  'version 0 is taken for no check': sends((batch) => resting(batch, ({ version }) => version > 0)),
  'what builds on a commit that fell is stored': judges(untainted),
  'the generation is not checked': sends((batch, { machine }) => ({
    ...batch,
    generation: machine.log.registry.generation,
  })),
  // Whoever judges is shown a log that has held nothing.
  'types are registered that the log has held': planted((sound) => ({
    change: (judge) => sound.change((registry, log) => judge(registry, { ...log, firstOf: () => undefined })),
  })),
  'an older release is refused': planted((sound) => ({
    change: (judge) =>
      sound.change((registry, log) => {
        const change = judge(registry, log);
        const isOlder = change?.definitions?.some((added) =>
          registry.definitions.some(
            ({ collection, definition, handled }) =>
              collection === added.collection &&
              definition === added.definition &&
              handled.length > added.handled.length,
          ),
        );
        if (isOlder) throw new DefinitionChanged('Too old.');
        return change;
      }),
  })),
  'only the first event of a command is stored': sends((batch) => ({
    ...batch,
    commits: batch.commits.map((commit) => {
      const cut = { ...commit, events: commit.events.slice(0, 1) };
      return { ...cut, digest: commitDigest(cut) };
    }),
  })),
  'acknowledged before it is stored': planted((sound, place) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status === 'stored') postpone(batch, answer, place);
      return answer;
    },
  })),
  'a lost answer is taken for a refusal': planted((sound) => ({
    append: (batch) =>
      sound.append(batch).catch((error: unknown) => {
        throw isUnknown(error) ? new StoreUnavailable('The store can’t be reached.') : error;
      }),
  })),
  'loads each document at another point of the log': planted((sound) => ({
    load: async (requests, options) => {
      const loaded = await sound.load([], options);
      const documents = [];
      for (const request of requests) documents.push(...(await sound.load([request], options)).documents);
      return { ...loaded, documents };
    },
  })),
  'shows what is not committed yet': planted((sound, { machine }) => ({
    exclusive: (work) => sound.exclusive((locked) => work(locked).finally(() => machine.publish())),
  })),
  'commits are recorded when they were decided': goesBy(() => ({ read: () => 0, aheadMs: Infinity })),
  'whatever a clock says is believed': goesBy(({ says }) => givenClock(says, Infinity)),
  'a server’s clock is held against itself alone': goesBy(({ clock, says }) => givenClock(says, clock.aheadMs)),
  'a page leaves out the last event': planted((sound) => ({
    read: async (range) => {
      const page = await sound.read(range);
      return page.events.length > 1 ? { ...page, events: page.events.slice(0, -1) } : page;
    },
  })),
  ...STORED_DEFECTS,
  ...ENGINE_DEFECTS,
};

/** Where the log ended before a batch. */
function beforeStored({ commits }: Stored): number {
  return commits.find((at) => at !== undefined)!.position - 1;
}

function endOf({ position, eventCount, hash }: { position: number; eventCount: number; hash: string }) {
  return { position: position + eventCount - 1, hash };
}

/** Takes a batch out of the log again if it is still the last, and stores it some time later. */
function postpone(batch: Batch, stored: Stored, { machine, clock }: SessionParts): void {
  const before = beforeStored(stored);
  if (!machine.free || machine.log.commits.at(-1)?.hash !== stored.end.hash) return;
  undo(machine.log, before);
  machine.publish();
  void machine.later('the batch that was acknowledged', () => {
    if (!machine.free) return;
    machine.append(batch, clock);
    machine.publish();
  });
}

function isUnknown(error: unknown): boolean {
  return error instanceof StoreUnavailable && error.details['unknown'] === true;
}
