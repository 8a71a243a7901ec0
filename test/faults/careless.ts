/**
 * What the tests must catch: a store that takes a lost answer for a write that failed, and sends it once more as a new one
 * (lesson 10).
 */
import { StoreUnavailable } from 'tidemark';
import { commitDigest } from '../../src/store/chain.ts';
import type { Batch, Commit, Store } from '../../src/store/store.ts';
import { resting } from '../../src/testing/conformance/batches.ts';
import { changedStore } from './over-session.ts';

export function careless(store: Store): Store {
  return changedStore(store, (session) => ({
    append: async (batch) => {
      try {
        return await session.append(batch);
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || error.details['unknown'] !== true) throw error;
        return session.append(underOtherIds(batch));
      }
    },
  }));
}

function underOtherIds(batch: Batch): Batch {
  const commits = batch.commits.map((commit): Commit => {
    const renamed = { ...commit, command: { ...commit.command, id: `${commit.command.id}-again` } };
    return { ...renamed, digest: commitDigest(renamed) };
  });
  // What it read has moved by its own doing, if it was stored.
  return resting({ ...batch, commits }, () => false);
}
