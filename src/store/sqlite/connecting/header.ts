/** What the file of a log says of itself, without its write-ahead log. */
import type { TidemarkError } from '../../../errors.ts';
import { all, connectForReading, single } from './connection.ts';
import { isNoDatabase, notALog, translatedAtOpen } from '../errors.ts';
import { APPLICATION_ID, isIncomplete, PARTS, schemaFindings, type Part } from '../schema.ts';

export interface Header {
  readonly applicationId: number;
  readonly format: number;
  /** Whether it has a log's tables, though not its mark: so does a dump that was put back. */
  readonly unmarked: boolean;
  /** Whether the log is more than this file: it hasn't taken in its first commits yet. */
  readonly incomplete: boolean;
}

/**
 * Application id and user version in the first page, and what else there is to see, or what is wrong with it.
 *
 * SQLite reads it, as `immutable`: no lock, no journal, no file beside it. Reading the bytes ourselves would do harm:
 * closing a file drops every lock that this process has on it (POSIX), those of open sessions too.
 *
 * The first page may say that the file has more pages than it has: so it is in the middle of a checkpoint, and after one
 * that a kill or a full disk cut short; the rest is in the write-ahead log. `writable_schema` makes SQLite put up with
 * that. Only the mark is needed here, and it is older than any write-ahead log; a file that was really cut off is
 * noticed when it is opened in earnest.
 */
export function readHeader(file: string): Header | TidemarkError {
  const database = connectForReading(file, true);
  try {
    database.exec('PRAGMA writable_schema = ON');
    const applicationId = single<number>(database, 'PRAGMA application_id');
    const format = single<number>(database, 'PRAGMA user_version');
    return {
      applicationId,
      format,
      unmarked:
        applicationId === 0 &&
        format === 0 &&
        canSee(() => schemaFindings(all<Part>(database.prepare(PARTS))).length === 0),
      incomplete: applicationId === APPLICATION_ID && canSee(() => isIncomplete(database)),
    };
  } catch (error) {
    return isNoDatabase(error) ? notALog(file, 'no SQLite database') : translatedAtOpen(error, file);
  } finally {
    database.close();
  }
}

/** In a file that is just being written there may be nothing to see. */
function canSee(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}
