/**
 * Given events, when a command, then events or a failure: a domain's rules tested without a store, by the same code
 * that decides and folds in an application.
 */
import { fail } from 'node:assert/strict';
import { AssertionError } from 'node:assert';
import { InvalidDefinition, InvalidInput } from '../errors.ts';
import type { InputOf } from '../engine/app.ts';
import { brand, brandOf } from '../model/brand.ts';
import { collectionDefinition, type AnyCollection, type Collection } from '../model/collection.ts';
import { documentId } from '../model/document-id.ts';
import { commandDefinition, type AnyCommand } from '../model/command.ts';
import { decide, errored, type CommandCall, type Decision } from '../model/decide.ts';
import type { AnyEvent, Frozen } from '../model/event.ts';
import { isFailure, type Failure } from '../model/failure.ts';
import { reading, thrown } from '../model/foreign.ts';
import { idOption } from '../model/id.ts';
import { assertIds, plainInput, validInput } from '../model/input.ts';
import { plainCopy } from '../model/json.ts';
import { isNothing, nothing, type Nothing } from '../model/nothing.ts';
import type { Read } from '../model/reads.ts';
import { readOf } from '../model/reduce.ts';
import { anything, optionsOf, whole, type Checks } from '../options.ts';
import { isPromise, markOf } from '../realm.ts';
import { isMatcher, same, takes } from './matching.ts';
import { World, type Parts, type TimedEvent } from './world.ts';

const TIMED = markOf('timed');

/**
 * An event that was decided at a time, for reducers and decisions that look at it.
 *
 * @param time milliseconds since the Unix epoch
 * @throws InvalidDefinition if the time isn't valid
 *
 * @example
 * ```ts
 * import { domain, type } from 'tidemark';
 * import { at, given } from 'tidemark/testing';
 *
 * const shop = domain({ events: { SEEN: type<{ item_id: string }>() } });
 * const items = shop.collection('items', {
 *   key: 'item_id',
 *   initial: { last: 0 },
 *   reduce: { SEEN: (_, _event, { time }) => ({ last: time }) },
 * });
 *
 * given([items], [at(1_000, { type: 'SEEN', item_id: 'i1' })]).expectDocument(items, 'i1', { last: 1_000 });
 * ```
 */
export function at(time: number, event: { readonly type: string; readonly [field: string]: unknown }): TimedEvent {
  const made: TimedEvent = {
    time: whole(0)(time, (problem) => {
      throw new InvalidDefinition(`at: the time ${problem}, in milliseconds since the Unix epoch.`);
    }),
    event: ownCopy(event),
  };
  return brand(made, TIMED, true);
}

export interface WhenOptions {
  /** The server's clock; the time of the last event if not given, or if that is later. */
  readonly time?: number;
  readonly actor?: string;
  /** What `prepare` would have returned: it isn't run. */
  readonly prepared?: unknown;
  /** The command's id, from which `newId()` derives; another one for each command if not given. */
  readonly id?: string;
}

/** What has happened so far. */
export interface Given {
  /** Decides a command on it. @throws InvalidInput as `execute` does */
  when<C extends AnyCommand>(command: C, input: InputOf<C>, options?: WhenOptions): Decided;
  /** Asserts the state of a document, perhaps with matchers in it. */
  expectDocument<State, Fields = never>(
    collection: Collection<string, State, Fields>,
    id: string | Fields,
    state: Frozen<State>,
  ): this;
}

/** The result of a command. Later expectations and commands go on from it. */
export interface Decided extends Given {
  /** What was recorded: the events, or the failure's. */
  readonly events: readonly AnyEvent[];
  /**
   * Asserts the events (all of them, in order), a failure (its reason, and its details if any are given), or `nothing()`.
   * Anywhere in them may stand a matcher, as `expect.any(String)` of vitest or Jest for an id that is new, or any object
   * with a method `asymmetricMatch(actual)`; everything else is plain JSON. A function gets the events for assertions of
   * its own, or says `false` if they aren't as they should be. It is synchronous.
   *
   * @throws AssertionError if it isn't so; InvalidDefinition if it can't be told
   */
  expect(expected: Expected): this;
  /** Asserts that the command's own code threw an error with this name. */
  expectError(name: string): this;
}

