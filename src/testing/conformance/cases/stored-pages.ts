/**
 * Pages of stored documents: by ids, and in the order of keys, which are compared byte by byte.
 */
import { Buffer } from 'node:buffer';
import assert from 'node:assert/strict';
import { PAGE_BYTES_MAX, PAGE_ROWS_MAX, STEP_DOCUMENTS_MAX } from '../../../store/store.ts';
import { range } from '../batches.ts';
import { onLog } from '../case.ts';
import { each, same } from '../plain.ts';
import { above, document, key, TestSet } from '../sets.ts';

/** Ids whose order is another by collations, by UTF-16, by length or by numbers. */
const IDS = [
  ' ',
  ' a',
  '"',
  '%',
  "'",
  '-0',
  '0',
  '01',
  '1',
  '10',
  '2',
  'A',
  'B',
  'Z',
  '[',
  '\\',
  '_',
  'a',
  'a\u0001',
  'a ',
  'a b',
  'aA',
  'aB',
  'aa',
  'ab',
  'b',
  'null',
  'z',
  '~',
  '\u007f',
  'Å',
  'É',
  'é',
  'e\u0301',
  'ß',
  'ss',
  'ẞ',
  'ﬀ',
  '\ufeff',
  '\uffff',
  '\u{10000}',
  '\u{1F30A}',
  '\u{10FFFF}',
  'x'.repeat(512),
  `${'x'.repeat(511)}y`,
  '\u0001',
] as const;

const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));

/** Three fit into one answer, four don't; every character has three bytes in UTF-8, and one code unit. */
const LONG = JSON.stringify('€'.repeat(Math.floor(PAGE_BYTES_MAX / 3.5 / 3)));
/** Does not fit into any answer but its own. */
const HUGE = JSON.stringify('x'.repeat(PAGE_BYTES_MAX));

