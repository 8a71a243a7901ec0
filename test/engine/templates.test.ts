/** Keys with templates in an application: what is attached, by whom, and how documents are asked for. */
import { domain, failure, open, type } from 'tidemark';
import { given } from 'tidemark/testing';
import { describe, expect, test } from 'vitest';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';

type Stay = { room_id: string; day: string; guest: string };

/** A hotel: later releases know that rooms may be closed. */
function hotel(release: 1 | 2) {
  const made = domain({
    events: {
      BOOKED: type<Stay>(),
      CLOSED: type<{ room_ids: string[]; day: string }>(),
      MOVED: type<{ from_room: string; to_room: string; day: string | null }>(),
    },
  });
  const days = made.collection('days', {
    key: {
      BOOKED: '{room_id}/{day}',
      MOVED: ['{from_room}/{day}', '{to_room}/{day}'],
      ...(release === 2 && { CLOSED: '{room_ids}/{day}' as const }),
    },
    initial: { guest: '', closed: false },
    reduce: {
      BOOKED: (day, { guest }) => ({ ...day, guest }),
      ...(release === 2 && { CLOSED: (day: { guest: string; closed: boolean }) => ({ ...day, closed: true }) }),
    },
  });
  const all = made.collection('all', {
    key: '{room_id}/{day}',
    initial: { n: 0 },
    reduce: { BOOKED: ({ n }) => ({ n: n + 1 }) },
  });
  const book = made.command('BOOK', {
    input: type<Stay>(),
    reads: ({ room_id, day }) => ({ found: days.ref({ room_id, day }) }),
    decide: ({ found }, input) => (found.exists ? failure('TAKEN') : { type: 'BOOKED', ...input }),
  });
  const close = made.command('CLOSE', {
    input: type<{ room_ids: string[]; day: string }>(),
    decide: (_, input) => ({ type: 'CLOSED', ...input }),
  });
  const move = made.command('MOVE', {
    input: type<{ from_room: string; to_room: string; day: string | null }>(),
    decide: (_, input) => ({ type: 'MOVED', ...input }),
  });
  return { days, all, book, close, move, parts: { collections: [days, all], commands: [book, close, move] } as const };
}

const stay: Stay = { room_id: 'r/1', day: 'monday', guest: 'ann' };
const place = { room_id: 'r/1', day: 'monday' };

