/**
 * Mutants that register what they must not, or not what they must; and that tell the types of a log wrongly.
 */
import { DefinitionChanged, RebuildRequired } from '../../src/errors.ts';
import type { CollectionEntry, HeldType, Registry, Session } from '../../src/store/store.ts';
import { mutant, withDefect } from './mutant.ts';
import type { Defect, Mutant } from './mutant.ts';

/** A registry that is told by what was given, where the sound one refuses. */
const accepts =
  (which: (error: { code?: string; details?: object }, sound: Session) => boolean | Promise<boolean>): Defect =>
  (sound) => ({
    register: async (collections) => {
      try {
        return await sound.register(collections);
      } catch (error) {
        if (!(await which(error as { code?: string }, sound))) throw error;
        return registryWith(await sound.registry(), collections);
      }
    },
  });

function registryWith({ generation, collections }: Registry, given: readonly CollectionEntry[]): Registry {
  const entries = new Map([...collections, ...given].map((entry) => [entry.name, entry]));
  return { generation: generation + 1, collections: [...entries.values()] };
}

/** Looks at what is registered and what is given before anything else is done. */
const before =
  (look: (registered: CollectionEntry, given: CollectionEntry, sound: Session) => void | Promise<void>): Defect =>
  (sound) => ({
    register: async (collections) => {
      const registry = await sound.registry();
      for (const given of collections) {
        const registered = registry.collections.find(({ name }) => name === given.name);
        if (registered) await look(registered, given, sound);
      }
      return sound.register(collections);
    },
  });

const held = ({ details }: { details?: object }): readonly { readonly type: string; readonly position: number }[] =>
  (details as { held?: readonly { type: string; position: number }[] } | undefined)?.held ?? [];
const typesOf = ({ key }: CollectionEntry): readonly string[] => ('types' in key ? Object.keys(key.types) : []);
const added = (registered: CollectionEntry, given: CollectionEntry): readonly string[] =>
  [...given.handled, ...typesOf(given)].filter(
    (type) => ![...registered.handled, ...typesOf(registered)].includes(type),
  );

