import { AssertionError } from 'node:assert';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { InvalidDefinition, InvalidEvent, InvalidInput } from '../errors.ts';
import { domain } from '../model/domain.ts';
import { failure } from '../model/failure.ts';
import { nothing } from '../model/nothing.ts';
import { all } from '../model/reads.ts';
import { type } from '../model/schema.ts';
import { at, given } from './given.ts';

const cinema = domain({
  events: {
    SEAT_RESERVED: z.object({ seat_id: z.string(), user_id: z.string(), until: z.int() }),
    SEAT_BOOKED: z.object({
      seat_id: z.string(),
      user_id: z.string(),
      booking_id: z.string(),
      note: z.string().default(''),
    }),
    GROUP_FORMED: z.object({ group_id: z.string(), seat_ids: z.array(z.string()) }),
  },
});
const seats = cinema.collection('seats', {
  key: ['seat_id', 'seat_ids'],
  initial: { heldUntil: 0, by: '', booked: false },
  reduce: {
    SEAT_RESERVED: (seat, { until, user_id }, { time }) => ({ ...seat, heldUntil: Math.max(until, time), by: user_id }),
    SEAT_BOOKED: (seat) => ({ ...seat, booked: true }),
  },
});
const groups = cinema.collection('groups', {
  key: 'group_id',
  initial: { seats: [] as string[] },
  reduce: { GROUP_FORMED: (_, { seat_ids }) => ({ seats: seat_ids }) },
});
const book = cinema.command('BOOK', {
  input: z.object({ seat_id: z.string(), user_id: z.string() }),
  reads: (input) => ({ seat: seats.ref(input.seat_id) }),
  decide: ({ seat }, input, { time, newId }) =>
    seat.state.booked
      ? failure('BOOKED')
      : seat.state.heldUntil > time && seat.state.by !== input.user_id
        ? failure('HELD', { until: seat.state.heldUntil })
        : { type: 'SEAT_BOOKED', ...input, booking_id: newId(), note: '' },
});
const bookGroup = cinema.command('BOOK_GROUP', {
  input: z.object({ group_id: z.string(), user_id: z.string() }),
  *reads(input) {
    const group = yield* groups.ref(input.group_id);
    const wanted = yield* all(group.state.seats.map((id) => seats.ref(id)));
    return { wanted };
  },
  decide: ({ wanted }, { user_id }, { newId, prepared, actor }) => {
    if (wanted.some((seat) => seat.state.booked)) return failure('TAKEN');
    return wanted.map(({ id }) => ({
      type: 'SEAT_BOOKED',
      seat_id: id,
      user_id,
      booking_id: newId(),
      note: `${actor ?? ''}${String(prepared)}`,
    }));
  },
});
const reserved = { type: 'SEAT_RESERVED', seat_id: 'a1', user_id: 'ann', until: 60_000 };