onLocalStores('a template', (makeStore) => {
  test('attaches, makes the ids of refs and of get, and gives failures their fields', async () => {
    const { days, all, book, move, parts } = hotel(2);
    await using app = await open({ store: makeStore(), ...parts });
    const outcome = await app.execute(book, stay);
    expect(outcome.events[0]?.attachments).toEqual([
      { collection: 'all', id: 'r%2F1/monday', version: 1 },
      { collection: 'days', id: 'r%2F1/monday', version: 1 },
    ]);
    const refused = await app.execute(book, { ...stay, guest: 'bob' });
    expect(refused.reason).toBe('TAKEN');
    expect(refused.events[0]?.event).toEqual({ type: 'BOOK_FAILED', reason: 'TAKEN', details: {}, ...place });
    expect(refused.events[0]?.attachments).toEqual([{ collection: 'all', id: 'r%2F1/monday', version: 2 }]);

    expect(await app.get(days, place)).toEqual(await app.get(days, 'r%2F1/monday'));
    expect(
      (await app.get(days, [place, { from_room: 'r/1', day: 'monday' }, 'other'])).map(({ version }) => version),
    ).toEqual([1, 1, 0]);
    expect(await collect(app.history(all, place))).toHaveLength(2);
    await app.execute(move, { from_room: 'r/1', to_room: 'r2', day: 'monday' });
    expect((await app.get(days, { to_room: 'r2', day: 'monday' })).version).toBe(1);
    const nowhere = await app.execute(move, { from_room: 'r/1', to_room: 'r2', day: null });
    expect(nowhere.events[0]?.attachments).toEqual([]);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('is attached by a program that doesn’t have the code', async () => {
    const store = makeStore();
    const full = hotel(2);
    await using app = await open({ store, ...full.parts });
    const { book, all } = hotel(2);
    await using script = await open({ store, collections: [all], commands: [book] });
    const close = hotel(2);
    await using other = await open({ store, collections: [], commands: [close.close] });
    await other.execute(close.close, { room_ids: ['r1', 'r/2'], day: 'monday' });
    expect((await app.get(full.days, { room_ids: 'r/2', day: 'monday' })).state.closed).toBe(true);
    for (const one of [app, script, other]) expect((await one.verify()).problems).toEqual([]);
  });

  test('of a type that the log has never held is added under the same definition, and a changed one is refused', async () => {
    const store = makeStore();
    const [old, now] = [hotel(1), hotel(2)];
    await using before = await open({ store, ...old.parts });
    await before.execute(old.book, stay);
    await using app = await open({ store, ...now.parts, logger: keepingLogger() });
    await before.execute(old.close, { room_ids: ['r/1'], day: 'monday' });
    expect(await app.get(now.days, place)).toMatchObject({ version: 2, state: { guest: 'ann', closed: true } });
    for (const key of ['{room_id}//{day}', '{day}/{room_id}', 'guest', ['guest', '{room_id}/{day}']] as const) {
      const made = domain({ events: { BOOKED: type<Stay>() } });
      const all = made.collection('all', { key, initial: {}, reduce: {} });
      await expect(open({ store, collections: [all], commands: [] })).rejects.toMatchObject({
        code: 'DefinitionChanged',
        details: { collection: 'all', key: { fields: [{ template: '{room_id}/{day}' }] } },
      });
    }
  });

  test('that makes no valid id: an input that every type’s key looks at is refused, an event becomes an error', async () => {
    const { book, move, parts } = hotel(2);
    await using app = await open({ store: makeStore(), ...parts, logger: keepingLogger() });
    const long = 'x'.repeat(300);
    await expect(app.execute(book, { ...stay, room_id: long, day: long })).rejects.toMatchObject({
      code: 'InvalidInput',
      details: { command: 'BOOK', path: 'room_id' },
    });
    for (const from_room of [long, '', 7 as never]) {
      const outcome = await app.execute(move, { from_room, to_room: 'r2', day: long });
      expect(outcome).toMatchObject({ status: 'failed', reason: 'ERROR', details: { name: 'InvalidEvent' } });
    }
  });

  test.each<[string, unknown]>([
    ['a missing field', { room_id: 'r1' }],
    ['a number', { room_id: 'r1', day: 7 }],
    ['a field too many', { room_id: 'r1', day: 'd', guest: 'ann' }],
    ['no field', {}],
    ['no object', 7],
    ['null', null],
    [
      'an object that throws',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no');
          },
        },
      ),
    ],
  ])('asked for by %s: InvalidInput', async (_, wrong) => {
    const { days, parts } = hotel(2);
    await using app = await open({ store: makeStore(), ...parts });
    const invalid = expect.objectContaining({ code: 'InvalidInput' }) as Error;
    await expect(app.get(days, wrong as string)).rejects.toThrow(invalid);
    await expect(app.get(days, ['r1/d', wrong as string])).rejects.toThrow(invalid);
    expect(() => app.history(days, wrong as string)).toThrow(invalid);
    expect(() => days.ref(wrong as string)).toThrow(invalid);
    expect(() => given([days]).expectDocument(days, wrong as string, { guest: '', closed: false })).toThrow(invalid);
  });
});

describe('rules with templates', () => {
  test('expect documents by fields', () => {
    const { days, all, book } = hotel(2);
    given([days, all], [{ type: 'BOOKED', ...stay }])
      .expectDocument(days, place, { guest: 'ann', closed: false })
      .when(book, { ...stay, guest: 'bob' })
      .expect(failure('TAKEN'));
  });
});
