/**
 * Mutants that wake whom they shouldn't, or leave somebody asleep.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { LogEnd, Session } from '../../src/store/store.ts';
import { mutant, withDefect } from './mutant.ts';
import type { Defect, Mutant } from './mutant.ts';

const forever = <T>(): Promise<T> => new Promise(() => undefined);
const endOf = async (session: Session): Promise<LogEnd> => (await session.load([])).end;

/** A defect that knows of every commit that is answered in any session of its store. */
const hearing = (defect: (sound: Session, next: () => Promise<void>) => Partial<Session>) =>
  withDefect(() => {
    let bell = Promise.withResolvers<void>();
    const rings = <T>(answer: T): T => {
      bell.resolve();
      bell = Promise.withResolvers();
      return answer;
    };
    const loud: Defect = (sound) => ({
      append: (batch) => sound.append(batch).then(rings),
      exclusive: (work) => sound.exclusive(work).finally(() => rings(undefined)),
    });
    return (sound) => ({ ...loud(sound), ...defect(sound, () => bell.promise) });
  });

export const waiting: readonly Mutant[] = [
  {
    defect: 'waits for the next commit, whatever there is already',
    caught: 'a session that waits at an old end of the log is told the new end at once',
    makeStore: hearing((sound, next) => ({
      moved: async () => {
        await next();
        return endOf(sound);
      },
    })),
  },
  {
    defect: 'looks, and begins to listen a moment later',
    caught: 'no wake-up is lost',
    makeStore: hearing((sound, next) => ({
      moved: async (from) => {
        const end = await endOf(sound);
        if (end.hash !== from.hash) return end;
        await setImmediate();
        await next();
        return endOf(sound);
      },
    })),
  },
  mutant(
    'hears of its own commits only',
    'a session that waits is woken by what another session appends, and can read it',
    (sound) => {
      let own = Promise.withResolvers<void>();
      return {
        append: async (batch) => {
          const answer = await sound.append(batch);
          own.resolve();
          own = Promise.withResolvers();
          return answer;
        },
        moved: async (from) => {
          for (;;) {
            const next = own.promise;
            const end = await endOf(sound);
            if (end.hash !== from.hash) return end;
            await next;
          }
        },
      };
    },
  ),
  mutant(
    'tells an end before it can be read',
    'a session that waits is woken by what another session appends, and can read it',
    (sound) => ({
      moved: async (from, signal) => {
        const end = await sound.moved(from, signal);
        return { ...end, position: end.position + 1 };
      },
    }),
  ),
  {
    defect: 'tells one, and forgets the others',
    caught: 'all waits are woken, however many there are, at whatever end',
    makeStore: withDefect(() => {
      let waiting = 0;
      return (sound) => ({
        moved: (from, signal) => {
          if (waiting > 0) return forever();
          waiting += 1;
          return sound.moved(from, signal).finally(() => (waiting -= 1));
        },
      });
    }),
  },
  mutant('waits for growth alone', 'a wait at an end that the log doesn’t have is over at once', (sound) => ({
    moved: async (from, signal) => {
      for (;;) {
        const end = await sound.moved(from, signal);
        if (end.position > from.position) return end;
        await sleep(5, undefined, { signal });
      }
    },
  })),
  {
    defect: 'wakes for every answer',
    caught: 'a batch that isn’t stored wakes nobody',
    makeStore: hearing((sound, next) => ({
      moved: async () => {
        await next();
        return endOf(sound);
      },
    })),
  },
  {
    defect: 'wakes for what is undone',
    caught: 'what an exclusive section appends wakes nobody',
    makeStore: hearing((sound, next) => ({
      moved: (from, signal) => Promise.race([sound.moved(from, signal), next().then(() => endOf(sound))]),
    })),
  },
  {
    defect: 'tells what is not committed yet',
    caught: 'what an exclusive section appends wakes nobody',
    makeStore: withDefect(() => {
      const early = Promise.withResolvers<LogEnd>();
      return (sound) => ({
        exclusive: (work) =>
          sound.exclusive((locked) =>
            work({
              ...locked,
              append: async (batch) => {
                const answer = await locked.append(batch);
                if (answer.status === 'stored') early.resolve(answer.end);
                return answer;
              },
            }),
          ),
        moved: (from, signal) => Promise.race([sound.moved(from, signal), early.promise]),
      });
    }),
  },
  mutant(
    'can’t be told to give up',
    'a wait whose signal aborts ends with its reason, and the others go on',
    (sound) => ({
      moved: (from) => sound.moved(from, new AbortController().signal),
    }),
  ),
  mutant(
    'begins to wait though it was told to give up',
    'a wait whose signal aborts ends with its reason, and the others go on',
    (sound) => ({
      moved: (from, signal) => sound.moved(from, signal.aborted ? new AbortController().signal : signal),
    }),
  ),
  mutant(
    'has a reason of its own',
    'a wait whose signal aborts ends with its reason, and the others go on',
    (sound) => ({
      moved: (from, signal) =>
        sound.moved(from, AbortSignal.any([signal])).catch(() => Promise.reject(new Error('no'))),
    }),
  ),
  mutant('leaves its listener', 'a wait leaves no listener at its signal', (sound) => ({
    moved: (from, signal) => {
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => reject(signal.reason));
      return Promise.race([sound.moved(from, signal), promise]);
    },
  })),
  mutant(
    'lets those who wait sleep when it is closed',
    'a wait ends with an error when its session is closed, and those of other sessions go on',
    (sound) => ({
      moved: (from, signal) =>
        sound.moved(from, signal).catch((error: unknown) => {
          if ((error as { code?: string }).code === 'Closed') return forever<LogEnd>();
          throw error;
        }),
    }),
  ),
  {
    defect: 'sends all away when one session is closed',
    caught: 'a wait ends with an error when its session is closed, and those of other sessions go on',
    makeStore: withDefect(() => {
      const closed = new AbortController();
      return (sound) => ({
        moved: (from, signal) => sound.moved(from, AbortSignal.any([signal, closed.signal])),
        close: async () => {
          await sound.close();
          closed.abort();
        },
      });
    }),
  },
];
