/** What the file of a log says about itself, without its write-ahead log. */
import { all, connectForReading, single } from './connection.ts';
import { isNoDatabase, notALog, translatedAtOpen } from '../errors.ts';
import { APPLICATION_ID, isIncomplete, PARTS, schemaFindings, type Part } from '../schema.ts';

/**
 * Reads the header, or returns what is wrong with the file.
 *
 * SQLite reads it as `immutable`: no lock, no journal, no file beside it. Reading the bytes ourselves would do harm: closing a
 * file drops every lock that this process has on it (POSIX), also those of open sessions.
 *
 * During a checkpoint, and after one that a kill or a full disk cut short, the first page may say that the file has more pages
 * than it has; the rest is in the write-ahead log. `writable_schema` makes SQLite accept that. Only the mark is needed here,
 * and it is older than any write-ahead log. A file that was really cut off shows when the log is opened.
 */
export function readHeader(file: string) {
  const database = connectForReading(file, true);
  try {
    database.exec('PRAGMA writable_schema = ON');
    const applicationId = single<number>(database, 'PRAGMA application_id');
    const format = single<number>(database, 'PRAGMA user_version');
    return {
      applicationId,
      format,
      /** Whether it has the tables of a log but not its mark, as a dump that was put back. */
      unmarked:
        applicationId === 0 &&
        format === 0 &&
        canSee(() => schemaFindings(all<Part>(database.prepare(PARTS))).length === 0),
      /** Whether this file is only a part of the log: no checkpoint has copied its first commits yet. */
      incomplete: applicationId === APPLICATION_ID && canSee(() => isIncomplete(database)),
    };
  } catch (error) {
    return isNoDatabase(error) ? notALog(file, 'no SQLite database') : translatedAtOpen(error, file);
  } finally {
    database.close();
  }
}

/** A file that is just being written may have nothing to read. */
function canSee(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}
