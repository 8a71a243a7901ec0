/**
 * What the tests must catch: a store that answers before it has committed. Everything else about it is right, so a
 * test that finds nothing here would find nothing anywhere.
 */
import { setTimeout } from 'node:timers/promises';
import type { Appended, Session, Store } from '../../src/store/store.ts';
import { changedStore } from './over-session.ts';

/** `store`, but each commit comes `delayMs` after its acknowledgement. */
export function hasty(store: Store, delayMs: number): Store {
  return changedStore(store, (session) => hastySession(session, delayMs));
}

function hastySession(session: Session, delayMs: number): Partial<Session> {
  let committed: Promise<unknown> = Promise.resolve();
  // Its own reads must not show that the commit is still to come.
  const after =
    <In extends unknown[], Out>(call: (...given: In) => Promise<Out>) =>
    async (...given: In): Promise<Out> => {
      await committed;
      return call(...given);
    };
  return {
    append: (batch) =>
      new Promise<Appended>((answer, reject) => {
        committed = session
          .exclusive(async (locked) => {
            answer(await locked.append(batch));
            await setTimeout(delayMs);
          })
          .catch(reject);
      }),
    load: after((requests, options) => session.load(requests, options)),
    read: after((range) => session.read(range)),
    scan: after((range) => session.scan(range)),
    commits: after((range) => session.commits(range)),
    ledger: after((ids) => session.ledger(ids)),
  };
}
