/**
 * Defects of the registry, of keyings and of stored documents, planted behind the engine: what it has written or is answered
 * otherwise than it should be. Each must be found by the laws, or be noticed by the engine itself.
 */
import type { EnginePlant } from '../../simulation/engine-defects.ts';
import type { Definition, Locked, Registry, RegistryChange, Session, StoredDocument } from '../../src/store/store.ts';

type Plant = (sound: Session) => Partial<Session>;

/** What a change of the registry writes. */
const writes =
  (change: (wanted: RegistryChange, before: Registry) => RegistryChange): Plant =>
  (sound) => ({
    change: (judge) =>
      sound.change((registry, log) => {
        const wanted = judge(registry, log);
        return wanted && change(wanted, registry);
      }),
  });

/** What is done under the write lock. */
const locks =
  (change: (locked: Locked) => Partial<Locked>): Plant =>
  (sound) => ({
    exclusive: (work, options) => sound.exclusive((locked) => work({ ...locked, ...change(locked) }), options),
  });

/** Another definition of the same collection, by another number. */
function otherOf({ definitions }: Registry, { collection, definition }: Definition): Definition | undefined {
  return definitions.find((one) => one.collection === collection && one.definition !== definition);
}

/** Of a keying, by its name. */
function collectionOf(keying: string): string {
  return keying.split('\u001f')[0]!;
}

function withDocuments(change: (documents: readonly StoredDocument[]) => readonly StoredDocument[]): Plant {
  return (sound) => ({ advance: (step) => sound.advance({ ...step, documents: change(step.documents) }) });
}

const PLANTS: Readonly<Record<string, Plant>> = {
  'a raised definition is taken for the same one': writes((wanted, before) => {
    const definitions = wanted.definitions?.map((one) => {
      const keying = otherOf(before, one)?.keying ?? one.keying;
      return Object.assign({}, one, { keying });
    });
    const isUsed = (name: string): boolean =>
      definitions?.some(({ keying }) => keying === name) || before.keyings.some((one) => one.name === name);
    return { ...wanted, definitions, keyings: wanted.keyings?.filter(({ name }) => isUsed(name)) };
  }),
  'a raised definition has the documents of the one before': writes((wanted, before) => ({
    ...wanted,
    definitions: wanted.definitions?.map((one) => {
      const set = otherOf(before, one)?.set ?? one.set;
      return Object.assign({}, one, { set });
    }),
    indexes: [],
  })),
  'a keying is live before old events are attached': writes((wanted) => ({
    ...wanted,
    keyings: wanted.keyings?.map((one) => (one.state === 'filling' ? Object.assign({}, one, { state: 'live' }) : one)),
  })),
  'a change of the registry is kept from other servers': writes((wanted) => ({ ...wanted, raises: false })),
  'an attachment of an old event is left out': locks((locked) => ({
    attach: (page) => locked.attach({ ...page, attachments: page.attachments.slice(1) }),
  })),
  'the key of another release is used for its attachments': (sound) => ({
    append: (batch) => {
      const swapped = batch.commits.map((commit) => ({
        ...commit,
        events: commit.events.map((event) => {
          const names = [...new Set(event.attachments.map(({ collection }) => collection))];
          const other = (name: string): string =>
            names.find((one) => one !== name && collectionOf(one) === collectionOf(name)) ?? name;
          const attachments = event.attachments.map(({ collection, id }) => ({ collection: other(collection), id }));
          return { ...event, attachments };
        }),
      }));
      return sound.append({ ...batch, commits: swapped });
    },
  }),
  'a stored document is answered from the wrong set': (sound) => {
    const wrong = async (set: number): Promise<number> => {
      const registry = await sound.registry();
      const own = registry.definitions.find((one) => one.set === set);
      return (own && otherOf(registry, own)?.set) ?? set;
    };
    return {
      load: async (requests, options) => {
        const asked = requests.map(async (one) => ({
          ...one,
          set: one.set === undefined ? undefined : await wrong(one.set),
        }));
        return sound.load(await Promise.all(asked), options);
      },
    };
  },
  'the place of a set moves past events that it has not folded': withDocuments((documents) => documents.slice(1)),
  'a stored document says that it has folded one event more': withDocuments((documents) =>
    documents.map((one) => Object.assign({}, one, { version: one.version + 1 })),
  ),
  'index entries of what a document was stay': (sound) => ({
    advance: (step) => sound.advance({ ...step, dropped: [] }),
  }),
};

export const GROWING_DEFECTS: Readonly<Record<string, EnginePlant>> = Object.fromEntries(
  Object.entries(PLANTS).map(([name, session]) => [name, { session }]),
);
