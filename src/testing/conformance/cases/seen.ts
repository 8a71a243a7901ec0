/**
 * A log that isn't the one that a server has seen, or that has a newer registry than the server has seen.
 */
import assert from 'node:assert/strict';
import type { Appended, LogPoint } from '../../../store/store.ts';
import { at, commit, event, GENESIS, range, service, START, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { each, same } from '../plain.ts';
import { TestLog } from '../log.ts';
import type { ConformanceCase } from '../case.ts';

/** Three commits, of one, three and two events. */
async function threeCommits(log: TestLog): Promise<readonly LogPoint[]> {
  const { commits, end } = await log.append([
    commit('c1', event('BOUGHT', user('u1'))),
    commit('c2', [event('NOTED'), event('NOTED'), event('NOTED')]),
    commit('c3', [event('NOTED'), event('NOTED')]),
  ]);
  const ends = [{ position: 1, hash: commits[0]!.hash }, { position: 4, hash: commits[1]!.hash }, end];
  return ends.map(({ position, hash }) => ({ position, hash }));
}

const clock = (): number => START;

/** An append and reads say the same of a point. */
async function answers(log: TestLog, status: string, seen: LogPoint): Promise<void> {
  const { session } = log;
  const read = [
    await session.load([], { seen }),
    await session.load([{ ...user('u1'), after: 0 }], { seen }),
    await session.load([{ ...user('u1'), after: 0 }], { seen, asOf: 0 }),
    await session.scan({ limit: 1, known: () => true, seen }),
  ];
  const held = status !== 'diverged';
  same(
    each(read, 'holds'),
    read.map(() => held),
    `read at position ${seen.position}, hash ${seen.hash}`,
  );
  const answer = await log.send(commit(`seen-${seen.position}`, event('NOTED')), { seen });
  assert.equal(answer.status, status, `seen at position ${seen.position}, hash ${seen.hash}`);
}

async function diverges(log: TestLog, seen: LogPoint): Promise<void> {
  await log.unchangedBy(() => answers(log, 'diverged', seen));
}

export const seenCases: readonly ConformanceCase[] = [
  onLog(9, 'an old end of the log that is still true is as good as the newest', async (log) => {
    const [first, second, third] = await threeCommits(log);
    await answers(log, 'stored', second!);
    await answers(log, 'stored', GENESIS);
    await answers(log, 'stored', first!);
    await answers(log, 'stored', third!);
  }),

  onLog(9, 'another hash than the log has at that position: diverged', async (log) => {
    const [first, second, third] = await threeCommits(log);
    await diverges(log, { position: 6, hash: 'f'.repeat(64) });
    await diverges(log, { position: 4, hash: first!.hash });
    await diverges(log, { position: 1, hash: second!.hash });
    await diverges(log, { position: 6, hash: GENESIS.hash });
    await diverges(log, { position: 0, hash: third!.hash });
  }),

  onLog(9, 'a position beyond the end: diverged, whatever the hash', async (log) => {
    await diverges(log, { position: 1, hash: 'a'.repeat(64) });
    const [, , third] = await threeCommits(log);
    await diverges(log, { position: 7, hash: third!.hash });
    await diverges(log, { position: 1_000_000, hash: third!.hash });
  }),

  onLog(9, 'a position within a commit is no end of the log: diverged', async (log) => {
    const [first, second, third] = await threeCommits(log);
    await diverges(log, { position: 2, hash: second!.hash });
    await diverges(log, { position: 3, hash: second!.hash });
    await diverges(log, { position: 2, hash: first!.hash });
    await diverges(log, { position: 5, hash: third!.hash });
    await diverges(log, { position: 5, hash: second!.hash });
  }),

  {
    law: 9,
    name: 'failover to a copy that lags: a server that has seen more is told so, and stores nothing there',
    async run(makeStore) {
      // With the same clock, so that both logs have the same hashes.
      const ahead = await TestLog.on(await makeStore({ clock }));
      const lagging = await TestLog.on(await makeStore({ clock }));
      try {
        for (const n of range(1, 4)) {
          const both = commit(`c${n}`, event('BOUGHT', user('u1')), { time: START + n });
          await ahead.append(both);
          if (n <= 2) await lagging.append(both);
        }
        await diverges(lagging, ahead.end);
        // Even when it has grown to the same length again, with other events.
        await lagging.append(range(3, 4).map((n) => commit(`other-${n}`, event('NOTED'))));
        await diverges(lagging, ahead.end);
      } finally {
        await Promise.all([ahead.close(), lagging.close()]);
      }
    },
  },

  onLog(9, 'a version that the document has not reached was read from another log: diverged', async (log) => {
    await log.append(commit('c1', event('BOUGHT', user('u1'))));
    for (const read of [at(user('u1'), 2), at(user('never'), 1)]) {
      const sent = (): Promise<Appended> =>
        log.send(commit('c2', event('NOTED')), { reads: [at(service('s1'), 0), read] });
      assert.equal((await log.unchangedBy(sent)).status, 'diverged');
    }
  }),

  onLog(4, 'attachments made by another generation of the registry: behind, and nothing is stored', async (log) => {
    await log.append(commit('c1', event('BOUGHT', user('u1'))));
    for (const generation of [0, log.generation + 1, log.generation - 1]) {
      const sending = { generation, reads: [at(user('u1'), 1)] };
      const answer = await log.unchangedBy(() => log.send(commit('c2', event('NOTED', user('u1'))), sending));
      assert.deepEqual({ ...answer }, { status: 'behind' });
    }
  }),

  onLog(9, 'a version above its head is diverged, whatever else is stale', async (log) => {
    await log.append(commit('c1', event('BOUGHT', user('u1'))));
    const impossible = at(user('u2'), 1);
    const stale = at(user('u1'), 0);
    for (const reads of [
      [stale, impossible],
      [impossible, stale],
    ]) {
      same(await log.unchangedBy(() => log.send(commit('c1', event('NOTED')), { reads })), { status: 'diverged' });
    }
    assert.equal((await log.send(commit('c1', event('NOTED')), { reads: [stale] })).status, 'refused');
  }),

  onLog('contract', 'diverged is answered before behind, and behind before refused', async (log) => {
    await log.append(commit('c1', event('BOUGHT', user('u1'))));
    const stale = { reads: [at(user('u1'), 0)] };
    const lost = { seen: { position: 1, hash: 'e'.repeat(64) }, ...stale };
    const again = commit('c1', event('NOTED'));
    assert.equal((await log.send(again, { ...lost, generation: 99 })).status, 'diverged');
    assert.equal((await log.send(again, lost)).status, 'diverged');
    assert.equal((await log.send(again, { ...stale, generation: 99 })).status, 'behind');
    assert.equal((await log.send(again, stale)).status, 'refused');
  }),
];
