/** Events as users read them. */
import { LogCorrupt } from '../errors.ts';
import { readEvent, type AnyEvent, type EventDefinition } from '../model/event.ts';
import type { DocumentVersion, EventFacts, StoredCommit, StoredEvent } from '../store/store.ts';

/** An event with everything that is recorded about it. */
export interface RecordedEvent<Event = AnyEvent> {
  /** Type and fields, in the newest shape, frozen. */
  readonly event: Event;
  /** Its place in the log. */
  readonly position: number;
  /** When it was decided; milliseconds since the Unix epoch. */
  readonly time: number;
  /** When it was stored, by the store: never runs backwards along the log. */
  readonly recordedAt: number;
  /** The documents it was attached to, and the version it made of each. */
  readonly attachments: readonly DocumentVersion[];
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

export type EventDefinitions = ReadonlyMap<string, EventDefinition>;

/** An event out of the store. @throws LogCorrupt if its text is no JSON; and see `readEvent` */
export function eventFromStore(definitions: EventDefinitions, stored: EventFacts & { position: number }): AnyEvent {
  try {
    return readEvent(definitions.get(stored.type), stored);
  } catch (cause) {
    if (!Error.isError(cause) || cause.name !== 'SyntaxError') throw cause;
    throw new LogCorrupt(
      `The event at position ${stored.position} is no JSON any more: the file is damaged. Stop writing to it, keep it, and restore a copy beside it.`,
      { position: stored.position },
      cause,
    );
  }
}

export function recorded(definitions: EventDefinitions, stored: StoredEvent): RecordedEvent {
  const { position, attachments, commit } = stored;
  return Object.freeze({
    event: eventFromStore(definitions, stored),
    position,
    time: commit.time,
    recordedAt: commit.recordedAt,
    attachments: Object.freeze([...attachments]),
    command: recordedCommand(commit.command),
  });
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