type ExpectedEvent = { readonly type: string; readonly [field: string]: unknown };
type Expected = ExpectedEvent | readonly ExpectedEvent[] | Failure | Nothing | ((events: readonly AnyEvent[]) => void);

/**
 * Starts from events that have happened.
 *
 * @param parts the collections that are read or looked at; in a list, or as for `open`
 * @param events in their order; checked by their schemas; `at(time, event)` for those whose time matters
 * @throws InvalidEvent if an event isn't one of the domain
 *
 * @example
 * ```ts
 * import { domain, failure, type } from 'tidemark';
 * import { given } from 'tidemark/testing';
 *
 * const cinema = domain({ events: { BOOKED: type<{ seat_id: string; guest: string }>() } });
 * const seats = cinema.collection('seats', {
 *   key: 'seat_id',
 *   initial: { guest: '' },
 *   reduce: { BOOKED: (_, { guest }) => ({ guest }) },
 * });
 * const book = cinema.command('BOOK', {
 *   input: type<{ seat_id: string; guest: string }>(),
 *   reads: ({ seat_id }) => ({ seat: seats.ref(seat_id) }),
 *   decide: ({ seat }, input) => (seat.exists ? failure('TAKEN') : { type: 'BOOKED', ...input }),
 * });
 *
 * given([seats], [{ type: 'BOOKED', seat_id: 'a1', guest: 'ann' }])
 *   .when(book, { seat_id: 'a1', guest: 'bob' })
 *   .expect(failure('TAKEN'))
 *   .when(book, { seat_id: 'a2', guest: 'bob' })
 *   .expect({ type: 'BOOKED', seat_id: 'a2', guest: 'bob' })
 *   .expectDocument(seats, 'a2', { guest: 'bob' });
 * ```
 */
export function given(parts: Parts, events: readonly (ExpectedEvent | TimedEvent)[] = []): Given {
  return reading('given', () => started(parts, events));
}

function started(parts: Parts, events: readonly (ExpectedEvent | TimedEvent)[]): Given {
  const world = new World(parts);
  for (const one of events) {
    if (brandOf(one, TIMED) === true) world.record(one as TimedEvent);
    else world.record({ time: world.time, event: ownCopy(one as ExpectedEvent) });
  }
  return new Scenario(world);
}

/** A value that isn't plain JSON is kept: the error comes when the event is made. */
function ownCopy<Event>(event: Event): Event {
  const copied = plainCopy(event);
  return 'copy' in copied ? (copied.copy as Event) : event;
}

const WHEN: Checks<WhenOptions> = { time: whole(0), actor: idOption, prepared: anything, id: idOption };

class Scenario implements Given {
  protected readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  when<C extends AnyCommand>(command: C, input: InputOf<C>, options?: WhenOptions): Decided {
    const definition = commandDefinition(command);
    const {
      id = this.world.nextId(),
      actor,
      prepared,
      ...given
    } = optionsOf<WhenOptions>('when', options, WHEN, InvalidInput);
    const time = Math.max(given.time ?? 0, this.world.time);
    const checked = validInput(definition, plainInput(definition, input, this.world.rules.limits.inputBytesMax));
    assertIds(this.world.rules.attacher, definition, checked);
    const asked = { command: definition, input: checked, id, time, actor, prepared };
    const decision = this.#decide(asked);
    this.world.apply(decision.events, time);
    return new Then(this.world, definition.name, decision);
  }

