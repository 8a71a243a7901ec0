/**
 * What is made of a log's events is stored only in a log that holds them: after a failover, or a restore of an older backup, a
 * connection may lead to another history while something is made.
 */
import { PLACE_MARK } from '../../../store/store.ts';
import type { AttachedPage, LogPoint } from '../../../store/store.ts';
import { commit, event, GENESIS, range, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { same } from '../plain.ts';
import { addIndex, addKeying, attach } from '../registered.ts';
import { document, entry, gone, pointOf, TestSet, type Stepping } from '../sets.ts';

/** Three commits, of one, three and two events; and where each ends. */
async function threeCommits(log: TestLog): Promise<readonly [LogPoint, LogPoint, LogPoint]> {
  const generation = log.generation + 1;
  const ends: LogPoint[] = [];
  for (const [n, count] of [1, 3, 2].entries()) {
    const events = range(1, count).map(() => event('NOTED', user('u1')));
    ends.push(pointOf((await log.append(commit(`c${n}`, events), { generation })).end));
  }
  return ends as [LogPoint, LogPoint, LogPoint];
}

/** Points that this log doesn't hold: of another history, beyond the end, and within a commit. */
function unheld([first, second, third]: readonly [LogPoint, LogPoint, LogPoint]): readonly LogPoint[] {
  return [
    { position: third.position, hash: 'ab'.repeat(32) },
    { position: third.position, hash: second.hash },
    { position: third.position, hash: GENESIS.hash },
    { position: third.position + 1, hash: third.hash },
    { position: 1_000_000, hash: third.hash },
    { position: third.position - 1, hash: third.hash },
    { position: third.position - 1, hash: second.hash },
    { position: second.position, hash: first.hash },
  ];
}

export const madeSeenCases = [
  onLog(9, 'a step from events that the log doesn’t hold is diverged, and stores nothing', async (log) => {
    const { number } = TestSet.of(log);
    const index = await addIndex(log.session, number, { state: 'live' });
    const set = new TestSet(log, number, log.generation + 1);
    await set.advance([document('a')], { added: [entry(index, 'k1', 'a')] });
    const ends = await threeCommits(log);
    const [first, second] = ends;
    await set.advance([document('a', 2)], { to: first });
    const contents = async () => [
      await set.page({ limit: 10 }),
      await set.page({ index, limit: 10 }),
      await log.session.registry(),
    ];
    const before = await contents();
    const isDiverged = async (stepping: Stepping): Promise<void> => {
      const entries = { dropped: [gone(index, 'k1')], added: [entry(index, 'k2', 'b')] };
      const documents = [document('a', 9), document('b')];
      same(await set.send(documents, { ...entries, ...stepping }), 'diverged', JSON.stringify(stepping));
      same(await contents(), before);
    };
    for (const seen of unheld(ends)) {
      await isDiverged({ seen, to: second });
      // Wherever it comes to: also where it stays, within a commit, and with a mark.
      await isDiverged({ seen, to: first });
      await isDiverged({ seen, to: { position: second.position - 1, hash: first.hash } });
      await isDiverged({ seen, to: { position: first.position, hash: PLACE_MARK + 'ab'.repeat(16) } });
      // And whatever else would keep it back.
      await isDiverged({ seen, to: second, generation: 0 });
      await isDiverged({ seen, to: second, from: second });
    }
    await isDiverged({ seen: { position: 0, hash: first.hash }, to: GENESIS });
    // Of events that come after what its maker has seen.
    await isDiverged({ seen: GENESIS, to: second });
    await isDiverged({ seen: first, to: second });
    await set.advance([document('a', 3)], { to: second, seen: second });
  }),

  onLog(
    9,
    'a step is stored by any end of the log that its maker has seen, at or after where it comes to',
    async (log) => {
      const set = new TestSet(log, TestSet.of(log).number, log.generation + 1);
      await set.advance([document('a')], { generation: log.generation, seen: GENESIS, to: GENESIS });
      await addIndex(log.session, set.number, { state: 'live' });
      const [first, second, third] = await threeCommits(log);
      const marked = { position: 0, hash: PLACE_MARK + 'ab'.repeat(16) };
      const within = { position: 2, hash: first.hash };
      await set.advance([document('a', 2)], { to: marked, seen: third });
      await set.advance([document('a', 3)], { to: first, seen: first });
      await set.advance([document('a', 4)], { to: within, seen: second });
      await set.advance([document('a', 5)], { to: second, seen: third });
      same((await set.page({ limit: 10 })).documents, [document('a', 5)]);
    },
  ),

  onLog(9, 'a page of events that the log doesn’t hold is attached to nothing', async (log) => {
    await addKeying(log.session, 'rooms');
    const ends = await threeCommits(log);
    const [first, second, third] = ends;
    const rooms = { keying: 'rooms', attachments: [{ position: 1, type: 'NOTED', ids: ['a'] }] };
    const isDiverged = (page: Partial<AttachedPage> & Pick<AttachedPage, 'to' | 'seen'>) =>
      log.unchangedBy(async () =>
        same(await attach(log.session, { ...rooms, ...page }), 'diverged', JSON.stringify(page)),
      );
    for (const seen of unheld(ends)) {
      await isDiverged({ seen, to: 1 });
      await isDiverged({ seen, to: third.position, live: true });
      // And whatever else would keep it back.
      await isDiverged({ seen, to: 1, generation: 0 });
      await isDiverged({ seen, to: 2, from: 1 });
      await isDiverged({ seen, to: 1, keying: 'unknown' });
    }
    await isDiverged({ seen: first, to: 2 });
    await isDiverged({ seen: GENESIS, to: 1 });
    await isDiverged({ seen: third, to: third.position + 1 });
    same(await attach(log.session, { ...rooms, to: 1, seen: first }), 'stored');
    same(await attach(log.session, { keying: 'rooms', from: 1, to: 3, seen: second }), 'stored');
    same(await attach(log.session, { keying: 'rooms', from: 3, to: third.position, live: true }), 'stored');
    same(await log.head({ collection: 'rooms', id: 'a' }), 1);
  }),

  onLog(4, 'a page whose ids were found by another generation is attached to nothing', async (log) => {
    const { generation, keyings } = await addKeying(log.session, 'rooms');
    await threeCommits(log);
    const page = { keying: 'rooms', to: 2, attachments: [{ position: 1, type: 'NOTED', ids: ['a'] }] };
    const isBehind = (more: Partial<AttachedPage>) =>
      log.unchangedBy(async () =>
        same(await attach(log.session, { ...page, ...more }), 'behind', JSON.stringify(more)),
      );
    for (const other of [0, generation - 1, generation + 1]) await isBehind({ generation: other });
    // Its key has another place for ids, or one more event type: it finds others.
    const keying = { ...keyings.find(({ name }) => name === 'rooms')!, key: { types: { NOTED: ['b'] } } };
    await log.session.change(({ last }) => ({ raises: true, last, keyings: [keying] }));
    await isBehind({ generation });
    await isBehind({ generation, from: 1 });
    same(await attach(log.session, { ...page, generation: generation + 1 }), 'stored');
    // What raises nothing keeps nobody back.
    await log.session.change(({ last }) => ({ raises: false, last: last + 1 }));
    same(
      await attach(log.session, { keying: 'rooms', generation: generation + 1, from: 2, to: 6, live: true }),
      'stored',
    );
    same(await log.head({ collection: 'rooms', id: 'a' }), 1);
  }),
];
