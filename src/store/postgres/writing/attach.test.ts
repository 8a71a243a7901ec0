/** Attaching events later: what other sessions know of the documents, what is read, and what a sweep leaves. */
import { expect, it } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { at, commit, event, range, service, user } from '../../../testing/conformance/batches.ts';
import { everything, TestLog } from '../../../testing/conformance/log.ts';
import { attach as attachTo } from '../../../testing/conformance/registered.ts';
import { PAGE_ATTACHMENTS_MAX, type AttachedPage, type Keying, type Session, type Stepped } from '../../store.ts';
import { postgres } from '../index.ts';

const database = testDatabase();

const LATER: Keying = { name: 'seats', collection: 'seats', key: { fields: ['seat_id'] }, state: 'filling', filled: 0 };
const seat = (id: string) => ({ collection: 'seats', id });

/** A log with so many events of a user each, and a keying that has to be filled. */
async function logWith(schema: string, events: number, facts: Partial<Keying> = {}): Promise<TestLog> {
  const log = await TestLog.on(postgres(database.url, { schema }));
  for (let from = 1; from <= events; from += 1_000) {
    const commits = range(from, Math.min(events, from + 999)).map((n) => commit(`c${n}`, event('BOUGHT', user('u1'))));
    await log.append(commits);
  }
  await log.session.change(({ last }) => ({ raises: true, last, keyings: [{ ...LATER, ...facts }] }));
  return log;
}

const attach = (session: Session, page: Partial<AttachedPage> & Pick<AttachedPage, 'to'>): Promise<Stepped> =>
  attachTo(session, { keying: 'seats', ...page });

const found = (position: number, ...ids: string[]) => ({ position, type: 'BOUGHT', ids });

