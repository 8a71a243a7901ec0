/**
 * Work under the write lock: the last try, which no other writer can disturb.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLOCK_AHEAD_MAX_MS } from '../../../store/store.ts';
import type { Locked, Registry } from '../../../store/store.ts';
import { above, at, COLLECTIONS, commit, event, GENESIS, notFinal, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { everything } from '../log.ts';
import type { TestLog } from '../log.ts';
import { soon } from '../patience.ts';
import { each, same, throwsCode } from '../plain.ts';
import { register, registering } from '../registered.ts';

class Abandoned extends Error {}

const LATE = { name: 'late', definition: 1, key: { fields: ['id'] }, handled: [] };

/** Runs work that throws at its end, and checks that nothing of it is stored. */
async function givenUp(log: TestLog, work: (locked: Locked) => Promise<void>): Promise<void> {
  const { end } = log;
  await log.unchangedBy(() =>
    assert.rejects(
      log.session.exclusive(async (locked) => {
        await work(locked);
        throw new Abandoned();
      }),
      Abandoned,
    ),
  );
  log.end = end;
}

export const exclusiveCases = [
  onLog(7, 'what was appended is stored when the promise resolves, and the work’s result comes back', async (log) => {
    const other = await log.open();
    const result = await log.session.exclusive(async (by) => {
      const { versions } = await log.append(commit('c1', event('BOUGHT', user('u1'), user('u2'))), { by });
      return { versions };
    });
    same(result, { versions: [1, 1] });
    same([await log.head(user('u2'), other), (await other.ledger(['c1'])).length], [1, 1]);
    same(await log.session.exclusive(() => Promise.resolve(undefined)), undefined);
    same((await log.append(commit('c2', event('NOTED', user('u1'))), { by: other })).versions, [2]);
  }),

  onLog(2, 'nothing is stored if the work throws, and the error comes through', async (log) => {
    await log.append([commit('c1', event('BOUGHT', user('u1'))), notFinal('c2')]);
    await givenUp(log, async () => {});
    await givenUp(log, async (by) => {
      await log.append(
        [
          commit('c2', event('NOTED', user('u1'))),
          commit('c3', [event('CREATED', user('u1'), service('new')), event('NOTED')]),
        ],
        { by },
      );
    });
    same(await log.session.ledger(['c3']), []);
    same((await log.session.ledger(['c2']))[0]?.final, false);
    same([await log.head(user('u1')), await log.head(service('new'))], [1, 0]);
    // The next commit takes its positions, versions and ids.
    const { commits, versions } = await log.append(commit('c3', event('NOTED', user('u1'), service('new'))));
    same([commits[0]?.position, versions], [3, [2, 1]]);
    same(await log.session.check(), []);
  }),

  onLog(2, 'nobody sees what was appended before the work is done', async (log) => {
    const [session, other] = await log.sessions(2);
    await log.append([commit('c1', event('BOUGHT', user('u1'))), notFinal('c2')]);
    const before = await everything(session!);
    await session!.exclusive(async (by) => {
      await log.append([commit('c2', event('BOUGHT', user('u1'), service('new'))), commit('c3', event('NOTED'))], {
        by,
      });
      for (const outside of [session!, other!]) {
        same(await everything(outside), before);
        same(each(await outside.ledger(['c2', 'c3']), 'final'), [false]);
        const requests = [user('u1'), service('new')].map((ref) => above(ref, 0));
        const { documents, end } = await outside.load(requests);
        same([end.position, each(documents, 'head')], [2, [1, 0]]);
        const page = await outside.read({ document: user('u1'), after: 0, limit: 5 });
        same([page.events.length, page.end.position], [1, 2]);
      }
    });
    for (const outside of [session!, other!]) {
      same(await log.head(user('u1'), outside), 2);
      same((await everything(outside)).events.length, 4);
    }
  }),

  onLog(5, 'other writers wait until the work is done', async (log) => {
    const [session, other] = await log.sessions(2);
    await log.append(commit('c0', event('CREATED', service('s1'))));
    const reads = [at(service('s1'), 1)];
    const answered: string[] = [];
    let waiting: Promise<unknown>[] = [];
    await session!.exclusive(async (by) => {
      const sends = [other!, session!].map(async (by, n) => {
        const { status } = await log.send(commit(`other-${n}`, event('BOUGHT', service('s1'))), { by, reads });
        answered.push(status);
      });
      const second = other!.exclusive(async (by) => {
        same((await by.load([above(service('s1'), 0)])).documents[0]?.head, 2);
        answered.push('exclusive');
      });
      waiting = [...sends, second];
      // They are awaited below, so that the case fails there if one of them fails.
      void Promise.allSettled(waiting);
      await sleep(30);
      same(answered, []);
      // What was loaded under the lock hasn't changed.
      same((await by.load([above(service('s1'), 0)])).documents[0]?.head, 1);
      await log.append(commit('mine', event('BOUGHT', service('s1'))), { by, reads });
    });
    await Promise.all(waiting);
    same(answered.sort(), ['exclusive', 'refused', 'refused']);
  }),

  onLog(5, 'read, decide and append under the lock is never refused, however many race', async (log) => {
    const sessions = await log.sessions(4);
    await Promise.all(
      range(1, 24).map((n) =>
        sessions[n % 4]!.exclusive(async (by) => {
          const { documents, end } = await by.load([above(service('s1'), 0)]);
          same((await by.ledger([`c${n}`])).length, 0);
          const reads = [at(service('s1'), documents[0]!.head)];
          const batch = log.batch(commit(`c${n}`, event('BOUGHT', service('s1'))), { reads, seen: end });
          same((await by.append(batch)).status, 'stored');
        }),
      ),
    );
    same([await log.head(service('s1')), (await log.session.commits({ limit: 100 })).length], [24, 24]);
  }),

  onLog(1, 'the same answers are given under the lock, and a refused batch may be decided again there', async (log) => {
    await log.append([commit('c1', event('CREATED', service('s1'))), commit('c2', event('BOUGHT', service('s1')))]);
    await log.session.exclusive(async (by) => {
      same(await by.registry(), log.registry);
      const batch = [commit('c2', event('NOTED')), commit('c3', event('BOUGHT', service('s1')))];
      const { stale, duplicates } = await log.refuse(batch, { by, reads: [at(service('s1'), 1)] });
      same([stale.map(({ id, head }) => [id, head]), duplicates], [[['s1', 2]], ['c2']]);
      same(
        (await by.ledger(['c2', 'c3'])).map(({ command }) => command.id),
        ['c2'],
      );
      same((await log.send(batch, { by, seen: { position: 9, hash: 'a'.repeat(64) } })).status, 'diverged');
      same((await log.send(batch, { by, generation: 99 })).status, 'behind');
      const { versions, heads } = await log.append(batch[1]!, { by, reads: [at(service('s1'), 2)] });
      same([versions, heads], [[3], [2]]);
    });
    same(await log.head(service('s1')), 3);
  }),

  onLog('contract', 'its commits and events are read in the section as it has appended them', async (log) => {
    await log.append(commit('c1', event('CREATED', service('s1'))));
    await log.session.exclusive(async (by) => {
      await log.append([commit('c2', event('BOUGHT', service('s1'))), commit('c3', event('NOTED'))], { by });
      const { position, hash } = log.end;
      const [last] = await by.commits({ upTo: position, reverse: true, limit: 1 });
      same([last?.command.id, last?.hash], ['c3', hash]);
      const { events, end } = await by.read({ after: 1, limit: 10 });
      same([events.map(({ commit }) => commit.command.id), end.position], [['c2', 'c3'], position]);
    });
    // Nobody else has seen them before.
    same((await log.session.commits({ reverse: true, limit: 1 }))[0]?.command.id, 'c3');
  }),

  onLog(
    'contract',
    'a clock that is ahead is an error under the lock too, and the lock is free after it',
    async (log) => {
      const late = commit('c1', event('NOTED', user('u1')), { time: Date.now() + CLOCK_AHEAD_MAX_MS + 60_000 });
      await log.unchangedBy(() =>
        throwsCode(
          'ClockAhead',
          log.session.exclusive((by) => log.send(late, { by })),
        ),
      );
      same((await log.append(commit('c1', event('NOTED', user('u1'))))).versions, [1]);
    },
  ),

  onLog('contract', 'the lock is free after each piece of work, whether it succeeded or not', async (log) => {
    const [session, other] = await log.sessions(2);
    for (const n of range(1, 5)) {
      const by = n % 2 === 0 ? session! : other!;
      const work = by.exclusive(async (locked) => {
        await log.append(commit(`c${n}`, event('NOTED', user('u1'))), {
          by: locked,
          seen: { position: 0, hash: '0'.repeat(64) },
        });
        if (n % 3 === 0) throw new Abandoned();
      });
      if (n % 3 === 0) await assert.rejects(work, Abandoned);
      else await work;
    }
    same(await log.head(user('u1')), 4);
  }),

  onLog(2, 'nothing is stored after an append that threw, though the work went on', async (log) => {
    await log.append(commit('c1', event('BOUGHT', user('u1'))));
    const late = commit('c3', event('NOTED'), { time: Date.now() + CLOCK_AHEAD_MAX_MS + 60_000 });
    const { end } = log;
    await log.unchangedBy(() =>
      throwsCode(
        'ClockAhead',
        log.session.exclusive(async (by) => {
          await log.append(commit('c2', event('BOUGHT', user('u1'), service('new'))), { by });
          await throwsCode('ClockAhead', log.send(late, { by }));
          await log.send(commit('c4', event('NOTED', user('u1'))), { by });
        }),
      ),
    );
    log.end = end;
    same((await log.append(commit('c2', event('NOTED', user('u1'), service('new'))))).versions, [2, 1]);
  }),

  onLog(4, 'a new collection waits until the work is done, and is judged by what it has stored', async (log) => {
    const [session, other] = await log.sessions(2);
    const judged: boolean[] = [];
    let changing: Promise<Registry> | undefined;
    await session!.exclusive(async (by) => {
      const asked = Promise.withResolvers<void>();
      changing = other!.change((registry, facts) => {
        asked.resolve();
        judged.push(facts.isEmpty);
        return registering([LATE])(registry, facts);
      });
      void changing.catch(() => undefined);
      // First without the lock.
      await soon('judge is asked', asked.promise);
      same(await by.registry(), log.registry);
      await log.append(commit('c1', event('NOTED')), { by });
    });
    same((await changing!).generation, log.generation + 1);
    same([judged[0], judged.at(-1)], [true, false]);
  }),

  onLog('contract', 'what is registered already waits for nobody’s lock', async (log) => {
    const other = await log.open();
    await log.session.exclusive(async () => {
      same((await soon('registering', register(other, COLLECTIONS))).generation, log.generation);
    });
  }),

  onLog('contract', 'nothing can be done under the lock once the work is over', async (log) => {
    const kept: Locked[] = [await log.session.exclusive(async (by) => by)];
    const failed = log.session.exclusive(async (by) => {
      kept.push(by);
      throw new Abandoned();
    });
    await assert.rejects(failed, Abandoned);
    for (const by of kept) {
      await log.unchangedBy(() => throwsCode('Closed', by.append(log.batch(commit('c1', event('NOTED'))))));
      await throwsCode('Closed', by.load([above(user('u1'), 0)]));
      await throwsCode('Closed', by.ledger(['c1']));
      await throwsCode('Closed', by.registry());
      await throwsCode('Closed', by.commits({ limit: 1 }));
      await throwsCode('Closed', by.read({ limit: 1 }));
      await throwsCode('Closed', by.scan({ limit: 1, known: () => true }));
      await throwsCode('Closed', by.stored({ set: 2, ids: [] }));
      const page = { generation: 1, from: 0, to: 0, seen: GENESIS, attachments: [], live: false };
      await log.unchangedBy(() => throwsCode('Closed', by.attach({ keying: 'users', ...page })));
      const none = { from: undefined, to: undefined, entries: [], live: false };
      await log.unchangedBy(() => throwsCode('Closed', by.fillIndex({ index: 7, ...none })));
    }
  }),
];