export const registering: readonly Mutant[] = [
  mutant(
    'registers a type that the log has held',
    'a type that the log has held isn’t added',
    accepts((error) => held(error).length > 0),
  ),
  mutant(
    'looks for a type among the newest events',
    'a type that the log has held isn’t added',
    accepts(async (error, sound) => {
      const { end } = await sound.load([]);
      return held(error).length > 0 && held(error).every(({ position }) => position < end.position - 1_000);
    }),
  ),
  mutant(
    'looks for a type in what succeeded',
    'a type that the log has held isn’t added',
    accepts(async (error, sound) => {
      const types = await sound.types({ limit: 1_000 });
      const failed = new Set(types.filter(({ succeeded }) => succeeded === undefined).map(({ type }) => type));
      return held(error).length > 0 && held(error).every(({ type }) => failed.has(type));
    }),
  ),
  mutant(
    'takes the name of a command for a type',
    'types that the log has never held are added',
    before(async (registered, given, sound) => {
      const names = new Set((await sound.commits({ limit: 1_000 })).map(({ command }) => command.name));
      if (added(registered, given).some((type) => names.has(type)))
        throw new DefinitionChanged('Held already, it seems.');
    }),
  ),
  mutant(
    'looks at an old registry while others register',
    'of two servers that add different types at once',
    accepts((error) => error.code === 'DefinitionChanged'),
  ),
  {
    defect: 'raises no generation for types',
    caught: 'a server that has not seen new types of a collection is behind until it has',
    makeStore: withDefect(() => {
      let raised = 0;
      const told = ({ generation, collections }: Registry) => ({ generation: generation - raised, collections });
      return (sound) => ({
        registry: async () => told(await sound.registry()),
        register: async (collections) => {
          const registry = await sound.registry();
          const after = await sound.register(collections);
          if (after.collections.length === registry.collections.length)
            raised += after.generation - registry.generation;
          return told(after);
        },
        append: (batch) => sound.append({ ...batch, generation: batch.generation + raised }),
      });
    }),
  },
  mutant(
    'refuses an older release',
    'types that are gone change nothing',
    before((registered, given) => {
      if (added(given, registered).length > 0) throw new DefinitionChanged('There are fewer types than there were.');
    }),
  ),
  mutant('forgets what an older release doesn’t know', 'types that are gone change nothing', (sound) => ({
    register: async (collections) => {
      const { generation, collections: registered } = await sound.register(collections);
      const given = new Map(collections.map((entry) => [entry.name, entry]));
      return { generation, collections: registered.map((entry) => given.get(entry.name) ?? entry) };
    },
  })),
  mutant('lets types be exchanged as long as nothing is stored', 'types gone and new at once', (sound) => ({
    register: async (collections) => {
      const { end } = await sound.load([]);
      return accepts(() => end.position === 0)(sound).register!(collections);
    },
  })),
  mutant('registers types without their keys', 'types that the log has never held are added', (sound) => ({
    register: async (collections) => {
      const keys = new Map((await sound.registry()).collections.map(({ name, key }) => [name, key]));
      const { generation, collections: after } = await sound.register(collections);
      return {
        generation,
        collections: after.map((entry) => Object.assign({}, entry, { key: keys.get(entry.name) ?? entry.key })),
      };
    },
  })),
  mutant(
    'takes a key with more types for the same',
    'another key under a registered name',
    accepts((error) => error.code === 'DefinitionChanged' && 'key' in ((error as { details?: object }).details ?? {})),
  ),
  mutant(
    'takes another definition for a changed one',
    'another definition under a registered name',
    before((registered, given) => {
      if (registered.definition !== given.definition) throw new DefinitionChanged('The definition is another.');
    }),
  ),
  mutant('judges new collections first', 'collections are judged one after the other', (sound) => ({
    register: async (collections) => {
      const known = new Set((await sound.registry()).collections.map(({ name }) => name));
      const late = collections.find(({ name }) => !known.has(name));
      const { end } = await sound.load([]);
      if (late && end.position > 0)
        throw new RebuildRequired('It is too late for that one.', { collection: late.name });
      return sound.register(collections);
    },
  })),
  {
    defect: 'tells handled types as they were given',
    caught: 'what is handled is a set',
    makeStore: withDefect(() => {
      const given = new Map<string, readonly string[]>();
      const told = ({ generation, collections }: Registry) => ({
        generation,
        collections: collections.map((entry) =>
          Object.assign({}, entry, { handled: given.get(entry.name) ?? entry.handled }),
        ),
      });
      return (sound) => ({
        registry: async () => told(await sound.registry()),
        register: async (collections) => {
          for (const { name, handled } of collections) given.set(name, handled);
          return told(await sound.register(collections));
        },
      });
    }),
  },
  mutant('takes a failure for a success', 'types are told once, in the order', (sound) => ({
    types: async (range) =>
      (await sound.types(range)).map(({ type, position }) => ({ type, position, succeeded: position })),
  })),
  mutant('tells types by their names', 'types are told once, in the order', (sound) => ({
    types: async (range) => (await sound.types(range)).toSorted((a, b) => (a.type < b.type ? -1 : 1)),
  })),
  mutant('repeats a type on the next page', 'types come in pages', (sound) => ({
    types: (range) => sound.types({ ...range, after: (range.after ?? 0) - 1 }),
  })),
  holdingAtOnce('holds types of what isn’t stored yet', 'a type is held once its event is there'),
  holdingAtOnce('holds types of what was undone', 'a type of what was undone was never held'),
];

/** Takes types in as their events are appended, whatever becomes of those. */
function holdingAtOnce(defect: string, caught: string): Mutant {
  const makeStore = withDefect(() => {
    const early: HeldType[] = [];
    return (sound) => ({
      exclusive: (work) =>
        sound.exclusive((locked) =>
          work({
            ...locked,
            append: async (batch) => {
              const { type } = batch.commits[0]!.events[0]!;
              early.push({ type, position: batch.seen.position + 1 });
              return locked.append(batch);
            },
          }),
        ),
      types: async (range) => {
        const types = await sound.types(range);
        return [...types, ...early.filter(({ type }) => !types.some((one) => one.type === type))];
      },
    });
  });
  return { defect, caught, makeStore };
}
