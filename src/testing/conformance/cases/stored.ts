/**
 * Stored documents: a set moves from one place to a later one, as a whole, and nobody moves it from where it isn't.
 */
import type { LogPoint, Stepped } from '../../../store/store.ts';
import { commit, event, GENESIS, range, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';
import { addIndex, definitionOf, remove } from '../registered.ts';
import { document, entry, gone, pointOf, TestSet, type Stepping } from '../sets.ts';

/** All of it, in the order of ids. */
async function contents(set: TestSet, index?: number): Promise<unknown> {
  const indexed = index === undefined ? [] : (await set.page({ index, limit: 1_000 })).documents;
  const { place, documents } = await set.page({ limit: 1_000 });
  const { documents: failed } = await set.page({ limit: 1_000, failed: true });
  return { place, documents: documents, failed, indexed };
}

/** Appends a commit of so many events. */
async function append(log: TestLog, id: string, count = 1): Promise<LogPoint> {
  const { generation } = await log.session.registry();
  const events = range(1, count).map(() => event('NOTED', user('u1')));
  return pointOf((await log.append(commit(id, events), { generation })).end);
}

/** State texts that a store might take for other than texts. */
const STATES: readonly string[] = [
  '{"b":1,"a":2,"10":3,"9":4}',
  '{ "spaces" : [ 1 , 2 ] }\n',
  '{"twice":1,"twice":2}',
  '{"numbers":[1.0,1e2,-0,0.1e-7,12345678901234567890,1E400]}',
  '{"escapes":"\\u0000 \\ud800 \\u00e9 \\/ \\t"}',
  '{"text":"é e\u0301 \u{1F30A} \u2028 \'; DROP TABLE x; -- $1 ? %s"}',
  '{"__proto__":{"a":1},"constructor":null}',
  '[]',
  'null',
  '"text"',
  ' ',
  '{"k":"'.concat('long '.repeat(10_000), '"}'),
];

export const storedCases = [
  onLog(6, 'a new set has no documents, and is at place 0', async (log) => {
    const set = TestSet.of(log);
    same(await set.page({ limit: 10 }), { place: GENESIS, documents: [], more: false });
    same(await set.page({ limit: 10, failed: true }), { place: GENESIS, documents: [], more: false });
    same(await set.byIds(['u1', 'u2']), { place: GENESIS, documents: [], more: false });
    // One that is to take another's place is a set like others.
    const users = definitionOf(log.registry, 'users');
    const { generation, last } = await log.session.change((registry) => ({
      raises: true,
      last: registry.last + 1,
      definitions: [{ ...users, rebuilt: registry.last + 1 }],
    }));
    const rebuilt = new TestSet(log, last, generation);
    same(await rebuilt.page({ limit: 10 }), { place: GENESIS, documents: [], more: false });
    await rebuilt.moveOn([document('u1')]);
    same((await set.page({ limit: 10 })).place, GENESIS);
  }),

  onLog(6, 'a set moves on with the documents of a step, and the others stay as they are', async (log) => {
    const set = TestSet.of(log);
    const other = TestSet.of(log, 'orders');
    const first = await append(log, 'c1');
    await set.advance([document('b'), document('a', 3, { changed: 0 })]);
    same(set.place, first);
    same(await contents(set), {
      place: first,
      documents: [document('a', 3, { changed: 0 }), document('b')],
      failed: [],
      indexed: [],
    });
    const second = await append(log, 'c2', 2);
    await set.advance([document('c'), document('b', 2, { changed: 1, state: '{"other":1}' })]);
    const documents = [
      document('a', 3, { changed: 0 }),
      document('b', 2, { changed: 1, state: '{"other":1}' }),
      document('c'),
    ];
    for (const by of await log.sessions(2)) same(await set.all({}, by), documents);
    same((await set.page({ limit: 1 })).place, second);
    // Another set has documents of its own.
    same((await other.page({ limit: 10 })).documents, []);
    await other.advance([document('b', 9)]);
    same([await set.all(), await other.all()], [documents, [document('b', 9)]]);
  }),

  onLog(6, 'a set may move on without a document, stay where it is, and be within a commit', async (log) => {
    const set = TestSet.of(log);
    await set.advance([document('a')]);
    same(await contents(set), { place: GENESIS, documents: [document('a')], failed: [], indexed: [] });
    const end = await append(log, 'c1');
    await set.advance([]);
    same(await contents(set), { place: end, documents: [document('a')], failed: [], indexed: [] });
    await set.advance([document('b')]);
    same(set.place, end);
    await append(log, 'c2', 3);
    // With the hash of the last whole one.
    const within = { position: end.position + 2, hash: end.hash };
    await set.advance([document('a', 2)], { to: within });
    same((await set.page({ limit: 1 })).place, within);
    same(await set.send([document('a', 9)], { from: { ...within, position: within.position - 1 } }), 'moved');
    await set.advance([document('a', 3)], { to: log.end });
    same(await contents(set), {
      place: pointOf(log.end),
      documents: [document('a', 3), document('b')],
      failed: [],
      indexed: [],
    });
  }),

  onLog(6, 'a document that failed at its first event is kept at version 0, and no load begins there', async (log) => {
    const set = TestSet.of(log);
    await append(log, 'c1');
    const failed = document('u1', 0, { changed: 0, state: 'null', failed: 'it threw' });
    await set.advance([failed]);
    same(await contents(set), { place: pointOf(log.end), documents: [], failed: [failed], indexed: [] });
    same((await set.byIds(['u1'])).documents, [failed]);
    const { documents } = await log.session.load([{ ...user('u1'), after: 0, set: set.number }]);
    same([documents[0]!.stored, documents[0]!.events.length], [undefined, 1]);
    same(await log.session.check(), []);
    await set.advance([document('u1')]);
    same(await contents(set), { place: pointOf(log.end), documents: [document('u1')], failed: [], indexed: [] });
  }),

  onLog(6, 'a step from where the set isn’t stores nothing', async (log) => {
    const index = await addIndex(log.session, TestSet.of(log).number, { state: 'live' });
    const set = new TestSet(log, TestSet.of(log).number, log.generation + 1);
    const past = await append(log, 'c1');
    await set.advance([document('a')], { added: [entry(index, 'k1', 'a')] });
    const place = await append(log, 'c2');
    await set.advance([document('a', 2)], { added: [entry(index, 'k2', 'a')], dropped: [gone(index, 'k1')] });
    const end = await append(log, 'c3');
    const before = await contents(set, index);
    const others = [
      GENESIS,
      past,
      end,
      { position: place.position, hash: end.hash },
      { position: end.position, hash: place.hash },
      { position: 0, hash: place.hash },
    ];
    for (const from of others) {
      const step: Stepping = { from, added: [entry(index, 'k3', 'b')], dropped: [gone(index, 'k2')] };
      same(await set.send([document('a', 3), document('b')], step), 'moved');
      same(await contents(set, index), before);
      // Also where it would stay.
      same(await set.send([document('a', 3)], { ...step, to: from }), 'moved');
    }
    same(await contents(set, index), before);
    await set.advance([document('a', 3)]);
  }),

  onLog(6, 'a step by another generation is behind, and stores nothing', async (log) => {
    const { number } = TestSet.of(log);
    const index = await addIndex(log.session, number, { state: 'live' });
    const set = new TestSet(log, number, log.generation + 1);
    await set.moveOn([document('a')], { added: [entry(index, 'k1', 'a')] });
    await append(log, 'c2');
    const before = await contents(set, index);
    for (const generation of [0, log.generation, log.generation + 2]) {
      const step = { generation, added: [entry(index, 'k2', 'a')], dropped: [gone(index, 'k1')] };
      same(await set.send([document('a', 2), document('b')], step), 'behind');
      same(await contents(set, index), before);
    }
    // A change that raises nothing keeps nobody back.
    await log.session.change(({ last }) => ({ raises: false, last: last + 1 }));
    await set.advance([document('a', 2)]);
    await log.session.change(({ last }) => ({ raises: true, last }));
    same(await set.send([document('a', 3)]), 'behind');
    set.generation += 1;
    await set.advance([document('a', 3)]);
    same(await set.all(), [document('a', 3)]);
  }),

  onLog(6, 'a set that isn’t registered is behind, and nothing is told of it', async (log) => {
    const users = definitionOf(log.registry, 'users');
    const step = { from: GENESIS, to: GENESIS, seen: GENESIS, documents: [document('a')], dropped: [], added: [] };
    const ask = async (set: number): Promise<unknown> => {
      const { generation } = await log.session.registry();
      return [
        await log.session.advance({ set, generation, ...step }),
        await log.session.stored({ set, ids: ['a'] }),
        await log.session.stored({ set, limit: 10 }),
        await log.session.stored({ set, limit: 10, failed: true }),
      ];
    };
    const none = ['behind', undefined, undefined, undefined];
    // A definition's number, and none at all.
    for (const set of [0, users.id, 999]) same(await ask(set), none);
    await TestSet.of(log).advance([document('a')]);
    await remove(log.session, users.id);
    same(await ask(users.set), none);
    // Others aren't touched.
    const { generation } = await log.session.registry();
    await new TestSet(log, definitionOf(log.registry, 'orders').set, generation).advance([document('o')]);
  }),

  onLog(6, 'a rebuilt set takes the place of another, whose documents are gone', async (log) => {
    const users = definitionOf(log.registry, 'users');
    await TestSet.of(log).moveOn([document('a'), document('old')]);
    const { last } = await log.session.change((registry) => ({
      raises: true,
      last: registry.last + 1,
      definitions: [{ ...users, rebuilt: registry.last + 1 }],
    }));
    const rebuilt = new TestSet(log, last, log.generation + 1);
    await rebuilt.advance([document('a', 1, { state: '{"again":true}' })]);
    same((await log.session.stored({ set: users.set, limit: 9 }))!.documents, [document('a'), document('old')]);
    const swapped = { ...users, set: last };
    await log.session.change((registry) => ({ raises: true, last: registry.last, definitions: [swapped] }));
    same(await log.session.stored({ set: users.set, limit: 9 }), undefined);
    same(await rebuilt.all(), [document('a', 1, { state: '{"again":true}' })]);
    same(definitionOf(await log.session.registry(), 'users'), swapped);
  }),

  onLog(6, 'of servers that move a set at once, one does, and the others store nothing', async (log) => {
    const sessions = await log.sessions(4);
    const set = TestSet.of(log);
    for (const round of range(1, 10)) {
      await append(log, `c${round}`);
      const step = set.step([]);
      const documentsOf = (server: number) => [
        document('shared', round, { state: `{"by":${server}}` }),
        document(`of-${round}-${server}`),
      ];
      const answers = await Promise.all(
        sessions.map((session, server) => session.advance({ ...step, documents: documentsOf(server) })),
      );
      const won = answers.indexOf('stored');
      const expected: Stepped[] = answers.map((_, server) => (server === won ? 'stored' : 'moved'));
      same([won >= 0, answers], [true, expected], `round ${round}`);
      set.place = step.to;
      const ids = ['shared', ...sessions.map((_, server) => `of-${round}-${server}`)];
      const { place, documents } = await set.byIds(ids);
      const byId = documents.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      same([place, byId], [step.to, documentsOf(won).toReversed()], `round ${round}`);
    }
  }),

  onLog(
    'contract',
    'a document that failed is left out until it goes on, and is found where it is asked for',
    async (log) => {
      const set = TestSet.of(log);
      const failed = document('b', 2, { changed: 1, failed: 'TypeError: “é” isn’t a number \u{1F30A}\n at line 1' });
      await set.moveOn([document('a'), failed, document('c'), { ...failed, id: 'd', failed: '' }]);
      const ids = ['a', 'b', 'c', 'd'];
      const found = (await set.byIds(ids)).documents.toSorted((one, other) => (one.id < other.id ? -1 : 1));
      same(found, [document('a'), failed, document('c'), { ...failed, id: 'd', failed: '' }]);
      same(await set.all(), [document('a'), document('c')]);
      same(await set.all({ failed: true }), [failed, { ...failed, id: 'd', failed: '' }]);
      same(await set.all({ failed: false }), [document('a'), document('c')]);
      // One goes on, another fails.
      await set.moveOn([document('b', 3), document('a', 2, { failed: 'Error: no' })]);
      same(await set.all(), [document('b', 3), document('c')]);
      same(each(await set.all({ failed: true, limit: 1 }), 'id'), ['a', 'd']);
      same((await set.all({ failed: true, reverse: true }))[1], document('a', 2, { failed: 'Error: no' }));
      same((await set.page({ failed: true, limit: 1 })).more, true);
    },
  ),

  onLog(6, 'a step of a thousand documents is stored, and read by its ids', async (log) => {
    const set = TestSet.of(log);
    const ids = range(1, 1_000).map((n) => `document ${String(n).padStart(4, '0')}`);
    for (const version of [1, 2]) {
      await set.moveOn(ids.map((id) => document(id, version)).toReversed());
      const page = await set.page({ limit: 1_000 });
      same([page.more, page.documents], [false, ids.map((id) => document(id, version))]);
      const { documents, more } = await set.byIds(ids);
      same(more, false);
      same(
        new Set(documents.map(({ id, version: at }) => `${id} ${at}`)),
        new Set(ids.map((id) => `${id} ${version}`)),
      );
    }
  }),

  onLog('contract', 'states are given back as they were stored, byte for byte', async (log) => {
    const set = TestSet.of(log);
    const documents = STATES.map((state, n) => document(`s${String(n).padStart(2, '0')}`, n + 1, { state }));
    await set.moveOn(documents);
    same(await set.all(), documents);
    same((await set.byIds(documents.map(({ id }) => id))).documents.length, documents.length);
    const loaded = await log.session.load([{ ...user('u1'), after: 0, set: set.number }]);
    same(loaded.documents[0]?.stored, undefined);
    // Versions are as large as they may be.
    const large = document('large', Number.MAX_SAFE_INTEGER);
    await set.moveOn([large]);
    same((await set.byIds(['large'])).documents, [large]);
  }),

  onLog('contract', 'sets are there, as they were, after every session was closed', async (log) => {
    const { number } = TestSet.of(log);
    const index = await addIndex(log.session, number, { state: 'live' });
    const set = new TestSet(log, number, log.generation + 1);
    const added = [entry(index, 'k1', 'b'), entry(index, 'k2', 'a')];
    await set.moveOn([document('a'), document('b'), document('c', 1, { failed: 'no' })], { added });
    const before = await contents(set, index);
    await log.close();
    const again = await log.open();
    const { place, documents } = (await again.stored({ set: number, index, limit: 10 }))!;
    same([place, documents], [set.place, [document('b'), document('a')]]);
    await set.advance([document('a', 2)], { by: again, dropped: [gone(index, 'k2')] });
    same((await again.stored({ set: number, limit: 10, failed: true }))?.documents.length, 1);
    same((before as { readonly indexed: unknown }).indexed, documents);
  }),

  onLog('contract', 'what is stored is read under the lock as well', async (log) => {
    const set = TestSet.of(log);
    await set.moveOn([document('a'), document('b')]);
    await log.session.exclusive(async (by) => {
      same((await set.page({ limit: 10 }, by)).documents, [document('a'), document('b')]);
      same((await set.byIds(['b'], by)).documents, [document('b')]);
      same(await by.stored({ set: 999, limit: 1 }), undefined);
    });
  }),
];
