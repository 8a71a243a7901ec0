/** What a store holds of a collection, read without an application. */
import type { Store } from 'tidemark';
import { onTestFinished } from 'vitest';
import type { LogPoint, Session, StoredDocument } from '../../src/store/store.ts';

export interface StoredSetReader {
  readonly session: Session;
  /** The number of the collection's set. */
  readonly set: number;
  place(): Promise<LogPoint>;
  document(id: string): Promise<StoredDocument | undefined>;
  /** How many entries the set's first index has. */
  entries(): Promise<number>;
}

/** The set of the only collection that is registered, or of the one with this name. */
export async function storedSet(store: Store, collection?: string): Promise<StoredSetReader> {
  const session = await store.open();
  onTestFinished(() => session.close());
  const { definitions, indexes } = await session.registry();
  const { set } = definitions.find((one) => collection === undefined || one.collection === collection)!;
  return {
    session,
    set,
    place: async () => (await session.stored({ set, limit: 0 }))!.place,
    document: async (id) => (await session.stored({ set, ids: [id] }))!.documents[0],
    async entries() {
      const index = indexes.find((one) => one.set === set)!.number;
      return (await session.stored({ set, index, limit: 1_000 }))!.documents.length;
    },
  };
}