describe('given, when, expect', () => {
  test('events, defaults filled by the schema, and the documents they make', () => {
    given([seats], [reserved])
      .when(book, { seat_id: 'a1', user_id: 'ann' }, { id: 'c1' })
      .expect(([event]) =>
        expect(event).toMatchObject({ type: 'SEAT_BOOKED', seat_id: 'a1', user_id: 'ann', note: '' }),
      )
      .expectDocument(seats, 'a1', { heldUntil: 60_000, by: 'ann', booked: true });
  });

  test('a failure, by its reason, and by its details where they are given', () => {
    const when = given([seats], [reserved]).when(book, { seat_id: 'a1', user_id: 'bob' }, { time: 59_999 });
    when.expect(failure('HELD')).expect(failure('HELD', { until: 60_000 }));
    expect(() => when.expect(failure('HELD', { until: 1 }))).toThrow(AssertionError);
    expect(() => when.expect(failure('BOOKED'))).toThrow(AssertionError);
    expect(() => when.expect(reserved)).toThrow('failed with HELD');
  });

  test('time: given by at, told to reducers, and never before the last event', () => {
    given([seats], [at(90_000, reserved)])
      .expectDocument(seats, 'a1', { heldUntil: 90_000, by: 'ann', booked: false })
      .when(book, { seat_id: 'a1', user_id: 'bob' }, { time: 5 })
      .expect(([event]) => expect(event?.type).toBe('SEAT_BOOKED'));
  });

  test('one command after the other', () => {
    given({ collections: [seats], commands: [book] })
      .when(book, { seat_id: 'a1', user_id: 'ann' })
      .when(book, { seat_id: 'a1', user_id: 'bob' })
      .expect(failure('BOOKED'));
  });

  test('reads that depend on what was read', () => {
    given([seats, groups], [{ type: 'GROUP_FORMED', group_id: 'g', seat_ids: ['a1', 'a2'] }])
      .when(bookGroup, { group_id: 'g', user_id: 'ann' }, { actor: 'desk', prepared: 7 })
      .expect((events) => {
        expect(events.map(({ seat_id, note }) => [seat_id, note])).toEqual([
          ['a1', 'desk7'],
          ['a2', 'desk7'],
        ]);
        expect(new Set(events.map((event) => event['booking_id'])).size).toBe(2);
      })
      .expectDocument(seats, 'a2', { heldUntil: 0, by: '', booked: true });
  });

  test('failures among the given events', () => {
    given([seats, book], [{ type: 'BOOK_FAILED', seat_id: 'a1', reason: 'HELD' }]).expectDocument(seats, 'a1', {
      heldUntil: 0,
      by: '',
      booked: false,
    });
    expect(() => given([seats], [{ type: 'BOOK_FAILED', seat_id: 'a1' }])).toThrow(InvalidEvent);
  });

  test('what is wrong in the test itself is said', () => {
    expect(() => given([seats], [{ type: 'SEAT_RESERVED', seat_id: 'a1' }])).toThrow(InvalidEvent);
    expect(() => given([seats]).when(book, { seat_id: 'a1' } as never)).toThrow(InvalidInput);
    expect(() => given([seats]).when(book, { seat_id: '', user_id: 'u' })).toThrow(InvalidInput);
    expect(() => given([])).toThrow('pass the collections');
    expect(() => given([seats]).when(bookGroup, { group_id: 'g', user_id: 'u' })).toThrow(
      'groups is asked for, but not among the parts',
    );
  });

  test('an expectation that does not hold fails, with what is and what was expected', () => {
    const when = given([seats]).when(book, { seat_id: 'a1', user_id: 'ann' });
    expect(() => when.expect({ type: 'SEAT_BOOKED', seat_id: 'a2' })).toThrow(AssertionError);
    expect(() => when.expect([])).toThrow('the events of BOOK');
    expect(() => when.expect(failure('BOOKED'))).toThrow('was expected to fail with BOOKED');
    expect(() => when.expectDocument(seats, 'a1', { heldUntil: 0, by: '', booked: false })).toThrow('seats "a1"');
    expect(() => when.expectError('TypeError')).toThrow('was expected to go wrong');
  });

  test('matchers anywhere in what is expected, whichever framework they are of', () => {
    // As somebody may write it under node:test, and as Jest's are.
    const even = { asymmetricMatch: (value: unknown) => typeof value === 'number' && value % 2 === 0 };
    const jests = {
      $$typeof: Symbol.for('jest.asymmetricMatcher'),
      sample: /^[0-9a-f-]{36}$/,
      asymmetricMatch(value: unknown) {
        return this.sample.test(String(value));
      },
      toAsymmetricMatcher: () => 'StringMatching</^[0-9a-f-]{36}$/>',
    };
    const booked = { type: 'SEAT_BOOKED', seat_id: 'a1', user_id: 'ann', note: '' };
    const when = given([seats]).when(book, { seat_id: 'a1', user_id: 'ann' });
    when
      .expect({ ...booked, booking_id: expect.any(String) })
      .expect([{ ...booked, booking_id: jests }])
      .expect(expect.objectContaining({ type: 'SEAT_BOOKED', seat_id: expect.stringContaining('a') }))
      .expect([expect.objectContaining({ seat_id: 'a1' })])
      .expect(expect.arrayContaining([expect.objectContaining({ seat_id: 'a1' })]))
      .expectDocument(seats, 'a1', { heldUntil: even as never, by: '', booked: expect.any(Boolean) })
      .expectDocument(seats, 'a1', expect.objectContaining({ booked: true }));
    given([seats], [reserved])
      .when(book, { seat_id: 'a1', user_id: 'bob' }, { time: 5 })
      .expect(failure('HELD', { until: expect.any(Number) }))
      .expect(failure('HELD', { until: even } as never))
      .expect(failure('HELD', expect.objectContaining({ until: 60_000 })));

    const fails = (expected: unknown, said: string): void => {
      expect(() => when.expect(expected as never)).toThrow(AssertionError);
      expect(() => when.expect(expected as never)).toThrow(said);
    };
    fails({ ...booked, booking_id: expect.any(Number) }, 'what matches Any<Number>');
    fails({ ...booked, booking_id: jests, more: expect.anything() }, 'Anything');
    fails({ ...booked }, '"booking_id"');
    fails([expect.objectContaining({ seat_id: 'a2' })], 'ObjectContaining');
    fails(expect.objectContaining({ seat_id: 'a2' }), 'ObjectContaining');
    fails(expect.arrayContaining([expect.objectContaining({ seat_id: 'a2' })]), 'ArrayContaining');
    fails([expect.anything(), expect.anything()], 'Anything');
    fails([], 'the events of BOOK');
    expect(() => when.expectDocument(seats, 'a1', { heldUntil: 0, by: expect.any(Number), booked: true })).toThrow(
      'what matches Any<Number>',
    );
    expect(() =>
      given([seats], [reserved])
        .when(book, { seat_id: 'a1', user_id: 'bob' }, { time: 5 })
        .expect(failure('HELD', { until: expect.any(String) })),
    ).toThrow('what matches Any<String>');
  });

  test('a function that says false, or says it later, fails', () => {
    const when = given([seats]).when(book, { seat_id: 'a1', user_id: 'ann' });
    when.expect((events) => events.length === 1).expect(() => undefined);
    expect(() => when.expect((events) => events.length === 99)).toThrow(AssertionError);
    expect(() => when.expect((events) => events.length === 99)).toThrow('SEAT_BOOKED');
    // Its rejection must not end the process either.
    for (const later of [async () => Promise.reject(new Error('late')), async () => undefined]) {
      expect(() => when.expect(later)).toThrow(InvalidDefinition);
      expect(() => when.expect(later)).toThrow('returned a promise');
    }
    const eventually = { asymmetricMatch: async () => Promise.reject(new Error('late')) };
    for (const expected of [eventually, [eventually], { type: eventually }]) {
      expect(() => when.expect(expected as never)).toThrow(InvalidDefinition);
    }
  });

  test('what could never be there is not expected by mistake: it is named, with where it stands', () => {
    const odd = domain({ events: { HAD: type<{ thing_id?: string; y?: unknown }>() } });
    const things = odd.collection('things', { key: 'thing_id', initial: {}, reduce: {} });
    const have = odd.command('HAVE', { input: type<{ y: unknown }>(), decide: (_, { y }) => ({ type: 'HAD', y }) });
    const cycle: Record<string, unknown> = {};
    cycle['cycle'] = cycle;
    class Money {
      cents = 5;
    }
    const pairs: [unknown, unknown, string][] = [
      [{}, new Map([[1, 2]]), 'y.z: an instance of Map'],
      [{}, new Set([1]), 'y.z: an instance of Set'],
      [{}, /abc/, 'y.z: an instance of RegExp'],
      [{}, new Error('q'), 'y.z: an instance of Error'],
      [{}, new Money(), 'y.z: an instance of Money'],
      [new Date(0).toISOString(), new Date(0), 'y.z: an instance of Date'],
      [null, NaN, 'y.z: NaN is not a JSON number'],
      [null, () => 1, 'y.z: a function is not JSON'],
      [1, 1n, 'y.z: a bigint is not JSON'],
      [[null], [undefined], 'y.z[0]: undefined is not JSON'],
      [[1, null], Object.assign([1], { length: 2 }), 'y.z[1]: undefined is not JSON'],
      [{}, cycle, 'a cycle'],
      [{}, { toJSON: () => ({}) }, 'y.z.toJSON: a function is not JSON'],
    ];
    for (const [actual, expected, said] of pairs) {
      const when = given([things]).when(have, { y: { z: actual } });
      const wrong = () => when.expect({ type: 'HAD', y: { z: expected } });
      expect(wrong).toThrow(InvalidDefinition);
      expect(wrong).toThrow(said);
    }
    const when = given([things]).when(have, { y: 1 });
    expect(() => when.expect(undefined as never)).toThrow(InvalidDefinition);
    expect(() => when.expectDocument(things, 'a', undefined as never)).toThrow(InvalidDefinition);
    expect(() =>
      given([seats], [reserved])
        .when(book, { seat_id: 'a1', user_id: 'bob' })
        .expect(failure('HELD', { until: 1n } as never)),
    ).toThrow(InvalidDefinition);
    const throwing = {
      type: 'HAD',
      get y(): number {
        throw new Error('a getter');
      },
    };
    expect(() => when.expect(throwing)).toThrow(InvalidDefinition);
    expect(() => when.expect({ type: 'HAD', y: 1, ['__proto__']: 1 })).toThrow(AssertionError);
    expect(() => when.expect({ type: 'HAD', y: 1, constructor: expect.any(Function) })).toThrow(AssertionError);
    when.expect({ type: 'HAD', y: 1, none: undefined });
  });

  test('an id in the input that isn’t valid is refused, as by execute', () => {
    const view = cinema.command('VIEW', { input: type<{ seat_id: unknown }>(), decide: () => nothing() });
    expect(() => given([seats]).when(view, { seat_id: 5 })).toThrow(InvalidInput);
    expect(() => given([seats]).when(view, { seat_id: 5 })).toThrow('the id in seat_id must be a string');
  });

  test('a decide that throws is shown with its cause', () => {
    const broken = cinema.command('BROKEN', {
      input: z.object({}),
      decide: () => {
        throw new RangeError('off by one');
      },
    });
    const when = given([seats]).when(broken, {});
    when.expectError('RangeError');
    expect(() => when.expect([])).toThrow('RangeError: off by one');
  });

  test('each command has an id of its own, so what it makes is new', () => {
    const ids: unknown[] = [];
    const keep = (events: readonly { [field: string]: unknown }[]): void => void ids.push(events[0]?.['booking_id']);
    given([seats])
      .when(book, { seat_id: 'a1', user_id: 'ann' })
      .expect(keep)
      .when(book, { seat_id: 'a2', user_id: 'ann' })
      .expect(keep);
    expect(new Set(ids).size).toBe(2);
  });

  test('a collection that is not among the parts has no documents to expect', () => {
    expect(() => given([seats]).expectDocument(groups, 'g', { seats: [] })).toThrow('not among the parts');
  });

  test('a failure that could not be stored is not the failure that was expected', () => {
    const large = cinema.command('LARGE', {
      input: z.object({}),
      decide: () => failure('LARGE', { text: 'x'.repeat(20_000) }),
    });
    expect(() => given([seats]).when(large, {}).expect(failure('LARGE'))).toThrow("can't be stored");
  });

  test('a reducer that fails is recorded as in an application', () => {
    const fragile = cinema.collection('fragile', {
      key: 'seat_id',
      initial: {},
      reduce: {
        SEAT_BOOKED: () => {
          throw new RangeError('fragile');
        },
      },
    });
    const touch = cinema.command('TOUCH', {
      input: z.object({ seat_id: z.string() }),
      reads: ({ seat_id }) => ({ seat: fragile.ref(seat_id) }),
      decide: (_, { seat_id }) => ({ type: 'SEAT_BOOKED', seat_id, user_id: 'u', booking_id: 'b', note: '' }),
    });
    const booked = { type: 'SEAT_BOOKED', seat_id: 'a1', user_id: 'u', booking_id: 'b', note: '' };
    given([fragile]).when(touch, { seat_id: 'a1' }).expectError('ReducerFailed').expectDocument(fragile, 'a1', {});
    const after = given([fragile], [booked]);
    after.when(touch, { seat_id: 'a1' }).expectError('ReducerFailed');
    expect(() => after.expectDocument(fragile, 'a1', {})).toThrow('fragile');
  });
});
