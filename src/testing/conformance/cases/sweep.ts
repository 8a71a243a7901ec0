/**
 * Sweeping: what nothing needs any more goes, and nothing else.
 */
import assert from 'node:assert/strict';
import type { DocumentRef, Session } from '../../../store/store.ts';
import { above, commit, event, GENESIS, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allEvents, everything, type TestLog } from '../log.ts';
import { each, same } from '../plain.ts';
import { addIndex, addKeying, attach, definitionOf, register, remove } from '../registered.ts';
import { document, entry, TestSet } from '../sets.ts';

/** Sweeps until nothing is left. */
async function sweepAll(session: Session): Promise<void> {
  for (let calls = 0; await session.sweep(); calls += 1) assert(calls < 10_000, 'sweeping comes to no end');
}

/** Users with two indexes and orders, each with documents; a third index is that of the orders. */
async function filled(log: TestLog): Promise<{ readonly users: TestSet; readonly orders: TestSet; indexes: number[] }> {
  const users = TestSet.of(log);
  const orders = TestSet.of(log, 'orders');
  const indexes: number[] = [];
  for (const { number } of [users, users, orders]) indexes.push(await addIndex(log.session, number, { state: 'live' }));
  const [first, second, third] = indexes as [number, number, number];
  users.generation = orders.generation = log.generation + 3;
  const ids = range(1, 900).map((n) => `d${String(n).padStart(4, '0')}`);
  const failed = document('failed', 1, { failed: 'no' });
  await users.moveOn([...ids.map((id) => document(id)), failed], {
    added: ids.flatMap((id) => [entry(first, id, id), entry(second, `x${id}`, id)]),
  });
  await orders.moveOn(
    ids.slice(0, 9).map((id) => document(id, 5)),
    {
      added: ids.slice(0, 9).map((id, n) => entry(third, [9 - n], id)),
    },
  );
  return { users, orders, indexes };
}

const isKept = ({ collection }: DocumentRef): boolean => !collection.startsWith('rooms');

/** All that a log holds, but for what keyings of the rooms have. */
async function butRooms(by: Session): Promise<unknown> {
  const { documents, events, ...rest } = await everything(by);
  const { documents: loaded } = await by.load([above(user('u1'), 0), above({ collection: 'days', id: 'y' }, 0)]);
  const kept = events.map((one) => Object.assign({}, one, { attachments: one.attachments.filter(isKept) }));
  return { ...rest, documents: documents.filter(isKept), events: kept, loaded };
}

