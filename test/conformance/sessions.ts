/**
 * Mutants of locks, registers and sessions.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ClockAhead, Closed } from '../../src/errors.ts';
import type { Batch, Locked, Session } from '../../src/store/store.ts';
import { mutant, withDefect } from './mutant.ts';
import type { Mutant } from './mutant.ts';

/** What can be called under the lock, without it. */
const unlocked = (sound: Session): Locked => ({
  ...sound,
  attach: (page) => sound.exclusive((locked) => locked.attach(page)),
  fillIndex: (page) => sound.exclusive((locked) => locked.fillIndex(page)),
});

export const sessions: readonly Mutant[] = [
  mutant('holds no lock', 'other writers wait until the work is done', (sound) => ({
    exclusive: (work) => work(unlocked(sound)),
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
    exclusive: (work) => work(unlocked(sound)),
  })),
  mutant('reads beside the section what is asked in it', 'its commits and events are read in the section', (sound) => ({
    exclusive: (work) =>
      sound.exclusive((locked) =>
        work({ ...locked, commits: (asked) => sound.commits(asked), read: (asked) => sound.read(asked) }),
      ),
  })),
  mutant('goes on after it was closed', 'a closed session says so', () => ({ close: () => Promise.resolve() })),
  mutant(
    'waits for the lock, however soon it is to be closed',
    'what waits for the lock is given up when its session is closed with a time limit',
    (sound) => ({
      close: () => sound.close(),
    }),
  ),
  mutant(
    'stores what it has let go',
    'what waits for the lock is given up when its session is closed with a time limit',
    (sound) => {
      const asked = new Set<(error: Closed) => void>();
      return {
        append: (batch) => {
          const { promise, reject } = Promise.withResolvers<never>();
          asked.add(reject);
          return Promise.race([promise, sound.append(batch)]);
        },
        close: async (closing) => {
          for (const tell of asked) tell(new Closed('The session was closed: nothing was stored.'));
          if (asked.size === 0) await sound.close(closing);
        },
      };
    },
  ),
  mutant(
    'lets the lock go with the work alone',
    'work under the lock loses it when its session is closed with a time limit',
    (sound) => ({
      exclusive: (work) => sound.exclusive(work),
      close: async () => undefined,
    }),
  ),
  mutant(
    'is closed before what it was asked for',
    'what was asked for earlier is stored, if there is time before the session is closed',
    (sound) => ({
      append: (batch) => sleep(10).then(() => sound.append(batch)),
    }),
  ),
  mutant(
    'keeps what was appended before an append that threw',
    'nothing is stored after an append that threw',
    (sound) => ({
      exclusive: (work) =>
        sound.exclusive((locked) => {
          const append = (batch: Batch) =>
            batch.commits.some(({ time }) => time > Date.now())
              ? Promise.reject(new ClockAhead('Set the clock, please.'))
              : locked.append(batch);
          return work({ ...locked, append });
        }),
    }),
  ),
  {
    defect: 'registers while others work under the lock',
    caught: 'a new collection waits until the work is done',
    makeStore: withDefect(() => {
      let working = 0;
      return (sound) => ({
        exclusive: async (work) => {
          working += 1;
          return sound.exclusive(work).finally(() => (working -= 1));
        },
        change: async (judge) => {
          if (working === 0) return sound.change(judge);
          // By what is there before the others are done.
          const { end } = await sound.load([]);
          const registry = await sound.registry();
          const change = judge(registry, { isEmpty: end.position === 0, firstOf: () => undefined });
          return change ? { ...registry, generation: registry.generation + 1 } : registry;
        },
      });
    }),
  },
  mutant('takes the lock to register nothing', 'what is registered already waits', (sound) => ({
    change: (judge) => sound.exclusive(async () => undefined).then(() => sound.change(judge)),
  })),
  mutant('lends its lock for ever', 'nothing can be done under the lock once', (sound) => ({
    exclusive: async (work) => {
      let over = false;
      const result = sound.exclusive((locked) =>
        work({
          registry: () => (over ? sound : locked).registry(),
          append: (batch) => (over ? sound : locked).append(batch),
          load: (requests, options) => (over ? sound : locked).load(requests, options),
          ledger: (ids) => (over ? sound : locked).ledger(ids),
          commits: (asked) => (over ? sound : locked).commits(asked),
          read: (asked) => (over ? sound : locked).read(asked),
          scan: (asked) => (over ? sound : locked).scan(asked),
          stored: (asked) => (over ? sound : locked).stored(asked),
          attach: (page) => locked.attach(page),
          fillIndex: (page) => locked.fillIndex(page),
        }),
      );
      return result.finally(() => (over = true));
    },
  })),
];
