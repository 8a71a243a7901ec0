/**
 * Mutants that change the registry otherwise than they are told, or judge by something else; and that tell the types of a log wrongly.
 */
import type { HeldType, Judge, LogFacts, Registry, RegistryChange } from '../../src/store/store.ts';
import { mutant, withDefect } from './mutant.ts';
import type { Defect, Mutant } from './mutant.ts';

/** A defect in what is written of a change. */
const writes =
  (change: (wanted: RegistryChange) => RegistryChange): Defect =>
  (sound) => ({
    change: (judge) =>
      sound.change((registry, log) => {
        const wanted = judge(registry, log);
        return wanted && change(wanted);
      }),
  });

/** A defect in what `judge` is told of the log. */
const tells =
  (told: (log: LogFacts, types: readonly HeldType[]) => LogFacts): Defect =>
  (sound) => ({
    change: async (judge) => {
      const types = await sound.types({ limit: 1_000 });
      return sound.change((registry, log) => judge(registry, told(log, types)));
    },
  });

/** A defect in what is told of the registry. */
const shows =
  (shown: (registry: Registry) => Registry): Defect =>
  (sound) => ({
    registry: async () => shown(await sound.registry()),
    change: async (judge) => shown(await sound.change(judge)),
  });

export const registering: readonly Mutant[] = [
  mutant(
    'raises the generation for each change',
    'each change that raises the generation does so by one',
    writes((wanted) => ({ ...wanted, raises: true })),
  ),
  mutant(
    'raises no generation without anything to write',
    'each change that raises the generation does so by one',
    writes((wanted) => ({ ...wanted, raises: wanted.raises && Object.keys(wanted).length > 2 })),
  ),
  mutant(
    'keeps what is removed',
    'what has the name, id or number of something takes its place',
    writes((wanted) => ({ ...wanted, removed: [] })),
  ),
  mutant('keeps what a key was first', 'what has the name, id or number of something takes its place', (sound) => ({
    change: (judge) =>
      sound.change((registry, log) => {
        const wanted = judge(registry, log);
        const isNew = ({ name }: { readonly name: string }) => !registry.keyings.some((one) => one.name === name);
        return wanted && { ...wanted, keyings: wanted.keyings?.filter(isNew) };
      }),
  })),
  mutant(
    'tells definitions in the order of their collections',
    'what is registered comes back as it was declared',
    shows((registry) => ({
      ...registry,
      definitions: registry.definitions.toSorted((a, b) => (a.collection < b.collection ? -1 : 1)),
    })),
  ),
  mutant(
    'tells the fields of an index in their order',
    'what is registered comes back as it was declared',
    shows((registry) => ({
      ...registry,
      indexes: registry.indexes.map((one) => Object.assign({}, one, { fields: one.fields.toSorted() })),
    })),
  ),
  mutant('judges by what was there before', 'of servers that change at once', (sound) => ({
    change: async (judge) => {
      const before = await sound.registry();
      return sound.change((_, log) => judge(before, log));
    },
  })),
  mutant('tells its own error for that of judge', 'what judge throws reaches the caller as it is', (sound) => ({
    change: (judge) =>
      sound.change(judge).catch((error: unknown) => {
        throw new Error('The registry could not be changed.', { cause: error });
      }),
  })),
  mutant('swallows what judge throws under the lock', 'what judge throws under the lock reaches', (sound) => ({
    change: (judge) => {
      let asked = 0;
      const once: Judge = (registry, log) => {
        asked += 1;
        try {
          return judge(registry, log);
        } catch (error) {
          if (asked === 1) throw error;
          return undefined;
        }
      };
      return sound.change(once);
    },
  })),
  mutant(
    'looks for a type in what succeeded',
    'judge is told whether the log is empty, and where a type came first',
    tells((log, types) => ({
      ...log,
      firstOf: (type) => types.find((one) => one.type === type)?.succeeded,
    })),
  ),
  mutant(
    'looks for a type among the newest events',
    'judge is told whether the log is empty, and where a type came first',
    tells((log, types) => {
      const newest = types.at(-1)?.position ?? 0;
      const firstOf = (type: string) => {
        const position = log.firstOf(type);
        return position !== undefined && position < newest ? undefined : position;
      };
      return { ...log, firstOf };
    }),
  ),
  mutant(
    'finds types in a plain object',
    'judge is told whether the log is empty, and where a type came first',
    tells((log, types) => {
      const held: Record<string, number | undefined> = Object.fromEntries(
        types.map(({ type, position }) => [type, position]),
      );
      return { ...log, firstOf: (type) => held[type] };
    }),
  ),
  {
    defect: 'tells judge of what isn’t stored yet',
    caught: 'judge isn’t told of what isn’t stored yet',
    makeStore: withDefect(() => {
      let appended = 0;
      return (sound) => ({
        exclusive: (work) =>
          sound.exclusive((locked) =>
            work({ ...locked, append: (batch) => locked.append(batch).finally(() => (appended += 1)) }),
          ),
        change: (judge) =>
          sound.change((registry, log) => judge(registry, { ...log, isEmpty: log.isEmpty && appended === 0 })),
      });
    }),
  },
  mutant('forgets the generation when it loads', 'what is loaded carries the generation', (sound) => {
    let known: number | undefined;
    return {
      load: async (requests, options) => {
        const loaded = await sound.load(requests, options);
        known ??= loaded.generation;
        return { ...loaded, generation: known };
      },
    };
  }),
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
