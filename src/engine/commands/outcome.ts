/** The outcomes of commands. */
import { LogCorrupt, type DomainOutdated, type UpcastFailed } from '../../errors.ts';
import type { AnyEvent } from '../../model/event.ts';
import { freezePlain } from '../../model/json.ts';
import type { CommitFacts } from '../../store/store.ts';
import type { RecordedEvent } from '../reading/recorded.ts';

interface OutcomeFacts<Event> {
  /** What was recorded: at least one event, unless `recorded` is false, or it is `unreadable`. */
  readonly events: readonly RecordedEvent<Event>[];
  /**
   * Only for a command sent again or an outcome asked for: why this code can't read the events, which are left out. They are
   * newer than this code, or an upcast fails. The rest of the outcome stands.
   */
  readonly unreadable?: DomainOutdated | UpcastFailed;
  /** The position of the last event; where nothing was recorded, the end of the log that the decision is as of. */
  readonly position: number;
  /** Whether the command was executed for another call: an earlier one, or one that was on its way. */
  readonly replayed: boolean;
  /** Whether it is in the log and its id in the ledger: not with `nothing({ record: false })`. */
  readonly recorded: boolean;
}

/** The command did what was asked. */
export interface Succeeded<Event> extends OutcomeFacts<Event> {
  readonly status: 'succeeded';
  readonly reason?: undefined;
  readonly details?: undefined;
  readonly retryable?: undefined;
}

/** The command was refused, and that is recorded. */
export interface Failed<Reason extends string> extends OutcomeFacts<AnyEvent> {
  readonly status: 'failed';
  /** The reason given to `failure`; `ERROR` if the command's code failed. */
  readonly reason: Reason | 'ERROR';
  // eslint-disable-next-line typescript/no-explicit-any -- as given to `failure`
  readonly details: { readonly [field: string]: any };
  /** Whether the same id may be sent again: the outcome isn't final. */
  readonly retryable: boolean;
}

/** The outcome of a command, discriminated by `status`. */
export type Outcome<Reason extends string = string, Event = AnyEvent> = Succeeded<Event> | Failed<Reason>;

const NO_DETAILS = Object.freeze({});

/** @throws LogCorrupt if the text is damaged */
function detailsOf(text: string, position: number): object {
  try {
    const details = JSON.parse(text) as object;
    freezePlain(details);
    return details;
  } catch (cause) {
    throw new LogCorrupt(
      `The details of the failure at position ${position} are not JSON: the file is damaged. Stop writing to it, keep it, and restore a copy beside it.`,
      { position },
      cause,
    );
  }
}

/** Makes an outcome from what was stored, or from a decision that isn't. */
export function outcomeOf(
  commit: Pick<CommitFacts, 'outcome' | 'final' | 'reason' | 'details'>,
  events: readonly RecordedEvent[],
  position: number,
  { replayed = false, recorded = true }: { readonly replayed?: boolean; readonly recorded?: boolean } = {},
): Outcome {
  Object.freeze(events);
  if (commit.outcome === 'succeeded') {
    return Object.freeze({ status: 'succeeded', events, position, replayed, recorded });
  }
  return Object.freeze({
    status: 'failed',
    reason: commit.reason ?? 'ERROR',
    details: commit.details === undefined ? NO_DETAILS : detailsOf(commit.details, position),
    retryable: !commit.final,
    events,
    position,
    replayed,
    recorded,
  });
}
