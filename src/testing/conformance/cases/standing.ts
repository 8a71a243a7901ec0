/**
 * Each commit of a batch stands or falls alone: why a commit falls, which commits fall with it, and what remains.
 *
 * Most batches here read two services: row 0 is stale, row 1 is not.
 */
import { CLOCK_AHEAD_MAX_MS, type Batch, type Commit } from '../../../store/store.ts';
import { at, commit, event, notFinal, order, range, service, START, user } from '../batches.ts';
import { onClockedLog, onLog } from '../case.ts';
import { expectedChain } from '../evidence.ts';
import { allEvents, type TestLog } from '../log.ts';
import { each, same, throwsCode } from '../plain.ts';

/** Two services, of which the first has changed since it was read. */
async function staleAndFresh(log: TestLog): Promise<Batch['reads']> {
  await log.append([commit('s1', event('CREATED', service('s1'))), commit('s2', event('CREATED', service('s2')))]);
  await log.append(commit('moved', event('BOUGHT', service('s1'))));
  return [at(service('s1'), 1), at(service('s2'), 1)];
}

const noted = (id: string, reads: readonly number[]): Commit => commit(id, event('NOTED'), { reads });
/** Rests on what is stale. */
const falling = (id: string, ...on: Parameters<typeof event>): Commit => commit(id, event(...on), { reads: [0] });

/** Two events on one document, one of them on another as well. */
const bought = (id: string, rows: readonly number[]): Commit =>
  commit(id, [event('NOTED', user('u1')), event('NOTED', user('u1'), order('o1'))], { reads: rows });

const ids = async (log: TestLog): Promise<string[]> =>
  (await log.session.commits({ after: 3, limit: 100 })).map(({ command }) => command.id);

