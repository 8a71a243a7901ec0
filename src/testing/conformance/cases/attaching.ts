/**
 * Attaching: events that are stored are given to the documents of a keying that was registered later, page by page, while others append.
 */
import assert from 'node:assert/strict';
import { setImmediate as pause } from 'node:timers/promises';
import { PAGE_ATTACHMENTS_MAX } from '../../../store/store.ts';
import type { AttachedPage, DocumentRef, FoundIds, Keying, Session, Stepped } from '../../../store/store.ts';
import { above, at, commit, event, GENESIS, handling, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allEvents, everything, type TestLog } from '../log.ts';
import { each, same } from '../plain.ts';
import { addKeying, attach as attachTo } from '../registered.ts';

class Abandoned extends Error {}

const room = (id: string): DocumentRef => ({ collection: 'rooms', id });
const day = (id: string): DocumentRef => ({ collection: 'days', id });

/** The ids that are found in the event at a position. */
const found = (position: number, ...ids: readonly string[]): FoundIds => ({ position, type: 'NOTED', ids });

const attach = (by: Session, page: Partial<AttachedPage> & Pick<AttachedPage, 'to'>): Promise<Stepped> =>
  attachTo(by, { keying: 'rooms', ...page });

async function keyingOf(session: Session, name = 'rooms'): Promise<Keying | undefined> {
  return (await session.registry()).keyings.find((one) => one.name === name);
}

const refs = (n: number) => [...(n % 2 === 1 ? [user('u1')] : []), ...(n % 3 === 0 ? [service('s1')] : [])];

/** Six events; those at odd positions are attached to u1, and each third to s1 as well. */
async function sixEvents(log: TestLog): Promise<void> {
  await log.append([
    commit(
      'c1',
      range(1, 4).map((n) => event('NOTED', ...refs(n))),
    ),
    commit('c2', event('NOTED', ...refs(5)), { outcome: 'failed', reason: 'NO' }),
    commit('c3', event('NOTED', ...refs(6))),
  ]);
}

/** Versions and positions of a document's events. */
async function versionsOf(by: Pick<Session, 'load'>, ref: DocumentRef, asOf?: number): Promise<unknown> {
  const { documents } = await by.load([above(ref, 0)], { asOf });
  const { head, events } = documents[0]!;
  return [head, events.map(({ version, position }) => [version, position])];
}

const attachmentsOf = async (session: Session): Promise<unknown> => each(await allEvents(session), 'attachments');

/** Fills the rooms to the end, in competition with others: all events are those of one room, and of that of the odd or the even. */
async function fill(by: Session, mayEnd: () => boolean): Promise<void> {
  for (; ; await pause()) {
    const { generation, keyings } = await by.registry();
    const keying = keyings.find(({ name }) => name === 'rooms')!;
    if (keying.state === 'live') return;
    const { filled: from } = keying;
    const { events, end: seen, next } = await by.read({ after: from, limit: 7 });
    const attachments = events.map(({ position }) => found(position, 'all', position % 2 === 0 ? 'even' : 'odd'));
    await pause();
    await by.exclusive(async (locked) => {
      const { end } = await locked.load([]);
      const to = from + events.length;
      const live = next === undefined && end.position === to && mayEnd();
      return locked.attach({ keying: 'rooms', generation, from, to, seen, attachments, live });
    });
  }
}

