/** Laws 4, 5: a state that a reducer hands over frozen is checked and frozen like any other. */
import { domain, failure, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { onLocalStores } from '../support/stores.ts';

interface Line {
  cents: number;
}

const shop = domain({ events: { ADDED: type<{ cart_id: string; cents: number }>() } });
/** Freezes what it returns, on the surface, as libraries of immutable data do. */
const carts = shop.collection('carts', {
  key: 'cart_id',
  initial: (): { lines: readonly Line[] } => Object.freeze({ lines: Object.freeze([]) }),
  reduce: { ADDED: ({ lines }, { cents }) => Object.freeze({ lines: Object.freeze([...lines, { cents }]) }) },
});
const add = shop.command('ADD', {
  input: type<{ cart_id: string; cents: number }>(),
  decide: (_, input) => ({ type: 'ADDED', ...input }),
});
const charge = shop.command('CHARGE', {
  input: type<{ cart_id: string }>(),
  reads: ({ cart_id }) => ({ cart: carts.ref(cart_id) }),
  decide: ({ cart }, { cart_id }) => ({
    type: 'ADDED',
    cart_id,
    cents: cart.state.lines.reduce((sum, { cents }) => sum + cents, 0),
  }),
});

onLocalStores('law 5, lesson 28: states that arrive frozen', (makeStore) => {
  test('can’t be changed by whoever reads them', async () => {
    await using app = await open({ store: makeStore(), collections: [carts], commands: [add, charge] });
    await Promise.all(Array.from({ length: 40 }, () => app.execute(add, { cart_id: 'c', cents: 1 })));
    const { state } = await app.get(carts, 'c');
    for (const line of state.lines) expect(() => ((line as Line).cents = 100)).toThrow(TypeError);
    const outcome = await app.execute(charge, { cart_id: 'c' });
    expect(outcome.events[0]?.event).toMatchObject({ cents: 40 });
  });

  test.each([
    ['NaN', Object.freeze({ bad: NaN })],
    ['a Date', Object.freeze({ bad: Object.freeze(new Date(0)) })],
    ['a Map', Object.freeze([Object.freeze(new Map())])],
  ])('are refused where they hold %s, however often they are returned', async (_, bad) => {
    const broken = domain({ events: { HAPPENED: type<{ id: string }>() } });
    const things = broken.collection('things', { key: 'id', initial: {}, reduce: { HAPPENED: () => bad as never } });
    const happen = broken.command('HAPPEN', {
      input: type<{ id: string }>(),
      decide: (_, input) => ({ type: 'HAPPENED', ...input }),
    });
    await using app = await open({
      store: makeStore(),
      collections: [things],
      commands: [happen],
      logger: { debug() {}, info() {}, warn() {}, error() {} },
    });
    for (const id of ['a', 'b']) {
      await app.execute(happen, { id });
      for (let time = 0; time < 2; time += 1) {
        await expect(app.get(things, id)).rejects.toMatchObject({ code: 'ReducerFailed' });
      }
    }
  });

  test('hold nothing that whoever made them holds too, nor what JSON doesn’t give back', async () => {
    const theatre = domain({ events: { PRINTED: type<{ id: string; code: string }>(), SOLD: type<{ id: string }>() } });
    interface Ticket {
      readonly place: { readonly row: string };
      readonly found: readonly string[];
      readonly sold: boolean;
    }
    const shared = { row: '' };
    const tickets = theatre.collection('tickets', {
      key: 'id',
      initial: { place: { row: '' }, found: [], sold: false } as Ticket,
      reduce: {
        PRINTED: (ticket, { code }) => {
          shared.row = code[0]!;
          // An array with fields of its own, of which one holds an object.
          return { ...ticket, place: shared, found: /^(?<row>[A-Z])/.exec(code)! };
        },
        SOLD: (ticket) => ({ ...ticket, sold: true }),
      },
    });
    const print = theatre.command('PRINT', {
      input: type<{ id: string; code: string }>(),
      decide: (_, input) => ({ type: 'PRINTED', ...input }),
    });
    const sell = theatre.command('SELL', {
      input: type<{ id: string }>(),
      reads: ({ id }) => ({ ticket: tickets.ref(id) }),
      decide: ({ ticket: { state } }, { id }) =>
        state.place.row === 'A' ? failure('FIRST_ROW_IS_RESERVED') : { type: 'SOLD', id },
    });
    await using app = await open({ store: makeStore(), collections: [tickets], commands: [print, sell] });
    await app.execute(print, { id: 't', code: 'A12' });
    const { state } = await app.get(tickets, 't');
    expect(Reflect.ownKeys(state.found)).toEqual(['0', '1', 'length']);
    expect(() => ((state.place as { row: string }).row = 'B')).toThrow(TypeError);
    // Of the reducer's own, which it goes on to use.
    shared.row = 'B';
    expect(await app.execute(sell, { id: 't' })).toMatchObject({ reason: 'FIRST_ROW_IS_RESERVED' });
    expect((await app.verify()).ok).toBe(true);
  });
});
