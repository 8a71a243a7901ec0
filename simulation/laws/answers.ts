/** What callers of `execute` were told, against the log: acknowledged outcomes are in it, once, as they were told. */
import type { DocumentVersion, Outcome, RecordedEvent, TidemarkError } from 'tidemark';
import type { StoredEvent } from '../../src/store/store.ts';
import type { Fields } from '../domain/user-code.ts';
import { idsAt, type Live } from './attach.ts';
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
  /** Releases of which a definition was replaced before it was ready: their servers are outdated. */
  readonly replaced?: ReadonlySet<number>;
  /** What may stand in the way of a call, beside what the log shows. */
  readonly mayBe: {
    readonly unavailable: boolean;
    readonly overloaded: boolean;
    readonly clockAhead: boolean;
    readonly diverged: boolean;
    /** Definitions are retired under running servers. */
    readonly retired: boolean;
    /** Documents may still be made when they are asked for. */
    readonly rebuilding: boolean;
  };
}

/** What may be told of the documents of an event: those of these collections, of a release. */
export interface Telling {
  readonly timeline: Timeline;
  readonly release: number;
  readonly live: Live;
}

/** An event as it must be told, of what is stored. */
export function toldEvent({ type, json, position, commit }: StoredEvent, telling: Telling): RecordedEvent {
  const { id, name, actor, correlation, causation } = commit.command;
  const { time, recordedAt, hash } = commit;
  const command = { id, name, actor, correlation, causation } as RecordedEvent['command'];
  const attachments = attachedTo({ type, ...(JSON.parse(json) as object) }, position, telling);
  return { event: { type, ...(JSON.parse(json) as object) }, position, time, recordedAt, attachments, hash, command };
}

function attachedTo(event: Fields, position: number, { timeline, release, live }: Telling): DocumentVersion[] {
  const attachments = [...live.keys()].flatMap((collection) => {
    const keyed = timeline.keyingOf(release, collection)!;
    return idsAt(keyed, event, position).map((id) => {
      return { collection, id, version: timeline.versionAt(keyed, id, position) ?? 0 };
    });
  });
  return inOrder(attachments);
}

/** In one order: that of an event that was attached later is another. How it is stored is looked at where it is. */
function inOrder(attachments: readonly DocumentVersion[]): DocumentVersion[] {
  return [...attachments].sort((one, other) => (documentOf(one) < documentOf(other) ? -1 : 1));
}

function documentOf({ collection, id }: DocumentVersion): string {
  return `${collection} ${id}`;
}

/** What was told of an event, without the documents that may or may not be told: of other releases, or not yet attached. */
export function judged(told: RecordedEvent, live: Live): RecordedEvent {
  const isInternal = told.attachments.some(({ collection }) => collection.includes('\u001f'));
  holds(4, !isInternal, () => `a store's name was told: ${JSON.stringify(told.attachments)}`);
  const attachments = inOrder(told.attachments.filter(({ collection }) => live.has(collection)));
  return { ...told, attachments };
}

/** An outcome as it must be told, of a commit. */
export function toldOutcome({ commit, events }: Logged, replayed: boolean, telling: Telling): object {
  const settled = {
    events: events.map((event) => toldEvent(event, telling)),
    position: events.at(-1)!.position,
    replayed,
    recorded: true,
  };
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
  timeline: Timeline,
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
  // Versions of what the log has lost aren't known any more.
  const live = timeline.commits.includes(logged) ? call.live : new Map<string, string>();
  const told = { ...outcome, events: outcome.events.map((event) => judged(event, live)) };
  const telling = { timeline, release: call.release, live };
  same(1, told, toldOutcome(logged, either, telling), () => `what ${who()} was told`);
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
  const { mayBe, doubts, replaced, shape } = circumstances;
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
    DomainOutdated: () =>
      mayBe.retired || functionKeysMissing(shape, call.release) || replaced?.has(call.release) === true,
    Rebuilding: () => mayBe.rebuilding,
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
