/**
 * The chain of hashes, compared with one that is computed here.
 */
import assert from 'node:assert/strict';
import type { Commit } from '../../../store/store.ts';
import { commit, event, GENESIS, notFinal, order, range, service, START, user } from '../batches.ts';
import { onClockedLog, onLog } from '../case.ts';
import type { ConformanceCase } from '../case.ts';
import { expectedChain } from '../evidence.ts';
import { same } from '../plain.ts';
import { Chance } from '../random.ts';

/** Of {@link fixedSeries}: it changes only with the format of the chain, and then the format's tag must too. */
const FIXED_HASH = '915ab72944f4aacb7781babb2910af23d069ae0dbda88134970f471efecc6627';

export const chainCases: readonly ConformanceCase[] = [
  onLog(9, 'a new log ends at position 0 with 64 zeros', async (log) => {
    const { end } = await log.session.load([]);
    same(end, { ...GENESIS, recordedAt: 0 });
    same((await log.session.read({ limit: 1 })).end, end);
  }),

  onClockedLog(9, 'each commit is hashed with its position, its time and the hash before it', async (log) => {
    const sent = [
      commit('c1', event('NOTED', user('u1')), { time: START + 9 }),
      commit('c2', [event('NOTED'), event('BOUGHT', service('s1'))], { time: START, actor: '', reason: '' }),
      notFinal('c3', 'ERROR', { details: '{}', correlation: 'x', causation: 'y' }),
      commit('c4', { type: 'É', schemaVersion: 9, json: '{"name":"Zoë 🌊"}', attachments: [] }, { outcome: 'failed' }),
    ];
    const expected = expectedChain(sent);
    const first = await log.append(sent.slice(0, 2));
    const second = await log.append(sent.slice(2));
    same([...first.commits, ...second.commits], expected);
    same([first.end.hash, second.end.hash], [expected[1]?.hash, expected[3]?.hash]);
    const stored = await log.session.commits({ limit: 10 });
    same(
      stored.map(({ position, recordedAt, hash }) => ({ position, recordedAt, hash })),
      expected,
    );
  }),

  onClockedLog(9, 'the hash covers neither attachments nor where a batch begins', async (log) => {
    const attached = commit('c1', event('NOTED', user('u1'), user('u2')));
    const bare = commit('c1', event('NOTED'));
    same(expectedChain([attached]), expectedChain([bare]));
    const later = range(2, 5).map((n) => commit(`c${n}`, event('NOTED', order('o1'))));
    await log.append(attached);
    await log.append(later.slice(0, 1));
    await log.append(later.slice(1));
    same(log.end.hash, expectedChain([bare, ...later]).at(-1)?.hash);
  }),

  onClockedLog(9, 'a fixed series of batches gives the same hash in every store', async (log) => {
    const series = fixedSeries();
    for (const batch of series) await log.append(batch);
    const expected = expectedChain(series.flat()).at(-1);
    same([log.end.hash, log.end.position > 300], [expected?.hash, true]);
    assert.equal(log.end.hash, FIXED_HASH, 'the format of the chain has changed');
  }),
];

/** A hundred batches that are the same everywhere and always. */
function fixedSeries(): Commit[][] {
  const chance = new Chance(20_240_101);
  const text = () =>
    chance.pick(['', 'a', 'ä', 'a\u0308', '\u{1F30A}', '\uFFFD', '"\\', "'", ' ', '\u2028', 'x'.repeat(300)]);
  let id = 0;
  const oneCommit = (): Commit => {
    const outcome = chance.pick(['succeeded', 'failed'] as const);
    return commit(
      `command-${++id}`,
      range(0, chance.below(4)).map((n) => ({
        type: chance.pick(['CREATED', 'BOUGHT', 'NOTED']),
        schemaVersion: 1 + chance.below(3),
        json: JSON.stringify({ n, text: text() }),
        attachments: chance.some([user('u1'), user('u2'), service('s1'), order(`o${chance.below(9)}`)]),
      })),
      {
        outcome,
        final: outcome === 'succeeded' || chance.once(2),
        time: START + chance.below(100_000),
        ...(chance.once(2) && { actor: text() }),
        ...(chance.once(2) && { correlation: text(), causation: text() }),
        ...(outcome === 'failed' && { reason: 'REASON', details: JSON.stringify({ why: text() }) }),
      },
    );
  };
  return range(1, 100).map(() => range(0, chance.below(4)).map(oneCommit));
}
