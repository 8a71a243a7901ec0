/**
 * The list of documents.
 */
import { Buffer } from 'node:buffer';
import { PAGE_ROWS_MAX } from '../../../store/store.ts';
import type { DocumentHead, DocumentRef } from '../../../store/store.ts';
import { commit, event, order, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allPages } from '../log.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';

function paged(log: TestLog, limit: number): Promise<DocumentHead[]> {
  return allPages((last) => log.session.documents({ after: last, limit }));
}

export const documentsCases = [
  onLog('contract', 'documents are listed by collection, then id, each with its head', async (log) => {
    same(await paged(log, 10), []);
    await log.append([
      commit('c1', event('NOTED', user('b'), service('z'), order('b'))),
      commit('c2', [event('NOTED', user('a'), user('b')), event('NOTED', order('a')), event('NOTED', user('b'))]),
    ]);
    const expected = [
      { ...order('a'), head: 1 },
      { ...order('b'), head: 1 },
      { ...service('z'), head: 1 },
      { ...user('a'), head: 1 },
      { ...user('b'), head: 3 },
    ];
    for (const limit of [1, 2, 3, 5, 6]) same(await paged(log, limit), expected, `limit ${limit}`);
    await log.append(commit('c3', event('NOTED', user('aa'), service('a'), order('c'))));
    expected.splice(4, 0, { ...user('aa'), head: 1 });
    expected.splice(2, 0, { ...order('c'), head: 1 }, { ...service('a'), head: 1 });
    for (const limit of [1, 3, 100]) same(await paged(log, limit), expected, `limit ${limit}`);
  }),

  onLog('contract', 'ids are ordered by their UTF-8 bytes, where UTF-16 would order otherwise', async (log) => {
    // Already in order. As UTF-16, the astral ones would come before U+E000 and what follows it.
    const ids = [
      '!',
      '10',
      '9',
      'A',
      'AA',
      'Z',
      'a',
      'a\u0308',
      'b',
      '\u007F',
      '\u0080',
      'é',
      'ÿ',
      'ß'.repeat(9),
      '\u07FF',
    ];
    ids.push(
      '\u0800',
      '\uD7FF',
      '\uE000',
      'ﬀ',
      '\uFF5E',
      '\uFFFD',
      '\u{10000}',
      '\u{1F30A}',
      '\u{1F30A}!',
      '\u{10FFFF}',
    );
    const sorted = ids.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const shuffled = sorted.map((_, index) => sorted[(index * 7) % sorted.length]!);
    same(new Set(shuffled).size, sorted.length);
    await log.append(shuffled.map((id, n) => commit(`c${n}`, event('NOTED', user(id)))));
    for (const limit of [1, 4, 100]) same(each(await paged(log, limit), 'id'), sorted);
    const after = async (ref: DocumentRef) => (await log.session.documents({ after: ref, limit: 1 }))[0]?.id;
    // The bound need not be a document itself.
    same(await after(user('\uFFFE')), '\u{10000}');
    same(await after(user('')), '!');
    same(await after(service('\u{10FFFF}')), '!');
    same(await after(user('\u{10FFFF}')), undefined);
  }),

  onLog('contract', 'so many documents at most are returned, whatever the limit', async (log) => {
    const many = PAGE_ROWS_MAX + 20;
    const ids = range(1, many).map((n) => `u${String(n).padStart(5, '0')}`);
    await log.append([
      commit('c1', event('NOTED', ...ids.slice(0, 600).map(user))),
      commit('c2', event('NOTED', ...ids.slice(600).map(user))),
    ]);
    const page = await log.session.documents({ limit: many * 2 });
    same(each(page, 'id'), ids.slice(0, PAGE_ROWS_MAX));
    same(each(await paged(log, many), 'id'), ids);
  }),
];
