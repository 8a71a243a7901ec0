/**
 * Filling an index while its set moves on: in pages by the documents' ids, one filler after the other.
 */
import assert from 'node:assert/strict';
import { setImmediate as pause } from 'node:timers/promises';
import type { Index, Locked, Session, StoredDocument } from '../../../store/store.ts';
import { commit, event, GENESIS, range } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';
import { addIndex } from '../registered.ts';
import { above, document, entry, gone, key, TestSet, type Entry } from '../sets.ts';

class Abandoned extends Error {}

/** The users, and an index that is to be filled. */
async function filling(log: TestLog, count: number): Promise<{ readonly set: TestSet; readonly index: number }> {
  const set = TestSet.of(log);
  await set.moveOn(range(1, count).map((n) => document(`d${n}`)));
  const index = await addIndex(log.session, set.number, { state: 'filling' });
  set.generation += 1;
  return { set, index };
}

async function registered(session: Session, index: number): Promise<Index | undefined> {
  return (await session.registry()).indexes.find(({ number }) => number === index);
}

/** The key that the documents of these cases have: their versions, then their ids. */
const keyOf = ({ id, version }: { readonly id: string; readonly version: number }): string =>
  `${String(version).padStart(4, '0')} ${id}`;

const entriesOf = (documents: readonly StoredDocument[]): Entry[] => documents.map((one) => [one.id, key(keyOf(one))]);

/** Fills the next page of an index: what there is above `filled`, and then it is live. */
async function fillNext(by: Locked, set: TestSet, index: number, limit = 2): Promise<boolean> {
  const { filled } = (await by.registry()).indexes.find(({ number }) => number === index)!;
  const from = filled === undefined ? undefined : above(key(filled));
  const { documents, more } = await set.page({ from, limit }, by);
  // Others have their turn: whoever can, comes between now.
  await pause();
  const entries = documents.map((one) => entry(index, keyOf(one), one.id));
  return by.fillIndex({ index, from: filled, to: documents.at(-1)?.id ?? filled, entries, live: !more });
}

