/** What `reads` returns is the user's, and is read before anything is waited for (lesson 27). */
import { domain, failure, open, type, type Ref } from 'tidemark';
import { expect, test } from 'vitest';
import { onLocalStores } from '../support/stores.ts';

interface Booking {
  readonly ids: readonly string[];
  readonly by: string;
}

const hall = domain({ events: { BOOKED: type<{ ids: string[]; by: string }>() } });
const seats = hall.collection('seats', {
  key: 'ids',
  initial: { by: '' },
  reduce: { BOOKED: (_, { by }) => ({ by }) },
});
const takenOr = (found: readonly { readonly exists: boolean }[], { ids, by }: Booking) =>
  found.some(({ exists }) => exists) ? failure('TAKEN') : ({ type: 'BOOKED', ids: [...ids], by } as const);

/** Arrays that each call uses again. */
const returned: Ref<{ by: string }>[] = [];
const yielded: Ref<{ by: string }>[] = [];
const commands = {
  returned: hall.command('BOOK', {
    input: type<Booking>(),
    reads({ ids }) {
      returned.splice(0, Infinity, ...ids.map((id) => seats.ref(id)));
      return { returned };
    },
    decide: (found, input) => takenOr(found.returned, input),
  }),
  yielded: hall.command('BOOK_IN_STAGES', {
    input: type<Booking>(),
    *reads({ ids }) {
      yielded.splice(0, Infinity, ...ids.map((id) => seats.ref(id)));
      return { found: (yield yielded) as readonly { exists: boolean }[] };
    },
    decide: ({ found }, input) => takenOr(found, input),
  }),
};

onLocalStores('law 5: reads that use an array again', (makeStore) => {
  test.each(Object.entries(commands))('%s', async (_, book) => {
    await using app = await open({ store: makeStore(), collections: [seats], commands: Object.values(commands) });
    await app.execute(book, { ids: ['s2'], by: 'ann' });
    const [both, other] = await Promise.all([
      app.execute(book, { ids: ['s1', 's2'], by: 'bob' }),
      app.execute(book, { ids: ['s3'], by: 'eve' }),
    ]);
    expect(both).toMatchObject({ reason: 'TAKEN' });
    expect(other.status).toBe('succeeded');
    expect((await app.get(seats, 's2')).state).toEqual({ by: 'ann' });
    expect((await app.verify()).ok).toBe(true);
  });
});

test('a ref can’t be made to mean another document', () => {
  expect(() => ((seats.ref('s1') as { id: string }).id = 's2')).toThrow(TypeError);
});