export const standingCases = [
  onLog(5, 'a commit falls that rests on what is stale, and no other', async (log) => {
    const reads = await staleAndFresh(log);
    const commits = [noted('a', [1]), noted('b', [0]), noted('c', []), noted('d', [1, 0])];
    const { stale, duplicates, fell, heads } = await log.appendPart(commits, { reads });
    same([fell, duplicates, heads], [['b', 'd'], [], [2, 1]]);
    same(
      stale.map(({ id, head, events }) => [id, head, each(events, 'type')]),
      [['s1', 2, ['BOUGHT']]],
    );
    same(await ids(log), ['a', 'c']);
  }),

  onLog(5, 'what builds on a commit that fell falls with it, however long the way', async (log) => {
    const reads = [...(await staleAndFresh(log)), at(user('u1'), 0), at(user('u2'), 0)];
    const commits = [
      falling('a', 'CREATED', service('s2')),
      commit('b', event('REGISTERED', user('u1')), { reads: [1] }),
      commit('c', event('BOUGHT', user('u2')), { reads: [2] }),
      noted('d', [3]),
      noted('e', []),
    ];
    same((await log.appendPart(commits, { reads })).fell, ['a', 'b', 'c', 'd']);
  }),

  onLog(5, 'what came before a commit that fell stands', async (log) => {
    const reads = await staleAndFresh(log);
    const commits = [
      commit('a', event('BOUGHT', service('s2')), { reads: [1] }),
      falling('b', 'BOUGHT', service('s2')),
      noted('c', [1]),
    ];
    const { fell, versions, heads } = await log.appendPart(commits, { reads });
    same([fell, versions, heads], [['b', 'c'], [2], [2, 1]]);
  }),

  onLog(5, 'an event that its document doesn’t handle makes no commit fall', async (log) => {
    const reads = [...(await staleAndFresh(log)), at(user('u1'), 0)];
    // Users handle what is bought, and services don’t handle who is registered.
    const commits = [
      commit('a', [event('NOTED', service('s2'), user('u1')), event('REGISTERED', service('s2'))], { reads: [0] }),
      noted('b', [1]),
      noted('c', [2]),
    ];
    same((await log.appendPart(commits, { reads })).fell, ['a']);
  }),

  onLog(5, 'what builds on a commit that falls also falls, whatever its outcome and the reason', async (log) => {
    const reads = [...(await staleAndFresh(log)), at(user('u1'), 0), at(user('u2'), 0)];
    await log.append(commit('again', event('NOTED')));
    const commits = [
      commit('again', event('BOUGHT', user('u1')), { reads: [] }),
      noted('b', [2]),
      commit('c', event('BOUGHT', user('u2')), { reads: [0], outcome: 'failed', reason: 'R', final: false }),
      noted('d', [3]),
      noted('e', [1]),
    ];
    const { fell, duplicates } = await log.appendPart(commits, { reads });
    same([fell, duplicates], [['again', 'b', 'c', 'd'], ['again']]);
  }),

  onLog(
    5,
    'every duplicate and every stale document is named, also where a commit falls for another reason',
    async (log) => {
      const reads = await staleAndFresh(log);
      await log.append([commit('again', event('NOTED')), notFinal('once')]);
      const commits = [falling('a', 'CREATED', service('s2')), noted('again', [0, 1]), noted('once', [])];
      const { fell, duplicates, stale } = await log.appendPart(commits, { reads });
      same([fell, duplicates, each(stale, 'id')], [['a', 'again'], ['again'], ['s1']]);
      // No commit rests on it, but it is stale.
      const { stale: told } = await log.append(noted('f', [1]), { reads });
      same(each(told, 'id'), ['s1']);
    },
  ),

  onLog(4, 'a commit that attaches without reading stands, and takes the next version', async (log) => {
    const reads = [...(await staleAndFresh(log)), at(user('u1'), 0)];
    const commits = [
      falling('a', 'REGISTERED', user('u1')),
      commit('b', event('BOUGHT', user('u1'), service('s1')), { reads: [] }),
      noted('c', [2]),
    ];
    const { fell, versions } = await log.appendPart(commits, { reads });
    // A read from before stays stale.
    same(
      [fell, versions],
      [
        ['a', 'c'],
        [1, 3],
      ],
    );
  }),

  onLog(4, 'versions are counted over what stands', async (log) => {
    const reads = await staleAndFresh(log);
    const { versions, commits, end } = await log.appendPart(
      [bought('a', [0]), bought('b', []), bought('c', [0]), bought('d', [1])],
      { reads },
    );
    same(versions, [1, 2, 1, 3, 4, 2]);
    same([commits.map((at) => at?.position), end.position], [[undefined, 4, undefined, 6], 7]);
    same(
      (await allEvents(log.session)).slice(3).map(({ position, attachments }) => [position, attachments.length]),
      [
        [4, 1],
        [5, 2],
        [6, 1],
        [7, 2],
      ],
    );
    same([await log.head(user('u1')), await log.head(order('o1'))], [4, 2]);
  }),

  onLog(2, 'a commit that falls leaves nothing behind: no entry, document or type', async (log) => {
    const reads = await staleAndFresh(log);
    const commits = [
      falling('a', 'NEVER', order('never')),
      commit('b', event('NOTED', order('o1')), { reads: [] }),
      falling('c', 'NEVER', order('never')),
    ];
    await log.appendPart(commits, { reads });
    same(await log.session.ledger(['a', 'c']), []);
    same(
      (await log.session.documents({ limit: 10 })).map(({ id, head }) => `${id} ${head}`),
      ['o1 1', 's1 2', 's2 1'],
    );
    same(each(await log.session.types({ limit: 10 }), 'type'), ['CREATED', 'BOUGHT', 'NOTED']);
    same((await log.append(commit('a', event('NEVER', order('never'))))).versions, [1]);
    same(await log.session.check(), []);
  }),

  onClockedLog(9, 'the chain and the times are those of what stands', async (log) => {
    const reads = await staleAndFresh(log);
    const before = [
      commit('s1', event('CREATED', service('s1'))),
      commit('s2', event('CREATED', service('s2'))),
      commit('moved', event('BOUGHT', service('s1'))),
    ];
    const stands = [commit('b', event('NOTED'), { reads: [1], time: START + 2 }), noted('d', [])];
    const { commits, end } = await log.appendPart(
      [
        commit('a', [event('NOTED'), event('NOTED')], { reads: [0], time: START + 50 }),
        stands[0]!,
        commit('c', event('NOTED'), { reads: [0], time: START + 60 }),
        stands[1]!,
      ],
      { reads },
    );
    const links = expectedChain([...before, ...stands]).slice(3);
    same(commits, [undefined, links[0], undefined, links[1]]);
    same([end.hash, end.recordedAt], [links[1]!.hash, START + 2]);
    same(each(await log.session.commits({ after: 3, limit: 9 }), 'hash'), each(links, 'hash'));
  }),

  onLog(
    'contract',
    'a clock that is ahead is an error where the commit stands, and of nobody that falls',
    async (log) => {
      const reads = await staleAndFresh(log);
      const late = Date.now() + CLOCK_AHEAD_MAX_MS + 60_000;
      const ahead = (rows: readonly number[]): Commit => commit('late', event('NOTED'), { reads: rows, time: late });
      await log.unchangedBy(() => throwsCode('ClockAhead', log.send([noted('b', [1]), ahead([1])], { reads })));
      await log.unchangedBy(() => throwsCode('ClockAhead', log.send([noted('b', [0]), ahead([1])], { reads })));
      same((await log.appendPart([noted('b', [1]), ahead([0])], { reads })).fell, ['late']);
      await log.append(commit('again', event('NOTED')));
      const again = commit('again', event('NOTED'), { reads: [], time: late });
      same((await log.appendPart([noted('c', [1]), again], { reads })).fell, ['again']);
    },
  ),

  onLog(1, 'a duplicate between other commits makes none of them fall', async (log) => {
    await log.append(commit('again', event('NOTED')));
    const batch = ['a', 'again', 'b'].map((id) => commit(id, event('NOTED', user('u1')), { reads: [] }));
    const { fell, versions, commits } = await log.appendPart(batch);
    same([fell, versions, commits.map((at) => at?.position)], [['again'], [1, 2], [2, undefined, 3]]);
  }),

  onLog(1, 'a batch that was stored in part is stored once, whenever it comes again', async (log) => {
    const reads = await staleAndFresh(log);
    const { end: seen } = log;
    const batch = [
      commit('a', event('BOUGHT', service('s2')), { reads: [1] }),
      noted('b', [0]),
      commit('c', event('BOUGHT', user('u1')), { reads: [] }),
      noted('d', [1]),
    ];
    same((await log.appendPart(batch, { reads, seen })).fell, ['b']);
    const again = await log.unchangedBy(() => log.refuse(batch, { reads, seen }));
    same(again.duplicates, ['a', 'c', 'd']);
    // When the commits that fell are decided again, they are stored too.
    const { fell, duplicates } = await log.appendPart([noted('b', [0]), batch[2]!, batch[3]!], {
      reads: [at(service('s1'), 2), at(service('s2'), 2)],
    });
    same(
      [fell, duplicates],
      [
        ['c', 'd'],
        ['c', 'd'],
      ],
    );
  }),

  onLog(7, 'all this is so under the lock too', async (log) => {
    const reads = await staleAndFresh(log);
    await log.session.exclusive(async (by) => {
      const part = [falling('a', 'BOUGHT', service('s2')), noted('b', [1]), noted('c', [])];
      same((await log.appendPart(part, { reads, by })).fell, ['a', 'b']);
      const again = [at(service('s1'), 2), at(service('s2'), 1)];
      same((await log.append([part[0]!, part[1]!], { reads: again, by })).versions, [2]);
    });
    same(await ids(log), ['c', 'a', 'b']);
  }),

  onLog(5, 'a chain of a thousand commits falls with its first, and nobody beside it', async (log) => {
    const reads = [...(await staleAndFresh(log)), ...range(0, 1_023).map((n) => at(user(`u${n}`), 0))];
    const chain = range(0, 1_023).map((n) =>
      commit(`chain-${n}`, event('BOUGHT', user(`u${n}`)), { reads: [n === 0 ? 0 : n + 1] }),
    );
    const { fell, commits } = await log.appendPart([noted('a', [1]), ...chain, noted('z', [])], { reads });
    same([fell.length, commits[0]?.position, commits.at(-1)?.position], [1_024, 4, 5]);
  }),

  onLog('contract', 'a place that isn’t valid in what a commit rests on is an error of the caller', async (log) => {
    const reads = await staleAndFresh(log);
    for (const rows of [[2], [-1], [0.5], [Number.NaN], [1, 1]]) {
      await log.unchangedBy(() => throwsCode('InvalidInput', log.send([noted('a', []), noted('b', rows)], { reads })));
    }
  }),
];
