/**
 * A session as those use it who read. Once the application is closed they read no further, and are told so at once, also
 * of what they wait for: a reader of the whole log would keep `close` waiting for as long as that takes. What stores
 * commands uses the session itself, as what is in the queue is still stored then.
 */
import type { Session } from '../store/store.ts';

type Asked = 'registry' | 'load' | 'read' | 'scan' | 'commits' | 'ledger' | 'types' | 'documents' | 'check';

export type ReadingSession = Pick<Session, Asked>;

/** @returns a session whose calls reject with the signal's reason once that aborts */
export function untilClosed(session: Session, closing: AbortSignal): ReadingSession {
  const asking = new Set<(reason: unknown) => void>();
  closing.addEventListener('abort', () => {
    for (const give of asking) give(closing.reason);
  });
  // One listener for all: a `get` is too short to pay for one of its own.
  const asks = async <T>(call: () => Promise<T>): Promise<T> => {
    closing.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    asking.add(reject);
    try {
      call().then(resolve, reject);
      return await promise;
    } finally {
      asking.delete(reject);
    }
  };
  return {
    registry: () => asks(() => session.registry()),
    load: (requests, options) => asks(() => session.load(requests, options)),
    read: (range, options) => asks(() => session.read(range, options)),
    scan: (range, options) => asks(() => session.scan(range, options)),
    commits: (range, options) => asks(() => session.commits(range, options)),
    ledger: (ids, options) => asks(() => session.ledger(ids, options)),
    types: (range) => asks(() => session.types(range)),
    documents: (range) => asks(() => session.documents(range)),
    check: (rest) => asks(() => session.check(rest)),
  };
}
