/**
 * A session for readers: their calls end at once when the application is closed, so that a reader of the whole log doesn't delay
 * `close`. What stores commands uses the session itself, as the queue is still stored then.
 */
import type { Session } from '../store/store.ts';

const CALLS = [
  'registry',
  'load',
  'read',
  'scan',
  'stored',
  'commits',
  'ledger',
  'types',
  'documents',
  'check',
] as const;

export type ReadingSession = Pick<Session, (typeof CALLS)[number]>;

type Call = (...given: never[]) => Promise<unknown>;

/** A session whose calls are made by `by`. */
export function readingBy(session: ReadingSession, by: <T>(call: () => Promise<T>) => Promise<T>): ReadingSession {
  const calls = CALLS.map((name): [string, Call] => [name, (...given) => by(() => (session[name] as Call)(...given))]);
  return Object.fromEntries(calls) as ReadingSession;
}

/** @returns a session whose calls reject with the signal's reason once that aborts */
export function untilClosed(session: Session, closing: AbortSignal): ReadingSession {
  const asking = new Set<(reason: unknown) => void>();
  closing.addEventListener('abort', () => {
    for (const give of asking) give(closing.reason);
  });
  // One listener for all: a `get` is too short to pay for its own.
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
  return readingBy(session, asks);
}
