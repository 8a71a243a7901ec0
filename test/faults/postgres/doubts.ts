/** A store that tells of what the engine keeps from its callers: writes that got no answer, and what became of them. */
import { StoreUnavailable } from 'tidemark';
import type { Appended, Batch, Locked, Store } from '../../../src/store/store.ts';
import { changedStore } from '../over-session.ts';

export interface DoubtListener {
  /** It isn't known whether a write was stored. */
  readonly doubt: () => void;
  /** So many commands were sent again, and are in the ledger. */
  readonly found: (commands: number) => void;
}

export function telling(store: Store, { doubt, found }: DoubtListener): Store {
  const told = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      if (error instanceof StoreUnavailable && error.details['unknown'] === true) doubt();
      throw error;
    }
  };
  const appending = (by: Pick<Locked, 'append'>) => async (batch: Batch) => {
    const appended: Appended = await by.append(batch);
    if (appended.status === 'refused') found(appended.duplicates.length);
    return appended;
  };
  return changedStore(store, (session) => ({
    append: (batch) => told(() => appending(session)(batch)),
    exclusive: (work) => told(() => session.exclusive((locked) => work({ ...locked, append: appending(locked) }))),
  }));
}
