/**
 * What a command must have come to at its place in the log (law 5): decided again, alone, on the documents as they were
 * one position before it. That is strict: nothing that its release handles may have come between.
 */
import { keptFields, FAILURE_FIELDS } from '../domain/build.ts';
import { definedIn, FAILURE_TYPE, typeNames, type DomainShape } from '../domain/shape.ts';
import { foldState, followed, follows, verdict, type Fields, type State, type View } from '../domain/user-code.ts';
import { idsIn, namedFields, ownName, type Registered } from './attach.ts';
import { holds, same } from './broken.ts';
import type { Call, Logged } from './records.ts';
import type { Timeline } from './timeline.ts';

interface Expected {
  readonly outcome: 'succeeded' | 'failed';
  readonly final: boolean;
  readonly reason?: string;
  /** For a command that went wrong: the name of its error. */
  readonly error?: string;
  readonly details?: object;
  readonly events: readonly Fields[];
}

interface Rules {
  readonly shape: DomainShape;
  readonly registered: Registered;
}

/** @throws LawBroken if the commit isn't what its call comes to at this place */
export function checkDecision(timeline: Timeline, rules: Rules, call: Call, logged: Logged): void {
  const { commit, events } = logged;
  for (const name of Object.keys(rules.shape.releases[call.release]!.handles)) {
    const isRegistered = rules.registered.own.has(ownName(call.release, name));
    holds(
      5,
      isRegistered,
      () => `the commit at ${commit.position} (${call.token}) was decided by a definition of ${name} that is gone`,
    );
  }
  const where = (): string => `the commit at ${commit.position} (${call.token}, command ${commit.command.id})`;
  for (const { collection, id, version } of call.unchanged) {
    const { changed } = timeline.at(call.release, collection, id);
    holds(5, changed <= version, () => `${where()} rests on ${collection} ${id} at ${version}, changed at ${changed}`);
  }
  const reads = readsOf(timeline, rules.shape, call);
  const { time } = commit;
  // A document that can't be read is all that an error rests on.
  const onTime = time >= reads.newest || reads.poisoned;
  holds(5, onTime, () => `${where()} was decided at ${time}, before what it rests on: ${reads.newest}`);
  const actual = summary(logged);
  const expected = expectedOf(rules, call, reads, commit.time);
  if (expected.error === undefined) {
    const refusing = refusingOf(timeline, rules, call, expected.events, time);
    const own = refusing.some((ref) => reads.refs.has(ref));
    // Nobody need look at a document that it doesn't read. Whoever shares its batch may have: then that one decides, but
    // as it is at this place.
    const swallowed = own || (refusing.length > 0 && actual.reason === 'ERROR');
    if (swallowed) return checkError(5, actual, 'ReducerFailed', where);
    return same(5, actual, expected, where);
  }
  checkError(5, actual, expected.error, where);
  same(5, events.length, 1, where);
}

function checkError(law: 5, actual: Expected, name: string, where: () => string): void {
  const details = actual.details as { name?: string } | undefined;
  same(
    law,
    {
      outcome: actual.outcome,
      final: actual.final,
      reason: actual.reason,
      type: actual.events[0]?.type,
      error: details?.name,
    },
    { outcome: 'failed', final: false, reason: 'ERROR', type: '$ERRORED', error: name },
    where,
  );
}

function summary({ commit, events }: Logged): Expected {
  return {
    outcome: commit.outcome,
    final: commit.final,
    ...(commit.reason !== undefined && { reason: commit.reason }),
    ...(commit.details !== undefined && { details: JSON.parse(commit.details) as object }),
    events: events.map(({ type, json }) => ({ type, ...(JSON.parse(json) as object) })),
  };
}

interface Reads {
  readonly views: readonly View[];
  readonly refs: ReadonlySet<string>;
  readonly poisoned: boolean;
  /** When the newest event that they rest on was decided. */
  readonly newest: number;
}

/** What the call reads, as the documents are at the end of the timeline. */
function readsOf(timeline: Timeline, { releases }: DomainShape, { release, command, input }: Call): Reads {
  const { handles } = releases[release]!;
  const refs = new Set<string>();
  let poisoned = false;
  let newest = 0;
  const view = ([collection, id]: readonly [string, string]): View => {
    const point = timeline.at(release, collection, id);
    refs.add(`${collection} ${id}`);
    newest = Math.max(newest, timeline.timeOfChange(release, collection, id));
    poisoned ||= point.poisoned;
    return { id, exists: point.changed > 0, state: point.state };
  };
  const views = input.reads.filter(([collection]) => handles[collection]).map(view);
  const next = follows(command) && !poisoned ? followed(views, input) : undefined;
  if (next && handles[next[0]]) views.push(view(next));
  return { views, refs, poisoned, newest };
}

function wrong(error: string): Expected {
  return { outcome: 'failed', final: false, reason: 'ERROR', error, events: [] };
}

function expectedOf({ shape, registered }: Rules, call: Call, reads: Reads, time: number): Expected {
  const { command, input, release } = call;
  if (reads.poisoned) return wrong('ReducerFailed');
  const decided = verdict(reads.views, input, time);
  if (decided.kind === 'error') return wrong(decided.name);
  if (decided.kind === 'nothing')
    return { outcome: 'succeeded', final: true, events: [{ type: '$UNCHANGED', command }] };
  if (decided.kind === 'events') {
    const { knows } = shape.releases[release]!;
    if (decided.events.some(({ type }) => !knows.includes(type))) return wrong('InvalidEvent');
    const events = decided.events.map((event) => {
      const { fields } = shape.types.find(({ name }) => name === event.type)!;
      return pick(event, keptFields(fields));
    });
    return { outcome: 'succeeded', final: true, events };
  }
  const named = namedFields(registered);
  const ids = (['a', 'b', 'list'] as const).filter((field) => named.has(field) && (input[field] ?? null) !== null);
  const type = `${command}_FAILED`;
  const { reason, details } = decided;
  const event: Fields = { type, ...Object.fromEntries(ids.map((field) => [field, input[field]])), reason, details };
  const declared = type === FAILURE_TYPE && typeNames(shape).includes(type);
  return { outcome: 'failed', final: true, reason, details, events: [declared ? pick(event, FAILURE_FIELDS) : event] };
}

function pick(event: Fields, kept: readonly string[]): Fields {
  return {
    type: event.type,
    ...Object.fromEntries(kept.filter((name) => name in event).map((name) => [name, event[name]])),
  };
}

/** The documents that can't take the events in by the call's release, as they are at the end of the timeline. */
function refusingOf(
  timeline: Timeline,
  { shape, registered }: Rules,
  { release }: Call,
  events: readonly Fields[],
  time: number,
): string[] {
  const { handles } = shape.releases[release]!;
  const states = new Map<string, State>();
  const refusing = new Set<string>();
  for (const event of events) {
    for (const [collection, handled] of Object.entries(handles)) {
      const keyed = registered.own.get(ownName(release, collection))?.keying;
      if (!keyed?.isLive || !handled.includes(event.type)) continue;
      const { salt } = definedIn(shape, release, collection);
      for (const id of idsIn(keyed, event)) {
        const document = `${collection} ${id}`;
        const { poisoned, state } = timeline.at(release, collection, id);
        if (poisoned) continue;
        try {
          states.set(document, foldState(states.get(document) ?? state, event, { id, time, salt }));
        } catch {
          refusing.add(document);
        }
      }
    }
  }
  return [...refusing];
}