  expectDocument(collection: AnyCollection, given: unknown, state: unknown): this {
    const definition = this.world.collection(collectionDefinition(collection));
    const id = reading('expectDocument', () => documentId(definition, given), InvalidInput);
    same(`${definition.name} ${JSON.stringify(id)}`, this.world.document(definition, id).state, state);
    return this;
  }

  #decide(asked: CommandCall): Decision {
    const { rules } = this.world;
    const read = new Set<string>();
    const deciding = decide(asked, rules);
    let step = deciding.next();
    while (!step.done) {
      const collections = step.value.map((ref) => this.world.collection(ref.collection));
      let found: readonly Read<unknown>[];
      try {
        found = step.value.map(({ id }, index) => readOf(id, this.world.document(collections[index]!, id)));
      } catch (error) {
        step = deciding.throw(error);
        continue;
      }
      for (const { collection, id } of step.value) read.add(`${collection}\0${id}`);
      step = deciding.next(found);
    }
    try {
      this.world.assertTaken(step.value.events, read, asked.time);
      return step.value;
    } catch (error) {
      return errored(asked, error, rules);
    }
  }
}

class Then extends Scenario implements Decided {
  readonly events: readonly AnyEvent[];
  readonly #command: string;
  readonly #decision: Decision;

  constructor(world: World, command: string, decision: Decision) {
    super(world);
    this.#command = command;
    this.#decision = decision;
    this.events = decision.events.map(({ event }) => event);
  }

  expect(expected: Expected): this {
    const { error, outcome, reason, details } = this.#decision;
    if (reason === 'ERROR' && outcome === 'failed' && this.events[0]?.type === '$ERRORED')
      throw wrong(`${this.#command} went wrong`, error);
    if (this.events[0]?.type === '$FAILED') {
      throw wrong(`${this.#command} failed with ${reason}, but the failure can't be stored`, error);
    }
    if (isFailure(expected)) {
      if (outcome !== 'failed')
        fail(`${this.#command} was expected to fail with ${expected.failure}, but made ${shown(this.events)}`);
      const withDetails = Object.keys(expected.details).length > 0;
      const actual = { failure: reason, ...(withDetails && { details: JSON.parse(details ?? '{}') as object }) };
      const wanted = { failure: expected.failure, ...(withDetails && { details: expected.details }) };
      same(`the failure of ${this.#command}`, actual, wanted);
      return this;
    }
    if (outcome === 'failed') fail(`${this.#command} failed with ${reason} ${details ?? ''}, instead of making events`);
    if (typeof expected === 'function') {
      const said: unknown = expected(this.events);
      if (isPromise(said))
        throw new InvalidDefinition(
          `The function that the events of ${this.#command} are given to returned a promise, and nobody waits for it. Make it synchronous.`,
        );
      if (said === false)
        fail(`the events of ${this.#command} are not as expected by a function: ${shown(this.events)}`);
      return this;
    }
    if (isNothing(expected)) {
      const actual = this.#decision.record ? this.events : nothing({ record: false });
      const wanted = expected.record ? [{ type: '$UNCHANGED', command: this.#command }] : expected;
      same(`what ${this.#command} made`, actual, wanted);
      return this;
    }
    // A matcher may be for all of them, or for the only one.
    const all = Array.isArray(expected) || (isMatcher(expected) && takes(expected, this.events));
    same(`the events of ${this.#command}`, this.events, all ? expected : [expected]);
    return this;
  }

  expectError(name: string): this {
    const { reason, details } = this.#decision;
    const actual = reason === 'ERROR' ? (JSON.parse(details!) as { name: string }).name : undefined;
    if (actual === name) return this;
    return fail(
      `${this.#command} was expected to go wrong with ${name}, but ${actual ? `went wrong with ${actual}` : `made ${shown(this.events)}`}`,
    );
  }
}

function wrong(what: string, cause: unknown): AssertionError {
  return Object.assign(new AssertionError({ message: `${what}: ${thrown(cause)}` }), { cause });
}

function shown(value: unknown): string {
  return JSON.stringify(value);
}