it('laws 4 and 5: what a session knew of a document before more was attached to it is not used', async () => {
  const log = await logWith('known', 4);
  const other = await log.open();
  let generation = log.generation + 1;
  const handled = new Map([['seats', new Set(['BOUGHT'])]]);
  await attach(other, { to: 2, attachments: [found(1, 's1')] });
  // Reads it, and remembers its head.
  const reads = [at(seat('s1'), 1)];
  await log.append(commit('a1', event('NOTED', user('u1'))), { generation, reads, handled });
  await log.append(commit('a2', event('NOTED', user('u1'))), { generation, reads, handled });
  await attach(other, { from: 2, to: 4, attachments: [found(3, 's1', 's2')] });
  const refused = await log.refuse(commit('a3', event('NOTED')), { generation, reads, handled });
  expect(refused.stale).toMatchObject([{ id: 's1', head: 2, events: [{ position: 3, version: 2 }] }]);
  await attach(other, { from: 4, to: 6, live: true, attachments: [found(4, 's2')] });
  expect((await log.session.registry()).generation).toBe((generation += 1));
  const attached = commit('a4', event('BOUGHT', seat('s2'), seat('s1')));
  expect((await log.append(attached, { generation, reads: [at(seat('s1'), 2)], handled })).versions).toEqual([3, 3]);
  expect((await log.append(commit('a5', event('BOUGHT', seat('s2'))), { generation })).versions).toEqual([4]);
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

it('lists of events are as they were appended, and read with what came later, however that is read', async () => {
  const log = await logWith('lists', 3);
  const before = await database.run('SELECT attachments FROM lists.events ORDER BY position');
  // By the bytes of their UTF-8, not of UTF-16.
  const ids = ['\u{1f600}', 'z', '\uffee', 'Z'];
  expect(await attach(log.session, { to: 3, live: true, attachments: [found(1, ...ids), found(3, 'z')] })).toBe(
    'stored',
  );
  expect(await database.run('SELECT attachments FROM lists.events ORDER BY position')).toEqual(before);
  const sorted = ['Z', 'z', '\uffee', '\u{1f600}'];
  const lists = [
    [{ ...user('u1'), version: 1 }, ...sorted.map((id) => at(seat(id), 1))],
    [{ ...user('u1'), version: 2 }],
    [
      { ...user('u1'), version: 3 },
      { ...seat('z'), version: 2 },
    ],
  ];
  const read = async (range: Parameters<Session['read']>[0]) =>
    (await log.session.read(range)).events.map(({ attachments }) => attachments);
  expect(await read({ limit: 10 })).toEqual(lists);
  expect(await read({ limit: 10, reverse: true, types: ['BOUGHT'] })).toEqual(lists.toReversed());
  expect(await read({ document: seat('z'), after: 0, limit: 10 })).toEqual([lists[0], lists[2]]);
  const page = await log.session.scan({ limit: 10, known: () => false });
  const named = new Map(page.named.map(({ document, collection, id }) => [document, { collection, id }]));
  const scanned = page.events.map(({ attachments }) =>
    Array.from({ length: attachments.length / 2 }, (_, n) => ({
      ...named.get(attachments[2 * n]!),
      version: attachments[2 * n + 1],
    })),
  );
  expect(scanned).toEqual(lists);
  // The page that ends where the last later one comes has all of it, and one before it none.
  for (const limit of [1, 2]) {
    const { events } = await log.session.scan({ limit, known: () => true });
    expect(events.map(({ attachments }) => attachments.length)).toEqual([10, 2].slice(0, limit));
  }
  await log.close();
});

it('attachments that came later count when a page is bounded', async () => {
  const log = await logWith('bounded', 4);
  const half = PAGE_ATTACHMENTS_MAX / 2;
  const many = range(1, half).map((n) => `s${n}`);
  expect(await attach(log.session, { to: 4, live: true, attachments: range(1, 4).map((n) => found(n, ...many)) })).toBe(
    'stored',
  );
  for (const call of [
    log.session.read({ limit: 10 }),
    log.session.scan({ limit: 10, known: () => true }),
    log.session.read({ document: user('u1'), after: 0, limit: 10 }),
  ]) {
    const { events, next } = await call;
    expect([events.length, next]).toEqual([1, 1]);
  }
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

const laterRows = async (): Promise<number> =>
  Number((await database.run<{ n: string }>('SELECT count(*) AS n FROM retired.later'))[0]!.n);

it('a retired keying is swept little by little; meanwhile and after it all can be read, and nothing is damaged', async () => {
  const log = await logWith('retired', 3_000);
  const other = await log.open();
  const page = range(1, 3_000).map((n) => found(n, 'all', `s${n}`));
  expect(await attach(log.session, { to: 3_000, live: true, attachments: page })).toBe('stored');
  const { generation } = await log.session.registry();
  await log.append(commit('last', event('BOUGHT', seat('all'), service('x'))), { generation });
  const retired = await log.session.change(({ last, keyings }) => ({
    raises: true,
    last,
    keyings: [{ ...keyings.find(({ name }) => name === 'seats')!, state: 'retired' }],
  }));
  const before = await everything(other);
  expect(before.documents.map(({ collection }) => collection)).not.toContain('seats');
  const left: number[] = [];
  for (let more = true; more;) {
    more = await [log.session, other][left.length % 2]!.sweep();
    left.push(await laterRows());
    expect(await log.session.check()).toEqual([]);
    expect((await other.read({ after: 2_990, limit: 100 })).events).toHaveLength(11);
    expect((await other.scan({ after: 2_000, limit: 100, known: () => true })).events).toHaveLength(100);
  }
  // Each sweeps a part.
  expect(left.length).toBeGreaterThan(2);
  expect(left[0]).toBeGreaterThan(3_000);
  expect(left.at(-1)).toBe(0);
  expect(await log.session.sweep()).toBe(false);
  const after = await everything(other);
  expect(after.documents).toEqual(before.documents);
  expect((await other.load([{ ...seat('all'), after: 0 }])).documents[0]).toMatchObject({ head: 0, events: [] });
  // Other documents of the same events are as they were, and what is appended goes on.
  const { generation: now } = retired;
  expect((await log.append(commit('next', event('BOUGHT', user('u1'))), { generation: now })).versions).toEqual([
    3_001,
  ]);
  expect(await log.session.check()).toEqual([]);
  await log.close();
}, 120_000);
