/**
 * Makes our errors from what PostgreSQL, its driver and the network say: only here, so that nothing else reaches a caller.
 * No message holds a password: PostgreSQL's don't, and what the driver says of a connection string that it can't read is
 * left out.
 */
import {
  Closed,
  FormatTooNew,
  InvalidInput,
  LogCorrupt,
  NotWritable,
  StoreUnavailable,
  WrongLog,
} from '../../errors.ts';
import {
  Abandoned,
  codeOf,
  DIFFERENT_LOG,
  Failed,
  FORBIDDEN,
  isBadPassword,
  isBadTls,
  isDamage,
  isLost,
  isTextRefused,
  LOCK_TIMEOUT,
  NEWER_FORMAT,
  NoAnswer,
  READ_ONLY,
  sqlState,
  text,
  Unheard,
  WRONG_ENCODING,
} from './failed.ts';

function details(failed: Failed, place: string): Readonly<Record<string, unknown>> {
  const state = sqlState(failed);
  return { place, ...(state !== undefined && { sqlState: state }), cause: text(failed.error) };
}

type Reason = (place: string, said: string) => string;

/** Why the store is unavailable, by PostgreSQL's code. */
const UNAVAILABLE: Readonly<Record<string, Reason>> = {
  [LOCK_TIMEOUT]: (place) =>
    `Another server has held the write lock of the log in ${place} for too long. Nothing was stored: try again, or ` +
    'find what holds it (pg_locks, relation write_lock).',
  [WRONG_ENCODING]: (place) =>
    `The connection to the log in ${place} was set to another encoding than UTF8. Nothing was stored: leave client_encoding ` +
    'as the driver sets it.',
  [READ_ONLY]: (place, said) =>
    `The log in ${place} can't be written on this server (${said}). Connect to one that takes writes.`,
};
const noAnswer: Reason = (place, said) =>
  `PostgreSQL gives no answer for the log in ${place} (${said}). Check that the server runs, and what its statements ` +
  'wait for (pg_stat_activity: a locked table?), then try again.';
const notReached: Reason = (place, said) =>
  `PostgreSQL can't be reached for the log in ${place} (${said}). Check that the server runs, then try again.`;
const notDone: Reason = (place, said) =>
  `PostgreSQL could not do what the log in ${place} asked for (${said}). Nothing was stored: read PostgreSQL's server log, then try again.`;

/** Why the store is unavailable; `notDone` where the failure may also say something about the log. */
function unavailable(failed: Failed, state: string | undefined): Reason {
  if (failed.error instanceof NoAnswer && !failed.connecting) return noAnswer;
  if (state === undefined || isLost(failed)) return notReached;
  return UNAVAILABLE[state] ?? notDone;
}

/** Our error for a failure while the log was in use. Errors that aren't the driver's stay as they are. */
export function translated(failed: unknown, place: string): unknown {
  if (!(failed instanceof Failed)) return failed;
  const { error, connecting } = failed;
  if (error instanceof Abandoned) return closed(place);
  const refused = connecting ? refusedConnection(failed, place) : undefined;
  if (refused !== undefined) return refused;
  const state = sqlState(failed);
  const why = unavailable(failed, state);
  if (why === notDone) {
    if (state === NEWER_FORMAT) return upgraded(place);
    if (state === DIFFERENT_LOG) return wrongLog(place, details(failed, place));
    if (state === FORBIDDEN) return notWritable(place, error);
    if (isTextRefused(failed)) return textRefused(failed, place);
    if (!connecting && isDamage(failed)) return damaged(failed, place);
  }
  return new StoreUnavailable(why(place, text(error)), details(failed, place), error);
}

function upgraded(place: string): FormatTooNew {
  return new FormatTooNew(
    `A later release has brought the log in ${place} to a newer format while this one had it open. Nothing was stored: ` +
      'upgrade the package, then open the log again.',
    { place },
  );
}

function textRefused(failed: Failed, place: string): InvalidInput {
  return new InvalidInput(
    `PostgreSQL can't hold a text of the batch (${text(failed.error)}). Nothing was stored: send shorter, well-formed text.`,
    details(failed, place),
    failed.error,
  );
}