export const attachingCases = [
  onLog(4, 'stored events get versions of the documents that they are attached to later', async (log) => {
    await sixEvents(log);
    const before = await everything(log.session);
    const { generation } = await addKeying(log.session, 'rooms');
    same(
      await attach(log.session, { to: 4, attachments: [found(1, 'b'), found(2, 'b', 'a'), found(4, 'b')] }),
      'stored',
    );
    same(await keyingOf(log.session), { ...(await keyingOf(log.session))!, state: 'filling', filled: 4 });
    same((await log.session.registry()).generation, generation);
    const page = { from: 4, to: 6, attachments: [found(5, 'c', 'b')], live: true };
    same(await attach(log.session, page), 'stored');
    const { state, filled } = (await keyingOf(log.session))!;
    same([state, filled, (await log.session.registry()).generation], ['live', 6, generation + 1]);
    for (const by of await log.sessions(2)) {
      same(await versionsOf(by, room('b')), [
        4,
        [
          [1, 1],
          [2, 2],
          [3, 4],
          [4, 5],
        ],
      ]);
      same(await versionsOf(by, room('a')), [1, [[1, 2]]]);
      same(await versionsOf(by, room('b'), 4), [
        3,
        [
          [1, 1],
          [2, 2],
          [3, 4],
        ],
      ]);
      same(await versionsOf(by, user('u1')), [
        3,
        [
          [1, 1],
          [2, 3],
          [3, 5],
        ],
      ]);
      const after = await everything(by);
      // The log is what it was, but for more attachments.
      same([after.commits, after.types, after.ledger], [before.commits, before.types, before.ledger]);
      same(
        after.documents.map(({ collection, id, head }) => `${collection} ${id} ${head}`),
        ['rooms a 1', 'rooms b 4', 'rooms c 1', 'services s1 2', 'users u1 3'],
      );
      const own = await by.read({ document: room('b'), after: 1, limit: 2 });
      same([each(own.events, 'position'), own.next], [[2, 4], 3]);
    }
    same(await log.session.check(), []);
  }),

  onLog(4, 'what was attached later comes after what was appended, by document', async (log) => {
    await sixEvents(log);
    const numbered = async () => (await log.session.scan({ limit: 10, known: () => false })).named;
    const before = await numbered();
    // Registered, and filled, in another order than that of their names.
    await addKeying(log.session, 'rooms');
    await addKeying(log.session, 'days', { collection: 'days' });
    await addKeying(log.session, 'rooms\u001f9', { collection: 'rooms' });
    const ids = ['b', '\u{1F30A}', 'ﬀ', 'a', 'B'];
    for (const keying of ['rooms', 'rooms\u001f9', 'days'])
      same(
        await attach(log.session, { keying, to: 6, attachments: [found(3, ...ids), found(6, 'z')], live: true }),
        'stored',
      );
    const inOrder = ['B', 'a', 'b', 'ﬀ', '\u{1F30A}'];
    const attached = (collection: string) => inOrder.map((id) => at({ collection, id }, 1));
    const expected = [
      [at(user('u1'), 1)],
      [],
      [at(user('u1'), 2), at(service('s1'), 1), ...['days', 'rooms', 'rooms\u001f9'].flatMap(attached)],
      [],
      [at(user('u1'), 3)],
      [
        at(service('s1'), 2),
        at({ collection: 'days', id: 'z' }, 1),
        at({ collection: 'rooms', id: 'z' }, 1),
        at({ collection: 'rooms\u001f9', id: 'z' }, 1),
      ],
    ];
    same(await attachmentsOf(log.session), expected);
    same(each(await allEvents(log.session, { reverse: true }), 'attachments'), expected.toReversed());
    // And in scans.
    const { events, named } = await log.session.scan({ limit: 10, known: () => false });
    // Documents have the numbers that they had.
    for (const one of before)
      same(
        named.find(({ document }) => document === one.document),
        one,
      );
    const names = new Map(named.map(({ document, collection, id }) => [document, { collection, id }]));
    const told = events.map(({ attachments }) =>
      attachments.flatMap((one, n) => (n % 2 === 0 ? [at(names.get(one)!, attachments[n + 1]!)] : [])),
    );
    same(told, expected);
    const loaded = await log.session.load([above(day('B'), 0)]);
    same(
      loaded.documents[0]?.document,
      named.find(({ collection, id }) => collection === 'days' && id === 'B')?.document,
    );
  }),

  onLog(4, 'events are attached only from where the keying is, and nothing is stored otherwise', async (log) => {
    await sixEvents(log);
    await addKeying(log.session, 'rooms');
    await addKeying(log.session, 'old', { state: 'retired' });
    const refused = (page: Partial<AttachedPage> & Pick<AttachedPage, 'to'>) =>
      log.unchangedBy(async () =>
        same(await attach(log.session, { attachments: [found(3, 'x')], ...page }), 'moved', JSON.stringify(page)),
      );
    await refused({ from: 1, to: 4 });
    for (const keying of ['users', 'unknown', 'old']) await refused({ keying, to: 4 });
    // Live before the end of the log.
    await refused({ to: 5, live: true });
    same(await attach(log.session, { to: 3, attachments: [found(3, 'x')] }), 'stored');
    for (const from of [0, 2, 4]) await refused({ from, to: 6, attachments: [found(6, 'x')] });
    same(await attach(log.session, { from: 3, to: 6, live: true }), 'stored');
    for (const from of [3, 6]) await refused({ from, to: 6, attachments: [found(6, 'x')] });
    same(await versionsOf(log.session, room('x')), [1, [[1, 3]]]);
  }),

  onLog(4, 'a keying of a log without events is live at once', async (log) => {
    const { generation } = await addKeying(log.session, 'rooms');
    same(await attach(log.session, { to: 0, live: true }), 'stored');
    same([(await keyingOf(log.session))?.state, (await log.session.registry()).generation], ['live', generation + 1]);
    await log.append(commit('c1', event('NOTED', room('a'))), { generation: generation + 1 });
    same(await versionsOf(log.session, room('a')), [1, [[1, 1]]]);
  }),

  onLog(4, 'others append while events are attached, and attach their own once the keying is live', async (log) => {
    await sixEvents(log);
    const { generation } = await addKeying(log.session, 'rooms');
    const other = await log.open();
    for (const filled of range(0, 5)) {
      const note = commit(`d${filled}`, [event('NOTED', user('u2')), event('NOTED', user('u1'))]);
      await log.append(note, { by: other, generation });
      same(
        await attach(log.session, { from: filled, to: filled + 1, attachments: [found(filled + 1, 'a')] }),
        'stored',
      );
    }
    // It isn't at the end yet.
    same(await attach(log.session, { from: 6, to: 17, live: true }), 'moved');
    const attachments = range(7, 18).map((n) => (n % 2 === 0 ? found(n, 'a') : found(n, 'b', 'a')));
    same(await attach(log.session, { from: 6, to: 18, attachments, live: true }), 'stored');
    // Whoever doesn't know it yet would leave it out.
    const batch = commit('e', event('NOTED', room('b'), user('u1'), room('a')));
    same((await log.send(batch, { by: other, generation })).status, 'behind');
    const { versions } = await log.append(batch, { by: other, generation: generation + 1 });
    same(versions, [7, 10, 19]);
    same(await versionsOf(other, room('a')), [19, range(1, 19).map((n) => [n, n])]);
    same(each(await allEvents(log.session), 'position'), range(1, 19));
    same(await log.session.check(), []);
  }),

  onLog(5, 'events that were attached later make a document stale', async (log) => {
    await sixEvents(log);
    await addKeying(log.session, 'rooms');
    await attach(log.session, { to: 6, attachments: [found(2, 'a'), found(4, 'a')], live: true });
    const generation = log.generation + 2;
    const sending = { generation, handled: handling({ rooms: ['NOTED'] }) };
    const { stale, heads } = await log.refuse(commit('d1', event('NOTED')), { ...sending, reads: [at(room('a'), 1)] });
    same([heads, stale.map(({ id, head, events }) => [id, head, each(events, 'position')])], [[2], [['a', 2, [4]]]]);
    same((await log.send(commit('d2', event('NOTED')), { ...sending, reads: [at(room('a'), 3)] })).status, 'diverged');
    await log.append(commit('d3', event('NOTED')), { ...sending, reads: [at(room('a'), 2)] });
  }),

  onLog(2, 'what was attached in a section that failed isn’t', async (log) => {
    await sixEvents(log);
    const { generation } = await addKeying(log.session, 'rooms');
    await log.unchangedBy(() =>
      assert.rejects(
        log.session.exclusive(async (by) => {
          const page = { keying: 'rooms', from: 0, to: 6, attachments: [found(2, 'a'), found(6, 'b')], live: true };
          same(await by.attach({ ...page, generation, seen: log.end }), 'stored');
          throw new Abandoned();
        }),
        Abandoned,
      ),
    );
    same(await attach(log.session, { to: 6, attachments: [found(2, 'a')], live: true }), 'stored');
    same(await versionsOf(log.session, room('a')), [1, [[1, 2]]]);
  }),

  onLog(3, 'nobody sees what is attached before its section is over', async (log) => {
    await sixEvents(log);
    const { generation } = await addKeying(log.session, 'rooms');
    const other = await log.open();
    const before = await everything(other);
    await log.session.exclusive(async (by) => {
      const page = { keying: 'rooms', from: 0, to: 6, attachments: [found(2, 'a')], live: true };
      same(await by.attach({ ...page, generation, seen: log.end }), 'stored');
      same(await everything(other), before);
      same(await versionsOf(other, room('a')), [0, []]);
    });
    same(await versionsOf(other, room('a')), [1, [[1, 2]]]);
  }),

  onLog(
    4,
    'several servers fill one keying while others append, and no event is left out or attached twice',
    async (log) => {
      await sixEvents(log);
      const [first, second, writer] = await log.sessions(3);
      const { generation } = await addKeying(log.session, 'rooms');
      let appended = 0;
      const write = async (): Promise<void> => {
        for (let n = 0; n < 30; n += 1) {
          const answer = await log.send(commit(`d${n}`, event('NOTED', user('u1'))), { by: writer!, generation });
          if (answer.status === 'behind') return;
          appended += 1;
          await pause();
        }
      };
      const mayEnd = (): boolean => appended > 2;
      await Promise.all([fill(first!, mayEnd), fill(second!, mayEnd), write()]);
      const { position } = log.end;
      same(await versionsOf(log.session, room('all')), [position, range(1, position).map((n) => [n, n])]);
      const even = range(1, Math.floor(position / 2)).map((n) => [n, 2 * n]);
      same(await versionsOf(log.session, room('even')), [even.length, even]);
      same(await log.session.check(), []);
    },
  ),

  onLog('contract', 'what was attached later counts where a page’s attachments are bounded', async (log) => {
    const events = range(1, 30).map(() => event('NOTED', user('u1')));
    await log.append(commit('c1', events));
    await addKeying(log.session, 'rooms');
    const ids = range(1, 999).map((n) => `r${n}`);
    for (const n of range(1, 30))
      same(
        await attach(log.session, { from: n - 1, to: n, attachments: [found(n, ...ids)], live: n === 30 }),
        'stored',
      );
    const counts: number[] = [];
    let next: number | undefined = 0;
    while (next !== undefined) {
      const page = await log.session.read({ after: next, limit: 100 });
      counts.push(page.events.reduce((sum, { attachments }) => sum + attachments.length, 0));
      const scanned = await log.session.scan({ after: next, limit: 100, known: () => true });
      same(
        scanned.events.map(({ attachments }) => attachments.length / 2),
        page.events.map(({ attachments }) => attachments.length),
      );
      ({ next } = page);
    }
    same(counts, [PAGE_ATTACHMENTS_MAX, PAGE_ATTACHMENTS_MAX, PAGE_ATTACHMENTS_MAX]);
    same(await versionsOf(log.session, room('r999')), [30, range(1, 30).map((n) => [n, n])]);
    same((await log.session.documents({ limit: 1_000 })).length, 1_000);
    log.end = GENESIS;
  }),
];
