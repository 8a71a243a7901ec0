/** A store that fails when it is told to, or goes back in time: what those who read are put to the test with. */
import { StoreUnavailable, type Store } from 'tidemark';
import type { LogEnd, Session } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';

type Failing = 'read' | 'moved' | 'commits';

export interface TroubledStore extends Store {
  /** These calls fail from now on, also those that are being waited for. */
  readonly away: (...calls: readonly Failing[]) => void;
  readonly back: () => void;
  readonly error: () => Error;
  /** What calls fail with; as they did at first, if nothing is given. */
  readonly failWith: (error?: () => Error) => void;
  /** Sessions that are open read the other store from now on. */
  readonly goBack: () => void;
}

const unavailable = (): Error => new StoreUnavailable('The store can’t be reached: try again.');

/** `now`, until it is told to fail; and `older` once it has gone back. */
export function troubled(now: Store, older?: Store): TroubledStore {
  let error = unavailable;
  let failing = new Set<Failing>();
  let gone = false;
  /** Whatever is waited for is looked at again when this resolves. */
  let change = Promise.withResolvers<void>();
  const changes = (): void => {
    change.resolve();
    change = Promise.withResolvers();
  };
  const fails = (call: Failing): void => {
    if (failing.has(call)) throw error();
  };

  const store = changedStore(now, (session) => {
    let past: Promise<Session> | undefined;
    const current = async (): Promise<Session> => (gone ? (past ??= older!.open()) : session);
    return {
      async read(range) {
        fails('read');
        return (await current()).read(range);
      },
      async commits(range) {
        fails('commits');
        return (await current()).commits(range);
      },
      load: async (requests, options) => (await current()).load(requests, options),
      async moved(from, signal) {
        for (;;) {
          fails('moved');
          const next = change.promise.then(() => undefined);
          const stop = new AbortController();
          const either = AbortSignal.any([signal, stop.signal]);
          const moved: Promise<LogEnd | undefined> = (await current()).moved(from, either);
          const end = await Promise.race([moved, next]).finally(() => {
            moved.catch(() => undefined);
            stop.abort();
          });
          if (end) return end;
        }
      },
      async close() {
        await (await past)?.close();
        await session.close();
      },
    };
  });
  return {
    ...store,
    away(...calls) {
      failing = new Set(calls);
      changes();
    },
    back: () => void (failing = new Set()),
    error: unavailable,
    failWith: (other = unavailable) => void (error = other),
    goBack() {
      gone = true;
      changes();
    },
  };
}
