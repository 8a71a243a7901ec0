/** A session for executing batches: its calls go before those of readers, as all who wait for a batch wait for them. */
import type { Session } from '../../store/store.ts';

const FIRST = Object.freeze({ forBatch: true });

/** What a batch calls: of a session, or with the write lock held. */
export type BatchCalls = Pick<Session, 'registry' | 'append' | 'load' | 'read' | 'scan' | 'commits' | 'ledger'>;

export function forBatch(session: Session): BatchCalls {
  return {
    registry: () => session.registry(),
    append: (batch) => session.append(batch),
    load: (requests, options) => session.load(requests, { ...options, ...FIRST }),
    read: (range) => session.read(range, FIRST),
    scan: (range) => session.scan(range, FIRST),
    commits: (range) => session.commits(range, FIRST),
    ledger: (ids) => session.ledger(ids, FIRST),
  };
}
