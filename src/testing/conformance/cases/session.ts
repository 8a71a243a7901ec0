/**
 * Sessions: several on one log, closed, and opened again.
 */
import assert from 'node:assert/strict';
import { abortController } from '../../../realm.ts';
import type { Session } from '../../../store/store.ts';
import { above, at, COLLECTIONS, commit, event, GENESIS, notFinal, range, service, START, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { ConformanceCase } from '../case.ts';
import { everything } from '../log.ts';
import type { TestLog } from '../log.ts';
import { each, same, throwsCode } from '../plain.ts';
import { register } from '../registered.ts';

/** A little of everything. */
async function fill(log: TestLog): Promise<void> {
  await log.append([
    commit('c1', event('CREATED', service('s1'), user('u1'))),
    commit('c2', [event('NOTED'), event('BOUGHT', service('s1'), user('u2'))], { actor: 'ann', time: START + 1 }),
  ]);
  await log.append([notFinal('c3'), commit('c4', event('NOTED', user('u1')), { outcome: 'failed', reason: 'NO' })]);
}

export const sessionCases: readonly ConformanceCase[] = [
  onLog('contract', 'a new log is empty', async (log) => {
    same(await everything(log.session), {
      registry: log.registry,
      events: [],
      commits: [],
      types: [],
      documents: [],
      ledger: [],
    });
  }),

  onLog(3, 'what one session has appended, another reads at once', async (log) => {
    const other = await log.open();
    for (const n of range(1, 20)) {
      const { end } = await log.append(commit(`c${n}`, event('NOTED', user('u1'))));
      const loaded = await other.load([above(user('u1'), n - 1)]);
      same([loaded.end, loaded.documents[0]?.head, loaded.documents[0]?.events.length], [end, n, 1]);
    }
    same(await everything(other), await everything(log.session));
  }),

  onLog(7, 'what was acknowledged is there after every session was closed', async (log) => {
    await fill(log);
    const before = await everything(log.session);
    await log.close();
    const again = await log.open();
    same(await everything(again), before);
    // The log goes on where it ended.
    const { versions, commits } = await log.append(commit('c5', event('NOTED', user('u1'))), { by: again });
    same([versions, commits[0]?.position], [[3], 6]);
    same((await log.refuse(commit('c1', event('NOTED')), { by: again })).duplicates, ['c1']);
  }),

  {
    law: 'contract',
    name: 'several servers may open a new log at the same time',
    async run(makeStore) {
      const store = await makeStore({});
      const sessions = await Promise.all(range(1, 4).map(() => store.open()));
      try {
        const registries = await Promise.all(sessions.map((session) => register(session, COLLECTIONS)));
        same(each(registries, 'generation'), [1, 1, 1, 1]);
      } finally {
        await Promise.all(sessions.map((session) => session.close()));
      }
    },
  },

  onLog('contract', 'a closed session says so, whatever is asked of it', async (log) => {
    await fill(log);
    const session = await log.open();
    await session.close();
    const { set } = log.registry.definitions[0]!;
    const { generation } = log;
    const places = { from: GENESIS, to: log.end, seen: log.end };
    const step = { set, generation, ...places, documents: [], dropped: [], added: [] };
    const calls: readonly ((closed: Session) => Promise<unknown>)[] = [
      (closed) => closed.registry(),
      (closed) => register(closed, COLLECTIONS),
      (closed) => closed.change(() => undefined),
      (closed) => closed.change(({ last }) => ({ raises: true, last })),
      (closed) => closed.sweep(),
      (closed) => closed.advance(step),
      (closed) => closed.stored({ set, ids: ['u1'] }),
      (closed) => closed.stored({ set, limit: 1 }),
      (closed) => closed.append(log.batch(commit('late', event('NOTED')))),
      (closed) => closed.load([]),
      (closed) => closed.read({ limit: 1 }),
      (closed) => closed.read({ document: user('u1'), after: 0, limit: 1 }),
      (closed) => closed.scan({ limit: 1, known: () => true }),
      (closed) => closed.commits({ limit: 1 }),
      (closed) => closed.ledger(['c1']),
      (closed) => closed.types({ limit: 1 }),
      (closed) => closed.documents({ limit: 1 }),
      (closed) => closed.moved(GENESIS, abortController().signal),
      (closed) => closed.check(),
    ];
    for (const call of calls) await log.unchangedBy(() => throwsCode('Closed', call(session)));
  }),

  onLog('contract', 'a closed session takes no write lock', async (log) => {
    const session = await log.open();
    await session.close();
    let ran = false;
    const work = async () => void (ran = true);
    await throwsCode('Closed', session.exclusive(work));
    assert.equal(ran, false);
  }),

  onLog('contract', 'closing twice does nothing, and other sessions don’t notice', async (log) => {
    const session = await log.open();
    await Promise.all([session.close(), session.close()]);
    await session.close();
    await fill(log);
    same(await log.head(user('u1')), 2);
  }),

  onLog('contract', 'a sound log has no findings', async (log) => {
    same(await log.session.check(), []);
    await fill(log);
    await log.refuse(commit('c5', event('NOTED')), { reads: [at(service('s1'), 0)] });
    same(await log.session.check(), []);
    same(await (await log.open()).check(), []);
  }),
];
