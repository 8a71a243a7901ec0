/** Opens a session on the log at a path. */
import type { AnchorPlace, Clock } from '../../clock.ts';
import type { Opening, Session } from '../../store.ts';
import { lockTimeout, translatedAtOpen } from '../errors.ts';
import type { CacheBounds } from '../writing/interned.ts';
import { whenFree } from '../writing/lock.ts';
import { openAt } from './open.ts';
import { SqliteSession } from '../session.ts';
import type { Synchronous } from './synchronous.ts';

export interface OpenOptions {
  readonly synchronous: Synchronous;
  readonly lockTimeoutMs: number;
  /** The clock to go by; the machine's is held against an anchor in the file. */
  readonly clock: (shared: AnchorPlace) => Clock;
  /** Where to tell of a write-ahead log that grows. */
  readonly warn?: Opening['warn'];
  /** For tests of what happens beyond them. */
  readonly bounds?: CacheBounds;
}

/** `file` is an absolute path. */
export async function openSession(file: string, { synchronous, ...options }: OpenOptions): Promise<Session> {
  const { lockTimeoutMs } = options;
  const { writer, reader, inPlace } = await openAt(file, synchronous, lockTimeoutMs);
  try {
    const make = () => new SqliteSession(writer, reader, { ...options, file, inPlace });
    // Preparing statements reads the file: it may meet another process that is just closing the log.
    return await whenFree(make, lockTimeoutMs, (waitedMs) => lockTimeout(file, waitedMs));
  } catch (error) {
    reader.close();
    writer.close();
    throw translatedAtOpen(error, file);
  }
}
