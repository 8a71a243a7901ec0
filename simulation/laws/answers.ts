/** What callers of `execute` were told, against the log: acknowledged outcomes are in it, once, as they were told. */
import type { Outcome, RecordedEvent, TidemarkError } from 'tidemark';
import type { StoredEvent } from '../../src/store/store.ts';
import { functionKeysMissing } from './registry.ts';
import { holds, LawBroken, same } from './broken.ts';
import type { Call, Logged } from './records.ts';
import type { Timeline } from './timeline.ts';
import type { DomainShape } from '../domain/shape.ts';

/** What else the checker knows of a run. */
export interface Circumstances {
  readonly shape: DomainShape;
  /** Tokens of calls whose commit got no answer from the store, at least once. */
  readonly doubts: ReadonlySet<string>;
  /** What may stand in the way of a call, beside what the log shows. */
  readonly mayBe: {
    readonly unavailable: boolean;
    readonly overloaded: boolean;
    readonly clockAhead: boolean;
    readonly diverged: boolean;
  };
}

/** An event as it must be told, of what is stored. */
export function toldEvent({ type, json, position, attachments, commit }: StoredEvent): RecordedEvent {
  const { id, name, actor, correlation, causation } = commit.command;
  const { time, recordedAt, hash } = commit;
  const command = { id, name, actor, correlation, causation } as RecordedEvent['command'];
  return { event: { type, ...(JSON.parse(json) as object) }, position, time, recordedAt, attachments, hash, command };
}

/** An outcome as it must be told, of a commit. */
export function toldOutcome({ commit, events }: Logged, replayed: boolean): object {
  const settled = { events: events.map(toldEvent), position: events.at(-1)!.position, replayed, recorded: true };
  if (commit.outcome === 'succeeded') return { status: 'succeeded', ...settled };
  const details = commit.details === undefined ? {} : (JSON.parse(commit.details) as object);
  return { status: 'failed', reason: commit.reason, details, retryable: !commit.final, ...settled };
}

/** Whether a call asks for the same as what a commit was made for: then it is answered with that. */
function asksTheSame(one: Call, other: Call): boolean {
  return (
    one.command === other.command &&
    one.actor === other.actor &&
    JSON.stringify(one.input) === JSON.stringify(other.input)
  );
}

/** @throws LawBroken if the call was told what isn't in the log, or what is another's */
export function checkOutcome(
  { doubts }: Circumstances,
  call: Call,
  outcome: Outcome,
  logged: Logged | undefined,
  beside: readonly Call[],
  callOf: (logged: Logged) => Call | undefined,
): void {
  const who = (): string => `${call.token} (${call.server}, ${call.id ?? 'no id'})`;
  holds(7, logged, () => `${who()} was told of position ${outcome.position}, which the log doesn't hold`);
  const { commit } = logged;
  holds(
    1,
    call.id === undefined || commit.command.id === call.id,
    () => `${who()} was told of the command ${commit.command.id}`,
  );
  const own = commit.command.causation === call.token;
  const replayed = own ? false : !doubts.has(call.token);
  // In doubt the ledger can't tell whose commit of this id it is: either answer is right.
  const either = !own && doubts.has(call.token) ? outcome.replayed : replayed;
  same(1, outcome, toldOutcome(logged, either), () => `what ${who()} was told`);
  if (own)
    return holds(
      3,
      commit.position > call.after || call.endEra !== call.era,
      () => `${who()} was stored before it was asked for`,
    );
  const maker = callOf(logged);
  // Whoever waited for one on its way is told whatever comes of it.
  const waited = maker !== undefined && beside.includes(maker);
  holds(1, commit.final || waited, () => `${who()} was answered with an outcome that isn't final`);
  holds(1, maker && asksTheSame(call, maker), () => `${who()} was answered with what another input came to`);
}

/** @throws LawBroken if an error was thrown that nothing explains, or that says nothing was recorded where something was */
export function checkError(
  circumstances: Circumstances,
  timeline: Timeline,
  call: Call,
  known: readonly Logged[],
  beside: readonly Call[],
  callOf: (logged: Logged) => Call | undefined,
): void {
  const { mayBe, doubts, shape } = circumstances;
  const { error } = call;
  const who = (): string => `${call.token} (${call.server}, ${call.id ?? 'no id'}) was told ${String(error)}`;
  if (call.aborted && (error as Error).name === 'AbortError') return;
  const { code = '', details = {} } = error as Partial<TidemarkError>;
  const own = known.filter(({ commit }) => commit.command.causation === call.token);
  const unknown = code === 'StoreUnavailable' && details['unknown'] === true;
  // What isn't final and was in doubt doesn't use the id up: another command may have taken it.
  // And that the store has gone back says nothing of what it took before that was found.
  const tried =
    (code === 'HistoryDiverged' && mayBe.diverged) ||
    (doubts.has(call.token) && own.every(({ commit }) => !commit.final));
  holds(
    'errors',
    own.length === 0 || unknown || tried,
    () => `${who()}, but it was recorded at ${own[0]!.commit.position}`,
  );
  const at = call.upTo ?? timeline.length;
  const explained: Record<string, () => boolean> = {
    StoreUnavailable: () => mayBe.unavailable,
    Overloaded: () => mayBe.overloaded,
    ClockAhead: () => mayBe.clockAhead,
    HistoryDiverged: () => mayBe.diverged,
    Closed: () => call.closing === true,
    DomainOutdated: () => functionKeysMissing(shape, call.release),
    CommandIdReused: () =>
      beside.some((other) => !asksTheSame(call, other)) ||
      known.some((logged) => {
        const maker = callOf(logged);
        return logged.commit.final && logged.commit.command.id === call.id && maker && !asksTheSame(call, maker);
      }),
    Conflict: () =>
      call.unchanged.some(
        ({ collection, id, version }) => timeline.at(call.release, collection, id, at).changed > version,
      ),
    InvalidInput: () =>
      call.unchanged.some(
        ({ collection, id, version }) => timeline.at(call.release, collection, id, call.after).version < version,
      ),
    ReducerFailed: () =>
      call.unchanged.some(({ collection, id }) => timeline.at(call.release, collection, id, at).poisoned),
  };
  if (explained[code]?.() !== true) throw new LawBroken('errors', `${who()}, and nothing explains it`);
}
