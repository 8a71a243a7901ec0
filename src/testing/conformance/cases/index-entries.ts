/**
 * Entries of indexes: keys that the engine has made, of which a store knows nothing but the order of their bytes.
 */
import { Buffer } from 'node:buffer';
import assert from 'node:assert/strict';
import { PAGE_ROWS_MAX } from '../../../store/store.ts';
import type { IndexEntry } from '../../../store/store.ts';
import { range } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';
import { addIndex, remove } from '../registered.ts';
import { document, entry, gone, key, TestSet, type Entry } from '../sets.ts';

/** The users with a live index. */
async function indexed(log: TestLog): Promise<{ readonly set: TestSet; readonly index: number }> {
  const { number } = TestSet.of(log);
  const index = await addIndex(log.session, number, { state: 'live' });
  return { set: new TestSet(log, number, log.generation + 1), index };
}

/** Keys that a store could take for others, or put in another order. */
const KEYS: readonly Uint8Array[] = [
  ...range(0, 255).map((byte) => key([byte])),
  ...range(0, 255).map((byte) => key([0x61, byte])),
  ...range(0, 255).map((byte) => key([byte, 0x00, byte])),
  key([]),
  key([0, 0]),
  key([0, 0, 0, 0]),
  key([0xff, 0xff]),
  key([0x61, 0x00, 0x00]),
  key([0xc3, 0x28]),
  key([0xed, 0xa0, 0x80]),
  key('\\x61'),
  key("'; DROP TABLE x; --"),
  key('é'),
  key('e\u0301'),
];

