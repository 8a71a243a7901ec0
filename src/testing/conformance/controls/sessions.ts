/**
 * Mutants of locks, registers and sessions.
 */
import { mutant, withDefect } from './mutant.ts';
import type { Mutant } from './mutant.ts';

export const sessions: readonly Mutant[] = [
  mutant('holds no lock', 'other writers wait until the work is done', (sound) => ({
    exclusive: (work) => work(sound),
  })),
  mutant('keeps what was given up', 'nothing is stored if the work throws', (sound) => ({
    exclusive: async (work) => {
      const failed: unknown[] = [];
      const result = await sound.exclusive((locked) => work(locked).catch((error: unknown) => void failed.push(error)));
      if (failed.length > 0) throw failed[0];
      return result as Awaited<ReturnType<typeof work>>;
    },
  })),
  mutant('shows what isn’t stored yet', 'nobody sees what was appended before', (sound) => ({
    exclusive: (work) => work(sound),
  })),
  mutant('goes on after it was closed', 'a closed session says so', () => ({ close: () => Promise.resolve() })),
  mutant('registers what needs a rebuild', 'a new collection on a log that isn’t empty', (sound) => ({
    register: (collections) => sound.register(collections).catch(() => sound.registry()),
  })),
  {
    defect: 'raises the generation each time',
    caught: 'each call that adds something raises the generation',
    makeStore: withDefect(() => {
      let calls = 0;
      return (sound) => ({
        register: async (collections) => ({ ...(await sound.register(collections)), generation: ++calls }),
      });
    }),
  },
];
