/** Stores with one thing about them changed: what the tests must catch, made of what they test. */
import type { Session, Store } from '../../src/store/store.ts';
import { whole } from '../conformance/mutant.ts';

/** `store`, whose sessions are as `change` makes them: whatever it doesn't name is as it was. */
export function changedStore(store: Store, change: (session: Session) => Partial<Session>): Store {
  return {
    ...store,
    async open(opening) {
      const session = await store.open(opening);
      return { ...whole(session), ...change(session) };
    },
  };
}
