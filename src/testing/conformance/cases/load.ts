/**
 * Documents for folding: heads and events, all as they are at one point of the log.
 */
import assert from 'node:assert/strict';
import { LOAD_EVENTS_MAX } from '../../../store/store.ts';
import type { DocumentRef } from '../../../store/store.ts';
import { above, commit, event, order, range, service, START, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';

/** Five positions; u1 has versions at 1, 2, 4, 5, and s1 at 2, 3, 5. Positions 2 to 4 are one commit. */
async function fivePositions(log: TestLog): Promise<void> {
  await log.append([
    commit('c1', event('REGISTERED', user('u1'))),
    commit('c2', [
      event('CREATED', service('s1'), user('u1')),
      event('NOTED', service('s1')),
      event('NOTED', user('u1')),
    ]),
  ]);
  await log.append(commit('c3', event('BOUGHT', user('u1'), service('s1'))));
}

const U1 = [1, 2, 4, 5];
const S1 = [2, 3, 5];

export const loadCases = [
  onLog(
    4,
    'the events of a document have its versions, dense from the one after which they were asked for',
    async (log) => {
      await fivePositions(log);
      for (const after of range(0, 6)) {
        const { documents } = await log.session.load([above(user('u1'), after)]);
        same(each(documents, 'head'), [4]);
        same(
          documents[0]?.events.map(({ version }) => version),
          range(after + 1, 4),
        );
        same(
          documents[0]?.events.map(({ position }) => position),
          U1.slice(after),
        );
      }
    },
  ),

  onLog(4, 'events above upTo are not returned; the head is still the document’s', async (log) => {
    await fivePositions(log);
    for (const [after, upTo, versions] of [
      [0, 2, [1, 2]],
      [1, 3, [2, 3]],
      [2, 2, []],
      [0, 0, []],
      [3, 9, [4]],
      [3, 1, []],
    ] as const) {
      const { documents } = await log.session.load([above(user('u1'), after, upTo)]);
      same([documents[0]?.head, documents[0]?.events.map(({ version }) => version)], [4, versions]);
    }
  }),

  onLog(4, 'what a fold needs of an event is what was stored', async (log) => {
    const facts = { type: 'REGISTERED', schemaVersion: 4, json: '{"name":"Ann"}' };
    const unchecked = { type: 'REGISTERED', schemaVersion: 0, json: '{}' };
    const attachments = [user('u1')];
    await log.append(commit('c1', event('NOTED'), { time: START + 9 }));
    // The decision's time, which may be before that of the commit before it.
    const made = [
      { ...facts, attachments },
      { ...unchecked, attachments },
    ];
    await log.append(commit('c2', made, { time: START + 3 }));
    const { documents } = await log.session.load([above(user('u1'), 0)]);
    const events = [
      { ...facts, version: 1, position: 2, time: START + 3 },
      { ...unchecked, version: 2, position: 3, time: START + 3 },
    ];
    same(
      documents.map(({ head, events }) => ({ head, events })),
      [{ head: 2, events }],
    );
  }),

  onLog('contract', 'answers are in the order of the requests, the same document twice included', async (log) => {
    await fivePositions(log);
    const { documents, end } = await log.session.load([
      above(service('s1'), 1),
      above(user('unknown'), 0),
      above(user('u1'), 0),
      above(service('s1'), 0),
      above(order('u1'), 0),
    ]);
    same(each(documents, 'head'), [3, 0, 4, 3, 0]);
    same(
      documents.map(({ events }) => each(events, 'position')),
      [[3, 5], [], U1, S1, []],
    );
    same([end.position, end.hash], [log.end.position, log.end.hash]);
    same(await log.session.load([]), { end, holds: true, generation: log.generation, documents: [] });
  }),

  onLog(
    'contract',
    'a document is called in a load what scans call it, and nothing if it has no event',
    async (log) => {
      await fivePositions(log);
      const { named } = await log.session.scan({ limit: 10, known: () => false });
      const numbers = new Map(named.map(({ collection, id, document }) => [`${collection} ${id}`, document]));
      const requests = [above(service('s1'), 3), above(user('unknown'), 0), above(user('u1'), 0, 1)];
      const called = async (asOf?: number): Promise<unknown> =>
        each((await log.session.load(requests, { asOf })).documents, 'document');
      const [s1, u1] = [numbers.get('services s1'), numbers.get('users u1')];
      assert(s1 !== undefined && u1 !== undefined && s1 !== u1);
      same(await called(), [s1, undefined, u1]);
      same(await called(1), [undefined, undefined, u1]);
    },
  ),

  onLog('contract', 'a thousand documents may be loaded at once', async (log) => {
    await log.append(commit('c1', event('NOTED', ...range(1, 1000).map((n) => user(`u${n}`)))));
    const requests = range(1, 2000).map((n) => above(user(`u${n}`), 0));
    const { documents } = await log.session.load(requests);
    same(
      documents.map(({ head, events }) => head + events.length),
      requests.map((_, index) => (index < 1000 ? 2 : 0)),
    );
  }),

  onLog(4, 'asOf answers as the log was at that position, within a commit too', async (log) => {
    await fivePositions(log);
    const now = (await log.session.load([])).end;
    for (const asOf of range(0, 8)) {
      const requests = [above(user('u1'), 0), above(service('s1'), 1, 2), above(order('o'), 0)];
      const { documents, end } = await log.session.load(requests, { asOf });
      const then = (positions: readonly number[]) => positions.filter((position) => position <= asOf);
      same(each(documents, 'head'), [then(U1).length, then(S1).length, 0], `heads as of ${asOf}`);
      same(
        documents.map(({ events }) => each(events, 'position')),
        [then(U1), then(S1).slice(1, 2), []],
        `events as of ${asOf}`,
      );
      // The end is that of the log as it is: what the answer was read at.
      same(end, now);
    }
  }),

  onLog(4, 'a load is bounded, and goes on at the same point while others append', async (log) => {
    const [session, writer] = await log.sessions(2);
    const documents = [user('long'), user('short'), service('long')];
    const sizes = [6_000, 10, 5_000];
    await log.append([
      ...range(1, 6).map((n) =>
        commit(
          `u${n}`,
          range(1, 1000).map(() => event('NOTED', user('long'))),
        ),
      ),
      commit(
        'few',
        range(1, 10).map(() => event('NOTED', user('short'))),
      ),
      ...range(1, 5).map((n) =>
        commit(
          `s${n}`,
          range(1, 1000).map(() => event('NOTED', service('long'))),
        ),
      ),
    ]);
    const found = documents.map((): number[] => []);
    let asOf: number | undefined;
    for (let page = 0; found.some((versions, index) => versions.length < sizes[index]!); page++) {
      assert(page < 50, 'the load makes no progress');
      const left = 11_010 - found.flat().length;
      const requests = documents.map((ref: DocumentRef, index) => above(ref, found[index]!.length));
      const loaded = await session!.load(requests, { asOf });
      asOf ??= loaded.end.position;
      const count = loaded.documents.reduce((sum, { events }) => sum + events.length, 0);
      // In the order of the requests: each page is full but for the last, and a document gets what those before it leave.
      same(count, Math.min(LOAD_EVENTS_MAX, left));
      same(each(loaded.documents, 'head'), sizes);
      loaded.documents.forEach(({ events }, index) => found[index]!.push(...events.map(({ version }) => version)));
      await log.append(commit(`more-${page}`, event('NOTED', ...documents)), { by: writer! });
    }
    same(
      found,
      sizes.map((size) => range(1, size)),
    );
  }),
];