export const indexFillingCases = [
  onLog('contract', 'an index is filled page by page, and asked for when it is live', async (log) => {
    const { set, index } = await filling(log, 5);
    const other = await log.open();
    const ask = () => other.stored({ set: set.number, index, limit: 9 });
    const { generation } = await log.session.registry();
    for (const filled of ['d2', 'd4']) {
      same(await ask(), undefined);
      same(await log.session.exclusive((by) => fillNext(by, set, index)), true);
      const { state, filled: reached } = (await registered(other, index))!;
      same([state, reached, (await other.registry()).generation], ['filling', filled, generation]);
    }
    same(await log.session.exclusive((by) => fillNext(by, set, index)), true);
    const { state, filled } = (await registered(other, index))!;
    same([state, filled, (await other.registry()).generation], ['live', undefined, generation + 1]);
    same(each((await ask())!.documents, 'id'), ['d1', 'd2', 'd3', 'd4', 'd5']);
    // Steps by what was before are behind: they had no need to know.
    same(await set.send([document('d1', 2)]), 'behind');
    set.generation = generation + 1;
    await set.advance([document('d1', 2)], {
      dropped: [gone(index, '0001 d1')],
      added: [entry(index, '0002 d1', 'd1')],
    });
    same(each(await set.all({ index }), 'id'), ['d2', 'd3', 'd4', 'd5', 'd1']);
    same(await log.session.check(), []);
  }),

  onLog('contract', 'an index of no documents is filled at once', async (log) => {
    const set = TestSet.of(log);
    const index = await addIndex(log.session, set.number, { state: 'filling' });
    same(await log.session.exclusive((by) => fillNext(by, set, index)), true);
    same([(await registered(log.session, index))?.state, await set.all({ index })], ['live', []]);
  }),

  onLog('contract', 'an index is filled only from where it is, and nothing is stored otherwise', async (log) => {
    const { set, index } = await filling(log, 5);
    const fill = (from: string | undefined, facts: Partial<Parameters<Locked['fillIndex']>[0]> = {}) =>
      log.session.exclusive((by) =>
        by.fillIndex({ index, from, to: 'z', entries: [entry(index, 'wrong', 'd1')], live: true, ...facts }),
      );
    await log.unchangedBy(async () => {
      for (const from of ['', 'd1', 'z']) same(await fill(from), false);
      same(await fill(undefined, { index: 999 }), false);
    });
    same(await log.session.exclusive((by) => fillNext(by, set, index)), true);
    await log.unchangedBy(async () => {
      for (const from of [undefined, 'd1', 'd', 'D2', 'd2 ', 'd3']) same(await fill(from), false);
    });
    for (const _ of [1, 2]) same(await log.session.exclusive((by) => fillNext(by, set, index)), true);
    await log.unchangedBy(async () => {
      for (const from of [undefined, 'd2', 'd5']) same(await fill(from), false);
    });
    same(each(await set.all({ index }), 'id'), ['d1', 'd2', 'd3', 'd4', 'd5']);
  }),

  onLog('contract', 'what was filled in a section that failed isn’t', async (log) => {
    const { set, index } = await filling(log, 3);
    await log.unchangedBy(() =>
      assert.rejects(
        log.session.exclusive(async (by) => {
          same(await fillNext(by, set, index, 9), true);
          throw new Abandoned();
        }),
        Abandoned,
      ),
    );
    same(await log.session.exclusive((by) => fillNext(by, set, index, 9)), true);
    same(each(await set.all({ index }), 'id'), ['d1', 'd2', 'd3']);
  }),

  onLog(
    'contract',
    'an index that is being filled takes the entries of steps, ahead of and behind where it is',
    async (log) => {
      const { set, index } = await filling(log, 4);
      same(await log.session.exclusive((by) => fillNext(by, set, index)), true);
      const moved = ['d1', 'd4', 'd0', 'd9'].map((id) => document(id, id < 'd5' && id > 'd0' ? 2 : 1));
      await set.moveOn(moved, {
        dropped: [gone(index, '0001 d1'), gone(index, '0001 d4')],
        added: moved.map((one) => entry(index, keyOf(one), one.id)),
      });
      // The page begins with what is stored already.
      while ((await registered(log.session, index))?.state === 'filling')
        same(await log.session.exclusive((by) => fillNext(by, set, index)), true);
      await set.hasEntries(index, entriesOf(await set.all()));
    },
  ),

  onLog(
    6,
    'an index that several servers fill, while others move its set on, has what its documents have',
    async (log) => {
      const { set, index } = await filling(log, 40);
      const [first, second, ...movers] = await log.sessions(4);
      const { generation } = await log.session.registry();
      const racing = { over: false };
      let steps = 0;
      const fill = async (by: Session): Promise<number> => {
        let pages = 0;
        for (; ; await pause()) {
          // Filled in one go, the index would never see its set move.
          if (pages > 0 && steps < 2) continue;
          const filled = await by.exclusive(async (locked) => {
            const { state } = (await locked.registry()).indexes.find(({ number }) => number === index)!;
            return state === 'live' ? undefined : fillNext(locked, set, index, 3);
          });
          if (filled === undefined) return pages;
          if (filled) pages += 1;
        }
      };
      const move = async (by: Session, mover: number): Promise<void> => {
        for (let n = 0; !racing.over; n += 1) {
          // By turns from the beginning, the end, and anywhere.
          const changed = [n % 40, 39 - (n % 40), (n * 17 + mover) % 40].map((at) => `d${at + 1}`);
          const { place: from, documents: before } = await set.byIds([...new Set(changed)], by);
          const answer = await log.send(commit(`m${mover}-${n}`, event('NOTED')), { generation, by, seen: GENESIS });
          if (answer.status !== 'stored') return;
          const documents = before.map(({ id, version }) => document(id, version + 1));
          const step = {
            dropped: before.map((one) => gone(index, keyOf(one))),
            added: documents.map((one) => entry(index, keyOf(one), one.id)),
          };
          const stepped = await by.advance(set.step(documents, { from, to: answer.end, generation, ...step }));
          if (stepped === 'stored') steps += 1;
          await pause();
        }
      };
      const filled = Promise.all([fill(first!), fill(second!)]).finally(() => (racing.over = true));
      const [pages] = await Promise.all([filled, ...movers.map(move)]);
      // None of them twice.
      same(pages[0]! + pages[1]!, 14);
      set.place = (await set.page({ limit: 0 })).place;
      await set.hasEntries(index, entriesOf(await set.all()));
    },
  ),
];
