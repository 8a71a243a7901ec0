/**
 * Pages of the log and of a document: nothing skipped, nothing twice, whatever the limit.
 */
import assert from 'node:assert/strict';
import { PAGE_POSITIONS_MAX, PAGE_ROWS_MAX } from '../../../store/store.ts';
import type { EventPage, NewEvent } from '../../../store/store.ts';
import { commit, event, order, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allEvents } from '../log.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';

const positions = (events: EventPage['events']) => each(events, 'position');

const numbered = (n: number): NewEvent => event(n % 5 === 0 ? 'BOUGHT' : n === 7 ? 'RARE' : 'NOTED', user(`u${n % 2}`));

/** Thirty events, three a commit; every fifth is `BOUGHT`, the 7th `RARE`. */
async function thirty(log: TestLog): Promise<void> {
  await log.append(range(0, 9).map((n) => commit(`c${n}`, range(n * 3 + 1, n * 3 + 3).map(numbered))));
}

export const pagesCases = [
  onLog(3, 'forward pages hold every event once, in order, whatever the limit', async (log) => {
    await thirty(log);
    for (const limit of [1, 2, 7, 29, 30, 31]) {
      same(positions(await allEvents(log.session, { limit })), range(1, 30), `limit ${limit}`);
    }
  }),

  onLog(3, 'backward pages hold every event once, the last first', async (log) => {
    await thirty(log);
    for (const limit of [1, 2, 7, 29, 30, 31]) {
      const found = positions(await allEvents(log.session, { limit, reverse: true }));
      same(found, range(1, 30).reverse(), `limit ${limit}`);
    }
  }),

  onLog(3, 'after and before are exclusive, in both directions', async (log) => {
    await thirty(log);
    const within = async (bounds: { after?: number; before?: number }, expected: readonly number[]) => {
      const forward = await log.session.read({ ...bounds, limit: 100 });
      const backward = await log.session.read({ ...bounds, reverse: true, limit: 100 });
      same(positions(forward.events), expected);
      same(positions(backward.events), [...expected].reverse());
      same([forward.next, backward.next], [undefined, undefined]);
    };
    await within({ after: 10 }, range(11, 30));
    await within({ before: 10 }, range(1, 9));
    await within({ after: 4, before: 8 }, [5, 6, 7]);
    await within({ after: 4, before: 5 }, []);
    await within({ after: 30 }, []);
    await within({ after: 1000 }, []);
    await within({ before: 1 }, []);
    await within({ after: 0, before: 1000 }, range(1, 30));
  }),

  onLog(3, 'the next page starts where the last one ended; there is none after the last', async (log) => {
    await thirty(log);
    const read = async (page: Parameters<typeof log.session.read>[0]) => {
      const { events, next } = await log.session.read(page);
      return [positions(events), next];
    };
    same(await read({ after: 3, limit: 4 }), [[4, 5, 6, 7], 7]);
    same(await read({ after: 26, limit: 4 }), [[27, 28, 29, 30], undefined]);
    same(await read({ after: 25, limit: 4 }), [[26, 27, 28, 29], 29]);
    same(await read({ before: 8, reverse: true, limit: 4 }), [[7, 6, 5, 4], 4]);
    same(await read({ before: 5, reverse: true, limit: 4 }), [[4, 3, 2, 1], undefined]);
    same(await read({ after: 2, before: 9, limit: 3 }), [[3, 4, 5], 5]);
    same(await read({ after: 5, before: 9, limit: 3 }), [[6, 7, 8], undefined]);
    same(await read({ after: 2, before: 9, reverse: true, limit: 6 }), [range(3, 8).reverse(), undefined]);
  }),

  onLog(3, 'an empty log is one empty page', async (log) => {
    for (const reverse of [false, true]) {
      const { events, next, end } = await log.session.read({ reverse, limit: 10 });
      same([events, next, end.position], [[], undefined, 0]);
    }
  }),

  onLog(3, 'pages of some types hold every event of them, in both directions', async (log) => {
    await thirty(log);
    const expected = new Map([
      ['BOUGHT', [5, 10, 15, 20, 25, 30]],
      ['RARE', [7]],
      ['RARE BOUGHT', [5, 7, 10, 15, 20, 25, 30]],
      ['UNKNOWN RARE', [7]],
      ['UNKNOWN', []],
      ['bought', []],
    ]);
    for (const [types, found] of expected) {
      for (const limit of [1, 2, 6, 100]) {
        const wanted = { types: types.split(' '), limit };
        same(positions(await allEvents(log.session, wanted)), found, `${types} by ${limit}`);
        same(positions(await allEvents(log.session, { ...wanted, reverse: true })), [...found].reverse());
      }
    }
    // An empty filter finds nothing.
    same(await allEvents(log.session, { types: [] }), []);
    const between = await log.session.read({ types: ['BOUGHT'], after: 5, before: 25, limit: 100 });
    same(positions(between.events), [10, 15, 20]);
  }),

  onLog(3, 'a page that ends before a rare type isn’t the end of the log (lesson 4)', async (log) => {
    const size = PAGE_POSITIONS_MAX + 2_500;
    // So far apart that a whole page lies between the first two.
    const rare = new Set([3, PAGE_POSITIONS_MAX + 400, size - 1]);
    const commits = range(0, size / 500 - 1).map((n) =>
      commit(
        `c${n}`,
        range(n * 500 + 1, n * 500 + 500).map((p) => event(rare.has(p) ? 'RARE' : 'NOTED')),
      ),
    );
    await log.append(commits);
    for (const limit of [1, 2, 1000]) {
      same(positions(await allEvents(log.session, { types: ['RARE'], limit })), [...rare]);
      same(positions(await allEvents(log.session, { types: ['RARE'], limit, reverse: true })), [...rare].reverse());
    }
    same(await allEvents(log.session, { types: ['UNKNOWN'] }), []);
    // A store may find rare events by an index. If it reads one event after the other, it says how far it has come.
    const { events, next } = await log.session.read({ types: ['RARE'], after: 3, limit: 10 });
    if (next !== undefined) assert(next >= 4 && next < size && events.every(({ position }) => position <= next));
  }),

  onLog('contract', 'a page holds at most so many rows, whatever the limit', async (log) => {
    const many = PAGE_ROWS_MAX + 20;
    await log.append(
      commit(
        'c1',
        range(1, many).map(() => event('NOTED', user('u1'))),
      ),
    );
    const limit = many * 2;
    const forward = await log.session.read({ limit });
    same([positions(forward.events), forward.next], [range(1, PAGE_ROWS_MAX), PAGE_ROWS_MAX]);
    const backward = await log.session.read({ limit, reverse: true });
    same([positions(backward.events), backward.next], [range(21, many).reverse(), 21]);
    const document = await log.session.read({ document: user('u1'), after: 0, limit });
    same([positions(document.events), document.next], [range(1, PAGE_ROWS_MAX), PAGE_ROWS_MAX]);
    const rest = await log.session.read({ document: user('u1'), after: PAGE_ROWS_MAX, limit });
    same([rest.events.length, rest.next], [20, undefined]);
  }),

  onLog('contract', 'limits of a page that no position or version can have are not errors', async (log) => {
    await thirty(log);
    const { session } = log;
    const read = async (page: Parameters<typeof session.read>[0]) => {
      const { events, next } = await session.read(page);
      return [positions(events), next];
    };
    for (const reverse of [false, true]) {
      const ordered = (found: number[]) => (reverse ? found.reverse() : found);
      const all = { reverse, limit: 100 };
      same(await read({ ...all, after: -5 }), [ordered(range(1, 30)), undefined]);
      same(await read({ ...all, after: 27.5 }), [ordered([28, 29, 30]), undefined]);
      same(await read({ ...all, after: 1e300 }), [[], undefined]);
      same(await read({ ...all, before: 1.5 }), [[1], undefined]);
      same(await read({ ...all, before: 3 }), [ordered([1, 2]), undefined]);
      for (const before of [0, -5, 0.5]) same(await read({ ...all, before }), [[], undefined]);
      same(await read({ ...all, before: Infinity, after: 29 }), [[30], undefined]);
      for (const limit of [0, -1, 0.5, Number.NaN]) same((await read({ reverse, limit }))[0], []);
      same((await read({ reverse, limit: 1.5, after: 20, before: 22 }))[0], [21]);
    }
    const document = order('o');
    await log.append(range(1, 3).map((n) => commit(`o${n}`, event('PLACED', document))));
    same(await read({ document, after: -5, limit: 10 }), [[31, 32, 33], undefined]);
    same(await read({ document, after: 1.5, limit: 1.5 }), [[32], 2]);
    same(await read({ document, after: 7, limit: 10 }), [[], undefined]);
    same((await read({ document, after: 0, limit: -1 }))[0], []);

    const versions = async (after: number, upTo?: number, asOf?: number) => {
      const { documents } = await session.load([{ ...document, after, upTo }], { asOf });
      return documents[0]?.events.map(({ version }) => version);
    };
    same(await versions(-5), [1, 2, 3]);
    same(await versions(1.5), [2, 3]);
    same(await versions(0, 2.5), [1, 2]);
    same(await versions(0, -1), []);
    same(await versions(0, undefined, 32.5), [1, 2]);
    same(await versions(0, undefined, -1), []);

    const commits = async (bounds: Omit<Parameters<typeof session.commits>[0], 'limit'>, limit = 100) =>
      each(await session.commits({ ...bounds, limit }), 'position');
    same(await commits({ after: -5, upTo: 4.5 }), [1, 4]);
    same(await commits({ after: 30.5, upTo: Infinity }), [31, 32, 33]);
    same(await commits({ upTo: -5 }), []);
    same(await commits({ recordedBy: -5 }), []);
    for (const limit of [0, -1]) {
      same(await commits({}, limit), []);
      same(await session.documents({ limit }), []);
    }
    same((await session.documents({ limit: 1.5 })).length, 1);
  }),

  onLog('contract', 'neighbours of one commit share the commit', async (log) => {
    await thirty(log);
    const { events } = await log.session.read({ after: 1, limit: 4 });
    assert.equal(events[0]?.commit, events[1]?.commit);
    assert.notEqual(events[1]?.commit, events[2]?.commit);
    // The commit is complete, although the page starts in the middle of it.
    same([events[0]?.commit.position, events[0]?.commit.eventCount], [1, 3]);
    same([events[3]?.commit.position, events[3]?.commit.eventCount], [4, 3]);
  }),

  onLog(4, 'a document’s pages hold all its events, with all that they are attached to', async (log) => {
    await log.append(
      range(1, 10).map((n) =>
        commit(`c${n}`, [event('NOTED', user('other')), event('BOUGHT', order(`o${n}`), user('u1'))]),
      ),
    );
    const all = (await allEvents(log.session)).filter(({ position }) => position % 2 === 0);
    for (const limit of [1, 3, 10, 11]) {
      const found: unknown[] = [];
      let after: number | undefined = 0;
      while (after !== undefined) {
        const page: EventPage = await log.session.read({ document: user('u1'), after, limit });
        found.push(...page.events);
        assert(page.next === undefined || page.next === after + limit, `the page after ${after} leads to ${page.next}`);
        after = page.next;
      }
      same(found, all, `limit ${limit}`);
    }
    const page = await log.session.read({ document: user('u1'), after: 6, limit: 2 });
    same([positions(page.events), page.next, page.end.position], [[14, 16], 8, 20]);
    for (const [document, after] of [
      [user('u1'), 10],
      [user('u1'), 99],
      [user('unknown'), 0],
      [service('u1'), 0],
    ] as const) {
      const { events, next } = await log.session.read({ document, after, limit: 5 });
      same([events, next], [[], undefined]);
    }
  }),
];