export const storedPagesCases = [
  onLog('contract', 'documents come in the order of their ids’ bytes, whatever a collation says', async (log) => {
    const set = TestSet.of(log);
    await set.moveOn(IDS.map((id) => document(id)));
    const ids = IDS.toSorted(byBytes);
    for (const limit of [1, 7, 500]) {
      same(each(await set.all({ limit }), 'id'), ids, `by ${limit}`);
      same(each(await set.all({ limit, reverse: true }), 'id'), ids.toReversed(), `back by ${limit}`);
    }
    // Each is found by itself alone, and as a bound.
    for (const [n, id] of ids.entries()) {
      same(each((await set.byIds([id])).documents, 'id'), [id]);
      same(each((await set.page({ from: key(id), limit: 2 })).documents, 'id'), ids.slice(n, n + 2));
      const before = await set.page({ below: key(id), limit: 1, reverse: true });
      same(each(before.documents, 'id'), ids.slice(0, n).slice(-1));
    }
    same((await set.byIds(IDS)).documents.length, IDS.length);
    await set.moveOn([document('fail', 1, { failed: '' }), ...IDS.map((id) => document(id, 2, { failed: 'no' }))]);
    same(each(await set.all({ failed: true, limit: 9 }), 'id'), ['fail', ...IDS].sort(byBytes));
    same(await set.all(), []);
  }),

  onLog(
    'contract',
    'documents are asked for by id, in any number, and those that aren’t there are left out',
    async (log) => {
      const set = TestSet.of(log);
      await set.moveOn(range(1, STEP_DOCUMENTS_MAX).map((n) => document(`d${n}`)));
      const asked = range(501, 500 + STEP_DOCUMENTS_MAX).map((n) => `d${n}`);
      const { documents, more, place } = await set.byIds(asked);
      same(
        [more, place, new Set(each(documents, 'id')), documents.length],
        [false, set.place, new Set(asked.slice(0, 500)), 500],
      );
      same(await set.byIds([]), { place: set.place, documents: [], more: false });
      same(await set.byIds(['', 'd0', 'D1']), { place: set.place, documents: [], more: false });
    },
  ),

  onLog('contract', 'a range begins with its first key, and ends before the one below which it is', async (log) => {
    const set = TestSet.of(log);
    await set.moveOn(['a', 'b', 'c', 'd', 'dd', 'e'].map((id) => document(id)));
    const ask = async (from: string | undefined, below: string | undefined, reverse = false): Promise<string> => {
      const bounds = { from: from === undefined ? from : key(from), below: below === undefined ? below : key(below) };
      const { documents, more } = await set.page({ ...bounds, reverse, limit: 10 });
      same(more, false);
      return each(documents, 'id').join(' ');
    };
    same(await ask('b', 'd'), 'b c');
    same(await ask('b', undefined), 'b c d dd e');
    same(await ask(undefined, 'd'), 'a b c');
    same(await ask('b', 'd', true), 'c b');
    same(await ask('d', undefined, true), 'e dd d');
    same(await ask(undefined, 'dd', true), 'd c b a');
    same(await ask('', undefined), 'a b c d dd e');
    same(await ask('', 'z', true), 'e dd d c b a');
    // Bounds that are nobody's keys, and ranges with nothing in them.
    same(await ask('bb', 'dc'), 'c d');
    for (const reverse of [false, true])
      for (const [from, below] of [
        ['b', 'b'],
        ['d', 'b'],
        ['z', undefined],
        [undefined, 'a'],
        [undefined, ''],
        ['da', 'dc'],
      ] as const)
        same(await ask(from, below, reverse), '');
    same((await set.page({ from: above(key('a')), limit: 1 })).documents[0]?.id, 'b');
  }),

  onLog('contract', 'a page has as many documents as its limit says, and says whether there are more', async (log) => {
    const set = TestSet.of(log);
    const ids = range(1, PAGE_ROWS_MAX + 1).map((n) => String(n).padStart(4, '0'));
    same(await set.page({ limit: 0 }), { place: set.place, documents: [], more: false });
    await set.moveOn(ids.slice(0, 1_000).map((id) => document(id)));
    await set.moveOn(ids.slice(1_000).map((id) => document(id)));
    const ask = async (limit: number, reverse = false): Promise<unknown> => {
      const { documents, more } = await set.page({ limit, reverse });
      const expected = reverse ? ids.toReversed() : ids;
      same(each(documents, 'id'), expected.slice(0, documents.length));
      return [documents.length, more];
    };
    for (const limit of [0, -1, -1.5, 0.5]) same(await ask(limit), [0, true]);
    same(
      [await ask(1), await ask(1.5), await ask(2)],
      [
        [1, true],
        [1, true],
        [2, true],
      ],
    );
    for (const limit of [1_000, 1_001, 1_000_000]) same(await ask(limit), [1_000, true]);
    same(await ask(1_000, true), [1_000, true]);
    // At the end there is nothing more, whether the page is full or not.
    for (const limit of [2, 3, 2.9]) {
      const { documents, more } = await set.page({ from: key('1000'), limit });
      same([each(documents, 'id'), more], [['1000', '1001'], false]);
    }
    same((await set.page({ from: key('1000'), limit: 1 })).more, true);
    const { documents, more } = await set.page({ below: key('0003'), limit: 2, reverse: true });
    same([each(documents, 'id'), more], [['0002', '0001'], false]);
    same((await set.page({ below: key('0004'), limit: 2, reverse: true })).more, true);
    same((await set.page({ from: key('2'), limit: 0 })).more, false);
  }),

  onLog('contract', 'a page has at most so many bytes of states, but always a document', async (log) => {
    const set = TestSet.of(log);
    const texts = { a: LONG, b: LONG, c: '1', d: LONG, e: LONG, f: HUGE, g: '1', h: LONG };
    for (const [id, state] of Object.entries(texts)) await set.moveOn([document(id, 1, { state })]);
    const pages = async (reverse: boolean): Promise<string[]> => {
      const found: string[] = [];
      for (let last: string | undefined; found.length < 20;) {
        const bound = last === undefined ? {} : reverse ? { below: key(last) } : { from: above(key(last)) };
        const { documents, more } = await set.page({ ...bound, reverse, limit: 100 });
        for (const { id, state } of documents) assert(state === texts[id as 'a'], `the state of ${id} is another`);
        found.push(each(documents, 'id').join(''));
        if (!more) break;
        last = documents.at(-1)?.id;
      }
      return found;
    };
    same(await pages(false), ['abcd', 'e', 'f', 'gh']);
    same(await pages(true), ['hg', 'f', 'edcb', 'a']);
    // By ids: those that weren't returned are asked for again.
    let left = Object.keys(texts);
    for (let calls = 1; left.length > 0; calls += 1) {
      const { documents, more } = await set.byIds(left);
      const bytes = documents.reduce((sum, { state }) => sum + Buffer.byteLength(state), 0);
      assert(documents.length === 1 || (documents.length > 0 && bytes <= PAGE_BYTES_MAX), 'too much, or nothing');
      left = left.filter((id) => !documents.some((one) => one.id === id));
      same(more, left.length > 0);
      assert(calls < 10, 'asking comes to no end');
    }
  }),
];
