/** Stores with one thing about them changed: what the tests must catch, made of what they test. */
import type { Session, Store } from '../../src/store/store.ts';

/** `store`, whose sessions are as `change` makes them: whatever it doesn't name is as it was. */
export function changedStore(store: Store, change: (session: Session) => Partial<Session>): Store {
  return {
    name: store.name,
    async open() {
      const session = await store.open();
      // By name: a session keeps its state to itself, so its methods can't be lent to another object.
      const whole: Session = {
        capabilities: session.capabilities,
        registry: () => session.registry(),
        register: (collections) => session.register(collections),
        append: (batch) => session.append(batch),
        exclusive: (work) => session.exclusive(work),
        load: (requests, options) => session.load(requests, options),
        read: (range) => session.read(range),
        scan: (range) => session.scan(range),
        commits: (range) => session.commits(range),
        ledger: (ids) => session.ledger(ids),
        documents: (range) => session.documents(range),
        moved: (from, signal) => session.moved(from, signal),
        check: () => session.check(),
        close: () => session.close(),
      };
      return { ...whole, ...change(session) };
    },
  };
}
