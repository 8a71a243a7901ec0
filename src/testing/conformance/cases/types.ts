/**
 * The event types that a log has held: what a collection may still take up, and what nobody's code knows any more.
 */
import type { HeldType } from '../../../store/store.ts';
import { commit, event, notFinal, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { same } from '../plain.ts';

const ABANDONED = new Error('abandoned');

export const typesCases = [
  onLog(
    'contract',
    'types are told once, in the order of their first events, with their first success',
    async (log) => {
      const refused = { outcome: 'failed', reason: 'NO' } as const;
      await log.append([
        commit('c1', event('ORDER_FAILED', user('u1')), refused),
        commit('c2', [event('NOTED'), event('BOUGHT', user('u1')), event('NOTED')]),
      ]);
      await log.append([notFinal('c3'), commit('c4', event('ORDER_FAILED', user('u1')), refused)]);
      const expected: HeldType[] = [
        { type: 'ORDER_FAILED', position: 1 },
        { type: 'NOTED', position: 2, succeeded: 2 },
        { type: 'BOUGHT', position: 3, succeeded: 3 },
        { type: '$CONTENDED', position: 5 },
      ];
      same(await log.session.types({ limit: 100 }), expected);
      // Commands and collections have names too, which are no types.
      await log.append([
        commit('c5', [event('NOTED'), event('ORDER_FAILED')]),
        commit('c6', event('NOTED', service('s1')), { name: 'BOUGHT_NOT' }),
      ]);
      expected[0] = { type: 'ORDER_FAILED', position: 1, succeeded: 8 };
      for (const session of await log.sessions(2)) same(await session.types({ limit: 100 }), expected);
      same(await log.session.check(), []);
    },
  ),

  onLog('contract', 'a batch may meet a type as a failure’s and as a success’s', async (log) => {
    const refused = { outcome: 'failed', reason: 'NO' } as const;
    await log.append([
      commit('c1', event('A'), refused),
      commit('c2', [event('B'), event('A')]),
      commit('c3', event('B'), refused),
    ]);
    same(await log.session.types({ limit: 100 }), [
      { type: 'A', position: 1, succeeded: 3 },
      { type: 'B', position: 2, succeeded: 2 },
    ]);
  }),

  onLog('contract', 'types come in pages, by the position of their first event', async (log) => {
    const names = range(1, 12).map((n) => `${n % 2 === 0 ? 'B' : 'A'}${n}`);
    for (const [n, name] of names.entries()) await log.append(commit(`c${n}`, [event(name), event('A1')]));
    const all = names.map((type, n) => ({ type, position: 1 + 2 * n, succeeded: 1 + 2 * n }));
    same(await log.session.types({ limit: 5 }), all.slice(0, 5));
    same(await log.session.types({ after: 9, limit: 5 }), all.slice(5, 10));
    same(await log.session.types({ after: 8, limit: 2 }), all.slice(4, 6));
    same(await log.session.types({ after: 23, limit: 5 }), []);
    same(await log.session.types({ after: -1, limit: 100_000 }), all);
    same(await log.session.types({ limit: 0 }), []);
  }),

  onLog('contract', 'a type is held once its event is there for everybody, and not before', async (log) => {
    const other = await log.open();
    await log.append(commit('c1', event('B'), { outcome: 'failed', reason: 'NO' }));
    const before = [{ type: 'B', position: 1 }];
    await log.session.exclusive(async (by) => {
      await log.append(commit('c2', [event('A'), event('B')]), { by });
      same(await other.types({ limit: 10 }), before);
    });
    same(await other.types({ limit: 10 }), [
      { type: 'B', position: 1, succeeded: 3 },
      { type: 'A', position: 2, succeeded: 2 },
    ]);
  }),

  onLog(4, 'a type of what was undone was never held', async (log) => {
    await log.append(commit('c1', event('B'), { outcome: 'failed', reason: 'NO' }));
    const { end } = log;
    const undone = log.session.exclusive(async (by) => {
      await log.append(commit('c2', [event('A'), event('B')]), { by });
      throw ABANDONED;
    });
    await undone.catch((error: unknown) => {
      if (error !== ABANDONED) throw error;
    });
    log.end = end;
    same(await log.session.types({ limit: 10 }), [{ type: 'B', position: 1 }]);
    // It is held once more when it is stored.
    await log.append(commit('c2', [event('A'), event('B')]));
    same(await log.session.types({ limit: 10 }), [
      { type: 'B', position: 1, succeeded: 3 },
      { type: 'A', position: 2, succeeded: 2 },
    ]);
  }),
];