export const indexEntriesCases = [
  onLog('contract', 'an index has the documents of a set in the order of their keys’ bytes', async (log) => {
    const { set, index } = await indexed(log);
    const keys = KEYS.map((one) => Buffer.from(one));
    const ids = keys.map((_, n) => `d${(n * 7) % keys.length}`);
    assert.equal(new Set(ids).size, keys.length);
    await set.moveOn(
      ids.map((id) => document(id)),
      { added: keys.map((one, n) => ({ index, key: one, id: ids[n]! })) },
    );
    const entries = keys
      .map((one, n): Entry => [ids[n]!, one])
      .sort(([, one], [, other]) => Buffer.compare(one, other));
    const keyOf = new Map(entries);
    const expected = entries.map(([id]) => id);
    for (const limit of [1_000, 100]) {
      const asked = { index, limit, keyOf: ({ id }: { readonly id: string }) => keyOf.get(id)! };
      same(each(await set.all(asked), 'id'), expected, `by ${limit}`);
      same(each(await set.all({ ...asked, reverse: true }), 'id'), expected.toReversed(), `back by ${limit}`);
    }
    // As bounds.
    for (const [n, [, bound]] of entries.entries()) {
      if (n % 3 !== 0) continue;
      same(each((await set.page({ index, from: bound, limit: 2 })).documents, 'id'), expected.slice(n, n + 2));
      const before = await set.page({ index, below: bound, limit: 1, reverse: true });
      same(each(before.documents, 'id'), expected.slice(0, n).slice(-1));
    }
    // Each is dropped by its own bytes.
    const dropped = keys.filter((_, n) => n % 2 === 0);
    await set.moveOn([], { dropped: dropped.map((one) => ({ index, key: one })) });
    await set.hasEntries(
      index,
      entries.filter(([, bytes]) => !dropped.some((one) => one.equals(bytes))),
    );
  }),

  onLog('contract', 'long keys are compared to their last byte', async (log) => {
    const { set, index } = await indexed(log);
    // Bytes that don't shrink: a store that packs its rows can't make them shorter.
    let state = 1;
    const noise = Buffer.from(range(1, 1_995).map(() => (state = (state * 48_271) % 0x7fff_ffff) & 0xff));
    const keys = ['a', 'b', 'bb', '\u00e9', 'c'].map((end) => Buffer.concat([noise, Buffer.from(end)]));
    const ids = keys.map((_, n) => `d${n}`);
    const added = keys.map((one, n) => ({ index, key: one, id: ids[n]! }));
    await set.moveOn(
      ids.map((id) => document(id)),
      { added },
    );
    same(each(await set.all({ index }), 'id'), ['d0', 'd1', 'd2', 'd4', 'd3']);
    same(each((await set.page({ index, from: keys[2]!, below: keys[3]!, limit: 9 })).documents, 'id'), ['d2', 'd4']);
    await set.moveOn([], { dropped: added.filter((_, n) => n > 0) });
    await set.hasEntries(index, [['d0', keys[0]!]]);
  }),

  onLog('contract', 'entries go before others come', async (log) => {
    const { set, index } = await indexed(log);
    await set.moveOn([document('a'), document('b')], { added: [entry(index, 'x', 'a'), entry(index, 'y', 'b')] });
    // A document keeps its key; two exchange theirs.
    await set.moveOn([document('a', 2)], { dropped: [gone(index, 'x')], added: [entry(index, 'x', 'a')] });
    same(await set.all({ index }), [document('a', 2), document('b')]);
    await set.moveOn([document('a', 3), document('b', 2)], {
      dropped: [gone(index, 'x'), gone(index, 'y')],
      added: [entry(index, 'y', 'a'), entry(index, 'x', 'b')],
    });
    same(await set.all({ index }), [document('b', 2), document('a', 3)]);
    // A document may have several, or none.
    await set.moveOn([], { dropped: [gone(index, 'x')], added: [entry(index, 'a', 'a'), entry(index, 'z', 'a')] });
    await set.hasEntries(index, [
      ['a', key('a')],
      ['a', key('y')],
      ['a', key('z')],
    ]);
    same(await set.all(), [document('a', 3), document('b', 2)]);
  }),

  onLog('contract', 'an entry that is there already comes again, and one that isn’t there goes', async (log) => {
    const { set, index } = await indexed(log);
    const added = [entry(index, 'x', 'a'), entry(index, 'y', 'b')];
    await set.moveOn([document('a'), document('b')], { added });
    await set.moveOn([document('a', 2)], { added: [...added, entry(index, 'z', 'a')] });
    await set.moveOn([], { dropped: [gone(index, 'w'), gone(index, 'X'), gone(index, '')] });
    const expected: Entry[] = [
      ['a', key('x')],
      ['b', key('y')],
      ['a', key('z')],
    ];
    await set.hasEntries(index, expected);
    await set.moveOn([], { dropped: [gone(index, 'z'), gone(index, 'nobody’s')] });
    await set.hasEntries(index, expected.slice(0, 2));
  }),

  onLog('contract', 'entries of an index that isn’t registered are ignored, and the step is stored', async (log) => {
    const { set, index } = await indexed(log);
    const added = [entry(999, 'x', 'a'), entry(index, 'x', 'a')];
    await set.moveOn([document('a')], { added, dropped: [gone(998, 'x')] });
    await set.hasEntries(index, [['a', key('x')]]);
    // Nor are they there once its number is given.
    const { generation } = await log.session.change(({ last }) => ({
      raises: true,
      last: Math.max(last, 999),
      indexes: [{ number: 999, set: set.number, fields: ['late'], state: 'live', usedAt: 0 }],
    }));
    set.generation = generation;
    same(await set.all({ index: 999 }), []);
    await set.moveOn([], { added: [entry(999, 'y', 'a')] });
    await set.hasEntries(999, [['a', key('y')]]);
  }),

  onLog('contract', 'a set has several indexes, and each set its own', async (log) => {
    const { set, index } = await indexed(log);
    const second = await addIndex(log.session, set.number, { state: 'live' });
    const orders = new TestSet(log, TestSet.of(log, 'orders').number, log.generation + 3);
    const third = await addIndex(log.session, orders.number, { state: 'live' });
    set.generation = log.generation + 3;
    await set.moveOn([document('a'), document('b')], {
      added: [entry(index, '1', 'a'), entry(index, '2', 'b'), entry(second, '2', 'a'), entry(second, '1', 'b')],
    });
    await orders.moveOn([document('o')], { added: [entry(third, '1', 'o')] });
    await set.moveOn([], { dropped: [gone(second, '2')] });
    same(each(await set.all({ index }), 'id'), ['a', 'b']);
    same(each(await set.all({ index: second }), 'id'), ['b']);
    same(each(await orders.all({ index: third }), 'id'), ['o']);
    // An index is asked for with its own set.
    same(await log.session.stored({ set: orders.number, index, limit: 9 }), undefined);
    same(await log.session.stored({ set: set.number, index: third, limit: 9 }), undefined);
    await remove(log.session, second);
    same(await log.session.stored({ set: set.number, index: second, limit: 9 }), undefined);
    same(await log.session.stored({ set: set.number, index: 999, limit: 9 }), undefined);
    same(each(await set.all({ index }), 'id'), ['a', 'b']);
  }),

  onLog('contract', 'pages of an index are bounded as others are', async (log) => {
    const { set, index } = await indexed(log);
    const ids = range(1, PAGE_ROWS_MAX + 1).map((n) => `d${String(n).padStart(4, '0')}`);
    const added: readonly IndexEntry[] = ids.map((id, n) => entry(index, [n >> 8, n & 0xff], id));
    await set.moveOn(
      ids.slice(1).map((id) => document(id)),
      { added: added.slice(1) },
    );
    await set.moveOn([document(ids[0]!)], { added: added.slice(0, 1) });
    const ask = async (limit: number, reverse = false): Promise<unknown> => {
      const { documents, more, place } = await set.page({ index, limit, reverse });
      same([place, each(documents, 'id')], [set.place, (reverse ? ids.toReversed() : ids).slice(0, documents.length)]);
      return [documents.length, more];
    };
    for (const limit of [0, -1, 0.5]) same(await ask(limit), [0, true]);
    same(
      [await ask(1.5), await ask(7), await ask(7, true)],
      [
        [1, true],
        [7, true],
        [7, true],
      ],
    );
    for (const limit of [1_000, 5_000])
      same(
        [await ask(limit), await ask(limit, true)],
        [
          [1_000, true],
          [1_000, true],
        ],
      );
    const last = await set.page({ index, from: key([0x03, 0xe7]), limit: 2 });
    same([each(last.documents, 'id'), last.more], [ids.slice(999), false]);
    const none = await set.page({ index, from: key([0x10]), limit: 2 });
    same(none, { place: set.place, documents: [], more: false });
    same((await set.page({ index, from: key([1]), below: key([1]), limit: 2 })).documents, []);
  }),
];
