/** Defects of what is made of the log: stored documents and their sets, index entries, keyings that are filled, rebuilds, queries. */
import type { App } from 'tidemark';
import { GENESIS_HASH } from '../src/store/chain.ts';
import type { AttachedPage, IndexedPage, Locked, Session, SetStep } from '../src/store/store.ts';
import { replacing, storeWith } from './engine-defects.ts';
import type { SessionParts } from './session.ts';
import type { Plant } from './world.ts';

type Machine = SessionParts['machine'];

function planted(defect: (sound: Session, machine: Machine) => Partial<Session>): Plant {
  return { store: (store, { machine }) => storeWith(store, (sound) => defect(sound, machine)) };
}

/** A defect in the steps that are sent. */
function steps(change: (step: SetStep, machine: Machine) => SetStep): Plant {
  return planted((sound, machine) => ({ advance: (step) => sound.advance(change(step, machine)) }));
}

/** A defect in what is done under the write lock. */
function locks(change: (locked: Locked) => Partial<Locked>): Plant {
  return planted((sound) => ({
    exclusive: (work, options) => sound.exclusive((locked) => work({ ...locked, ...change(locked) }), options),
  }));
}

const attaches = (change: (page: AttachedPage) => AttachedPage): Plant =>
  locks((locked) => ({ attach: (page) => locked.attach(change(page)) }));

const fills = (change: (page: IndexedPage) => IndexedPage): Plant =>
  locks((locked) => ({ fillIndex: (page) => locked.fillIndex(change(page)) }));

const isRebuilt = ({ log }: Machine, set: number): boolean =>
  log.registry.definitions.some(({ rebuilt }) => rebuilt === set);

/** Another set of the same collection, if there is one. */
function otherSet({ log }: Machine, set: number): number | undefined {
  const { definitions } = log.registry;
  const own = definitions.find((one) => one.set === set);
  return definitions.find((one) => one.collection === own?.collection && one.set !== set)?.set;
}

export const STORED_DEFECTS: Readonly<Record<string, Plant>> = {
  'a step leaves a document as it was': steps((step) => ({ ...step, documents: step.documents.slice(1) })),
  'a step stores a document without its newest event': steps((step) => ({
    ...step,
    documents: step.documents.map((one, n) =>
      n === 0 && one.version > 1 ? Object.assign({}, one, { version: one.version - 1 }) : one,
    ),
  })),
  'the place of a set is not compared': steps((step, { log }) => ({
    ...step,
    from: log.sets.get(step.set)?.place ?? step.from,
  })),
  'a step is stored by any generation': steps((step, { log }) => ({ ...step, generation: log.registry.generation })),
  'a set that steps back keeps its documents': {
    store: (store, { machine }) => {
      machine.forgets = (set) => {
        const stored = machine.log.sets.get(set);
        if (stored) stored.place = { position: 0, hash: GENESIS_HASH };
      };
      return store;
    },
  },
  'a page says a later place than its documents are of': planted((sound) => ({
    stored: async (range) => {
      const page = await sound.stored(range);
      const later = await sound.stored({ set: range.set, limit: 0 });
      return page && later && { ...page, place: later.place };
    },
  })),
  'documents are loaded from the set of another definition': planted((sound, machine) => ({
    load: (requests, options) =>
      sound.load(
        requests.map((one) =>
          one.set === undefined ? one : Object.assign({}, one, { set: otherSet(machine, one.set) ?? one.set }),
        ),
        options,
      ),
  })),
  'a raised definition has the set of the old one': planted((sound) => ({
    change: (judge) =>
      sound.change((registry, log) => {
        const change = judge(registry, log);
        const definitions = change?.definitions?.map((added) => {
          const old = registry.definitions.find(({ collection }) => collection === added.collection);
          return old ? Object.assign({}, added, { set: old.set }) : added;
        });
        return change && { ...change, definitions };
      }),
  })),
  'an index keeps the entries of what a document was': steps((step) => ({ ...step, dropped: [] })),
  'documents that are moved on get no entries': steps((step) => ({ ...step, added: [] })),
  'an index is live before it is filled': fills((page) => ({ ...page, entries: [], live: true })),
  'the documents of a page that fills an index get no entries': fills((page) => ({
    ...page,
    entries: page.entries.slice(1),
  })),
  'old events are attached but for the last of a page': attaches((page) => ({
    ...page,
    attachments: page.attachments.slice(0, -1),
  })),
  'events that come while a keying gets its last page are not attached': locks((locked) => {
    let before = Infinity;
    return {
      scan: (range) => {
        before = range.after ?? 0;
        return locked.scan(range);
      },
      attach: (page) => {
        const attachments = page.attachments.filter(({ position }) => position <= before);
        return locked.attach({ ...page, attachments });
      },
    };
  }),
  'a rebuilt set lacks a document': steps((step, machine) =>
    isRebuilt(machine, step.set) ? { ...step, documents: step.documents.slice(1) } : step,
  ),
  'a rebuilt set has no index entries': steps((step, machine) =>
    isRebuilt(machine, step.set) ? { ...step, added: [] } : step,
  ),
  'a query takes what is there, however old': finds((found, options) => found({ ...options, fresh: false })),
  'a query orders from the last to the first': finds(async (found, options) => {
    const page = await found(options);
    return { ...page, documents: page.documents.toReversed() };
  }),
  'a query says that there is no more': finds(async (found, options) => ({
    ...(await found(options)),
    next: undefined,
  })),
};

type Find = (options: object) => ReturnType<App['find']>;

/** A defect in `find`. */
function finds(change: (found: Find, options: object) => ReturnType<App['find']>): Plant {
  return replacing((sound) => ({
    find: (collection: Parameters<App['find']>[0], options: object) => {
      const find: Find = (given) => sound.find(collection, given as never);
      return change(find, { ...options });
    },
  }));
}