function damaged(failed: Failed, place: string): LogCorrupt {
  return new LogCorrupt(
    `The log in ${place} is damaged, or a part of it was removed or made by a newer version (${text(failed.error)}). Stop ` +
      'writing, keep the database, and restore a copy beside it; or upgrade the package.',
    details(failed, place),
    failed.error,
  );
}

/** Why no connection can be made, if trying again doesn't help. */
function refusedConnection(failed: Failed, place: string): NotWritable | StoreUnavailable | undefined {
  const { error } = failed;
  const state = sqlState(failed);
  const refused = (message: string): NotWritable => new NotWritable(message, details(failed, place));
  if (state === '3D000') {
    return refused(`The database of ${place} doesn't exist. Create it first, or choose another one.`);
  }
  if (state?.startsWith('28') || isBadPassword(error)) {
    return refused(
      `PostgreSQL doesn't accept this role and password at ${place} (${text(error)}). Correct them, or pg_hba.conf.`,
    );
  }
  if (state !== undefined && /^22|^42/.test(state) && state !== FORBIDDEN) {
    return refused(
      `PostgreSQL takes no connection with these settings at ${place} (${text(error)}). Correct the options in the connection ` +
        'string, or those of the role.',
    );
  }
  if (isBadTls(error)) {
    return new StoreUnavailable(
      `No encrypted connection could be made to ${place} (${text(error)}). Correct the options of TLS, or the certificate.`,
      details(failed, place),
      error,
      false,
    );
  }
  if (codeOf(error) === 'ERR_INVALID_URL') {
    return new NotWritable(
      'The driver can’t read the connection string. Correct it: postgres://role@host:5432/database.',
      {},
    );
  }
  return undefined;
}

/** Our error for a failure while opening. A log can't be opened on a server that takes no writes. */
export function translatedAtOpen(failed: unknown, place: string): unknown {
  if (!(failed instanceof Failed)) return failed;
  const { error } = failed;
  if (sqlState(failed) === READ_ONLY) return notWritable(place, error);
  if (error instanceof Unheard) {
    return new NotWritable(
      `The notices of PostgreSQL at ${place} don't arrive here. Without them a commit that no standby has looks like one that ` +
        'a standby has. Connect without what is between and passes no notices on.',
      { place },
    );
  }
  return translated(failed, place);
}

export function notWritable(place: string, cause: unknown): NotWritable {
  return new NotWritable(
    `This role may not use the log in ${place}, or make one there (${text(cause)}). Open it once with a role that owns the schema ` +
      '(or may create it), and let that role run the SQL that grants() gives for this role.',
    { place, cause: text(cause) },
    cause,
  );
}

/** Instead of the log that was opened there is `found`. */
export function wrongLog(
  place: string,
  details: Readonly<Record<string, unknown>> = { place },
  found = 'another one',
): WrongLog {
  return new WrongLog(
    `Where the log in ${place} was opened there is ${found} now: a schema or a database was renamed, restored or made anew. ` +
      'Nothing was stored. Stop this server, find the log, and open it where it is.',
    details,
  );
}

/** A write was sent and got no answer: it may be stored, now or later. */
export function unknownCommit(failed: Failed, place: string): StoreUnavailable {
  const { error } = failed;
  return new StoreUnavailable(
    `It isn't known whether the commit to the log in ${place} was stored (${text(error)}). Send the same commands again with ` +
      'the same ids: they are stored once.',
    { ...details(failed, place), unknown: true },
    error,
  );
}

/** The same of a write that stores no events. */
export function unknownChange(failed: Failed, place: string): StoreUnavailable {
  const { error } = failed;
  return new StoreUnavailable(
    `It isn't known whether what was sent to the log in ${place} was stored (${text(error)}). Look at what is stored, then do again ` +
      'what is missing.',
    { ...details(failed, place), unknown: true },
    error,
  );
}

/** An append under the write lock was turned away by a fence, which nobody can raise while the lock is held. */
export function fencedOff(place: string): StoreUnavailable {
  return new StoreUnavailable(
    `The log in ${place} has turned away an append that came too late. Nothing was stored: send it again.`,
    { place },
  );
}

export function closed(place: string): Closed {
  return new Closed(`The session on the log in ${place} was closed. Open the log again to use it.`, { place });
}
