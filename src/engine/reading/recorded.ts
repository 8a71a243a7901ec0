/** Events as users read them. */
import { DomainOutdated, hasCode, LogCorrupt, UpcastFailed } from '../../errors.ts';
import { shownOf } from '../registry/names.ts';
import { readEvent, type AnyEvent, type EventDefinition } from '../../model/event.ts';
import type { DocumentVersion, EventFacts, StoredCommit, StoredEvent } from '../../store/store.ts';

/** An event with everything that is recorded about it. */
export interface RecordedEvent<Event = AnyEvent> {
  /** Type and fields, in the newest shape, frozen. */
  readonly event: Event;
  /** Its place in the log. */
  readonly position: number;
  /** When it was decided; milliseconds since the Unix epoch. */
  readonly time: number;
  /** When it was stored, by the store's clock: never before `time`, and never decreasing along the log. */
  readonly recordedAt: number;
  /** The documents it is attached to, and the version it made of each. */
  readonly attachments: readonly DocumentVersion[];
  /**
   * The chain's hash after its commit, the same for all events of the commit. Keep it with `position` of the last event that you
   * have handled: `events({ after })` and `verify({ expect })` then notice a log that was put back.
   */
  readonly hash: string;
  /** The command it came from. */
  readonly command: RecordedCommand;
}

export interface RecordedCommand {
  readonly id: string;
  readonly name: string;
  readonly actor?: string;
  readonly correlation?: string;
  readonly causation?: string;
}

/** By the names under which they are stored. */
export type EventDefinitions = ReadonlyMap<string, EventDefinition>;

/** With these, events come as they were stored. */
export const AS_STORED: EventDefinitions = new Map();

/** An event of the store, decided at `time`. @throws LogCorrupt if its text is damaged; and see `readEvent` */
export function eventFromStore(
  definitions: EventDefinitions,
  stored: EventFacts & { readonly position: number },
  time: number,
): AnyEvent {
  try {
    return readEvent(definitions.get(stored.type), stored, { time, position: stored.position });
  } catch (cause) {
    if (!Error.isError(cause) || cause.name !== 'SyntaxError') throw cause;
    throw new LogCorrupt(
      `The event at position ${stored.position} is not JSON: the file is damaged. Stop writing to it, keep it, and restore a copy beside it.`,
      { position: stored.position },
      cause,
    );
  }
}

/** Whether an event can't be read although the log is whole. */
export function isUnreadable(error: unknown): error is UpcastFailed | DomainOutdated {
  return hasCode(error, 'UpcastFailed', 'DomainOutdated');
}

/** The most documents that an error names. */
const NAMED_MAX = 3;

/** The error of an event that can't be read, with its place; other errors as they are. */
export function placed(error: unknown, position: number, documents: readonly DocumentVersion[]): unknown {
  if (!isUnreadable(error)) return error;
  const named = documents.slice(0, NAMED_MAX);
  const texts = named.map(({ collection, id }) => `${collection} ${JSON.stringify(id)}`);
  if (documents.length > named.length) texts.push('…');
  const message = `The event at position ${position}${texts.length > 0 ? ` of ${texts.join(', ')}` : ''}: ${error.message}`;
  const details = { ...error.details, position, ...(named.length === 1 ? named[0] : { documents: named }) };
  return error.code === 'DomainOutdated'
    ? new DomainOutdated(message, details)
    : new UpcastFailed(message, details, error.cause);
}

export function recorded(definitions: EventDefinitions, stored: StoredEvent): RecordedEvent {
  const { position, attachments, commit } = stored;
  return Object.freeze({
    event: eventIn(definitions, stored),
    position,
    time: commit.time,
    recordedAt: commit.recordedAt,
    attachments: Object.freeze(shownOf(attachments).map((document) => Object.freeze(document))),
    hash: commit.hash,
    command: recordedCommand(commit.command),
  });
}

function eventIn(definitions: EventDefinitions, stored: StoredEvent): AnyEvent {
  try {
    return eventFromStore(definitions, stored, stored.commit.time);
  } catch (error) {
    throw placed(error, stored.position, stored.attachments);
  }
}

export function recordedCommand(command: StoredCommit['command']): RecordedCommand {
  const { id, name, actor, correlation, causation } = command;
  return Object.freeze({
    id,
    name,
    ...(actor === undefined ? undefined : { actor }),
    ...(correlation === undefined ? undefined : { correlation }),
    ...(causation === undefined ? undefined : { causation }),
  });
}
