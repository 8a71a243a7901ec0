/**
 * What a user would write: the reducer and the decision of a random domain. Pure, and sensitive to everything that a
 * decision may rest on: each event tells what its command saw, so a decision on stale ground can be read in the log.
 */
import { POISON, type CommandName, type Emit, type Input } from './shape.ts';

/** The state of every document: a count, and a number that depends on each event and their order. */
export interface State {
  readonly count: number;
  readonly hash: number;
}

export const INITIAL: State = { count: 0, hash: 7 };

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

/** @throws Error for a poisoned event */
export function reduceState({ count, hash }: State, event: Fields, id: string, time: number): State {
  if (event.n === POISON) throw new Error('a poisoned event');
  const own = event.a === id ? 3 : 1;
  const mixed = hash * 31 + event.type.length * own + (event.n ?? 0) + event.type.charCodeAt(1) + (time % 1_009);
  return { count: count + 1, hash: mixed % 1_000_003 };
}

/** What `decide` comes to: data, of which the real command makes a return value or an exception. */
export type Verdict =
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
    n: poison ? POISON : (n + sum) % 997,
    saw,
    at: time,
  };
}
