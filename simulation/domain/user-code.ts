/**
 * What a user would write: the reducer and the decision of a random domain. Pure, and sensitive to everything that a
 * decision may rest on: each event tells what its command saw, so a decision on stale ground can be read in the log.
 */
import { POISON, POISONS, type CommandName, type DefinitionShape, type Emit, type Input } from './shape.ts';

/** The state of every document: a count, and a number that depends on each event and their order. */
export interface State {
  readonly count: number;
  readonly hash: number;
  /** Where the definition has them: the hash depends on these too, and they are too many to look at each. */
  readonly marks?: readonly Mark[];
  /** What isn't plain JSON. */
  readonly wrong?: unknown;
}

interface Mark {
  readonly n: number;
}

/** All that a state depends on of the time is what is left of it. */
const TIME_MODULUS = 1_009;

/** So many marks a document is born with. */
const MARKS = 40;

/** A document's first state: another object each time, as what a reader can change must not be shared. */
export function initialState({ marked }: DefinitionShape): State {
  const state = { count: 0, hash: 7 };
  return marked ? { ...state, marks: Array.from({ length: MARKS }, (_, n) => ({ n })) } : state;
}

/** What a decision sees of a document. */
export interface View {
  readonly id: string;
  readonly exists: boolean;
  readonly state: State;
}

export interface Fields {
  readonly type: string;
  readonly n?: number;
  readonly a?: string;
  readonly reason?: string;
  readonly [field: string]: unknown;
}

/** What a state depends on beside its events. */
export interface FoldContext {
  readonly id: string;
  readonly time: number;
  /** Of the definition. */
  readonly salt: number;
}

/** What a reducer returns. @throws Error for an event that makes it throw */
export function reduceState({ count, hash, marks }: State, event: Fields, { id, time, salt }: FoldContext): State {
  const { type, n = 0 } = event;
  const poison = POISONS[n - POISON];
  if (poison === 'throws' || (poison === 'throws at times' && count % 4 === 3)) throw new Error('a poisoned event');
  const own = event.a === id ? 3 : 1;
  const marked = marks?.reduce((sum, mark) => sum + mark.n, 0) ?? 0;
  const mixed = hash * 31 + type.length * own + n + type.charCodeAt(1) + (time % TIME_MODULUS) + marked + salt;
  const next = { count: count + 1, hash: mixed % 1_000_003, ...(marks && { marks: [...marks, { n }] }) };
  switch (poison) {
    case 'NaN':
      return { ...next, wrong: NaN };
    case 'Date':
      return { ...next, wrong: new Date(0) };
    case 'Map':
      return { ...next, wrong: new Map() };
    default:
      return next;
  }
}

/** What becomes of a document. @throws Error if it can't take the event in */
export function foldState(state: State, event: Fields, context: FoldContext): State {
  const next = reduceState(state, event, context);
  if ('wrong' in next) throw new Error('a state that is not plain JSON');
  return next;
}

/** What a release that freezes makes of a state: the marks themselves stay as they were. */
export function frozenState(state: State): State {
  const { marks, wrong } = state;
  Object.freeze(marks);
  Object.freeze(wrong);
  return Object.freeze(state);
}

/** What `decide` comes to: data, of which the real command makes a return value or an exception. */
type Verdict =
  | { readonly kind: 'events'; readonly events: readonly Fields[] }
  | { readonly kind: 'failure'; readonly reason: string; readonly details: object }
  | { readonly kind: 'nothing' }
  /** The command goes wrong, with an error of this name. */
  | { readonly kind: 'error'; readonly name: string };

export function verdict(views: readonly View[], input: Input, time: number): Verdict {
  const sum = sumOf(views, input);
  const saw = views.map(({ id, exists, state }) => `${id}=${exists ? `${state.count}.${state.hash}` : '-'}`).join(' ');
  switch (input.twist) {
    case 'throw':
      return { kind: 'error', name: 'Error' };
    case 'nothing':
    case 'promise':
      return { kind: 'error', name: 'InvalidDefinition' };
    case 'invalid':
    case 'unknown':
      return { kind: 'error', name: 'InvalidEvent' };
    case 'fail':
      return { kind: 'failure', reason: 'REFUSED', details: { saw } };
    case 'odd':
      if (sum % 2 === 1) return { kind: 'failure', reason: 'ODD', details: { saw } };
      return { kind: 'events', events: input.emits.map((emit) => eventOf(emit, sum, saw, time)) };
    case 'idle':
      if (sum % 2 === 1) return { kind: 'nothing' };
      return { kind: 'events', events: input.emits.map((emit) => eventOf(emit, sum, saw, time)) };
    case 'none':
      return { kind: 'events', events: input.emits.map((emit) => eventOf(emit, sum, saw, time)) };
  }
}

/** The id of the second stage's document, which depends on the first. */
export function followed(views: readonly View[], input: Input): readonly [collection: string, id: string] | undefined {
  const { further } = input;
  return further && [further.collection, further.ids[sumOf(views, input) % further.ids.length]!];
}

/** Whether a command of this name follows. */
export function follows(command: CommandName): boolean {
  return command === 'WALK';
}

function sumOf(views: readonly View[], { n }: Input): number {
  return views.reduce((sum, { exists, state }) => sum + (exists ? 1 + state.hash : 0), n);
}

function eventOf({ type, a, b, list, lines, n, poison }: Emit, sum: number, saw: string, time: number): Fields {
  return {
    type,
    ...(a !== undefined && { a }),
    ...(b !== undefined && { b }),
    ...(list !== undefined && { list }),
    ...(lines !== undefined && { lines: lines.map((ref) => ({ ref })) }),
    n: poison ? POISON + POISONS.indexOf(poison) : (n + sum) % 997,
    saw,
    at: time,
  };
}