export const sweepCases = [
  onLog('contract', 'where all is needed, sweeping removes nothing', async (log) => {
    await sweepAll(log.session);
    const { users, orders, indexes } = await filled(log);
    const contents = async () => [
      await everything(log.session),
      await users.all(),
      await users.all({ failed: true }),
      await users.all({ index: indexes[0]! }),
      await users.all({ index: indexes[1]! }),
      await orders.all({ index: indexes[2]! }),
    ];
    const before = await contents();
    await sweepAll(log.session);
    // Sizes first: a long list and none take minutes to compare.
    same((await users.page({ limit: 1_000 })).documents.length, 900);
    same(await contents(), before);
    same((await users.page({ limit: 1 })).place, users.place);
  }),

  onLog(6, 'sets and indexes that are removed are gone at once, and sweeping leaves the others', async (log) => {
    const { users, orders, indexes } = await filled(log);
    const [first, second, third] = indexes as [number, number, number];
    const before = [await users.all(), await users.all({ index: second }), await orders.all({ index: third })];
    await remove(log.session, first);
    same(await log.session.stored({ set: users.number, index: first, limit: 9 }), undefined);
    await log.unchangedBy(() => sweepAll(log.session));
    same([await users.all(), await users.all({ index: second }), await orders.all({ index: third })], before);
    // Definition and index go together, or the index stays behind without a set.
    await remove(log.session, definitionOf(log.registry, 'users').id);
    const gone = async () => [
      await log.session.stored({ set: users.number, limit: 9 }),
      await log.session.stored({ set: users.number, ids: ['d0001'] }),
      await log.session.stored({ set: users.number, index: second, limit: 9 }),
    ];
    same(await gone(), [undefined, undefined, undefined]);
    await log.unchangedBy(() => sweepAll(log.session));
    same([...(await gone()), await orders.all({ index: third })], [undefined, undefined, undefined, before[2]]);
    orders.generation = log.generation + 5;
    await orders.moveOn([document('d0001', 6)]);
    same((await orders.all({ index: third })).at(-1)?.version, 6);
  }),

  onLog(6, 'a set that took another’s place stays, and that one goes', async (log) => {
    const { users } = await filled(log);
    const definition = definitionOf(log.registry, 'users');
    const { last, generation } = await log.session.change((registry) => ({
      raises: true,
      last: registry.last + 1,
      definitions: [{ ...definition, rebuilt: registry.last + 1 }],
    }));
    const rebuilt = new TestSet(log, last, generation);
    await rebuilt.moveOn([document('a')]);
    await sweepAll(log.session);
    same([await rebuilt.all(), (await users.all()).length], [[document('a')], 900]);
    await log.session.change((registry) => ({
      raises: true,
      last,
      definitions: [{ ...definition, set: last }],
      removed: registry.indexes.map(({ number }) => number),
    }));
    await sweepAll(log.session);
    same(await log.session.stored({ set: users.number, limit: 9 }), undefined);
    same(await rebuilt.all(), [document('a')]);
    rebuilt.generation += 1;
    await rebuilt.moveOn([document('b')]);
    same(await rebuilt.all(), [document('a'), document('b')]);
  }),

  onLog(4, 'a retired keying’s attachments go, and all others stay with their versions', async (log) => {
    const rooms = { name: 'rooms', definition: 1, key: { fields: ['room_id'] }, handled: [] };
    let { generation } = await register(log.session, [rooms]);
    const room = { collection: 'rooms', id: 'r' };
    // Attached when they were appended, between others.
    for (const n of range(1, 20)) {
      const refs = n % 2 === 0 ? [user('u1'), room, service('s1')] : [room, user('u2')];
      await log.append(commit(`c${n}`, event('NOTED', ...refs)), { generation });
    }
    // And later, to two keyings, of which one stays.
    ({ generation } = await addKeying(log.session, 'rooms\u001f2', { collection: 'rooms' }));
    ({ generation } = await addKeying(log.session, 'days'));
    for (const keying of ['rooms\u001f2', 'days']) {
      const attachments = range(1, 20).map((position) => ({ position, type: 'NOTED', ids: ['x', 'y'] }));
      const page = { keying, from: 0, to: 20, attachments, live: true };
      same(await attach(log.session, page), 'stored');
    }
    const { keyings } = await log.session.registry();
    const retired = keyings.filter(({ collection }) => collection === 'rooms');
    await log.session.change(({ last }) => ({
      raises: true,
      last,
      keyings: retired.map((keying) => Object.assign({}, keying, { state: 'retired' as const })),
    }));
    const before = await butRooms(log.session);
    await sweepAll(log.session);
    for (const by of await log.sessions(2)) {
      same(await butRooms(by), before);
      for (const ref of [room, { collection: 'rooms\u001f2', id: 'x' }]) {
        same((await by.load([above(ref, 0)])).documents[0]?.events, []);
        same((await by.read({ document: ref, after: 0, limit: 9 })).events, []);
      }
      const scanned = await by.scan({ limit: 100, known: () => true });
      same(each(scanned.events, 'position'), range(1, 20));
    }
    same(await log.session.check(), []);
    ({ generation } = await log.session.registry());
    const { versions } = await log.append(commit('after', event('NOTED', user('u1'), service('s1'))), { generation });
    same(versions, [11, 11]);
    same((await allEvents(log.session)).length, 21);
  }),

  onLog(6, 'several servers may sweep at once, while others append and move sets on', async (log) => {
    const { users, orders } = await filled(log);
    const { generation } = await remove(log.session, definitionOf(log.registry, 'users').id);
    const [first, second, writer] = await log.sessions(3);
    orders.generation = generation;
    const work = async (): Promise<void> => {
      for (const n of range(1, 12)) {
        await log.append(commit(`w${n}`, event('NOTED', user('u1'))), { by: writer!, generation, seen: GENESIS });
        await orders.advance([document('d0001', 5 + n)], { by: writer! });
      }
    };
    await Promise.all([sweepAll(first!), sweepAll(second!), work()]);
    same(await log.session.stored({ set: users.number, limit: 1 }), undefined);
    same(
      (await orders.all()).map(({ version }) => version),
      [17, ...range(2, 9).map(() => 5)],
    );
    same(await log.head(user('u1')), 12);
  }),
];
