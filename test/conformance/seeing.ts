/**
 * Mutants that believe what they must check: the end seen, the generation, the clock; and that hash too little.
 */
import { CLOCK_AHEAD_MAX_MS } from '../../src/store/store.ts';
import { resting } from '../../src/testing/conformance/batches.ts';
import { end, head, mutant, rehashed, sends } from './mutant.ts';
import type { Mutant } from './mutant.ts';

export const seeing: readonly Mutant[] = [
  mutant(
    'ignores the end seen',
    'another hash than the log has',
    sends(async (batch, sound) => ({
      ...batch,
      seen: await end(sound),
    })),
  ),
  mutant(
    'looks only at the position seen',
    'failover to a copy that lags',
    sends(async (batch, sound) => {
      const now = await end(sound);
      return batch.seen.position <= now.position ? { ...batch, seen: now } : batch;
    }),
  ),
  mutant('wants the newest end', 'an old end of the log', (sound) => ({
    append: async (batch) =>
      batch.seen.hash === (await end(sound)).hash ? sound.append(batch) : { status: 'diverged' },
  })),
  mutant(
    'ignores the generation',
    'attachments made by another generation',
    sends(async (batch, sound) => ({
      ...batch,
      generation: (await sound.registry()).generation,
    })),
  ),
  mutant(
    'takes a newer generation for good',
    'attachments made by another generation',
    sends(async (batch, sound) => ({
      ...batch,
      generation: Math.min(batch.generation, (await sound.registry()).generation),
    })),
  ),
  mutant('answers behind before diverged', 'diverged is answered before behind', (sound) => ({
    append: async (batch) => {
      const { generation } = await sound.registry();
      return batch.generation === generation ? sound.append(batch) : { status: 'behind' };
    },
  })),
  mutant(
    'believes every clock',
    'a decision too far ahead',
    sends((batch) => ({
      ...batch,
      commits: batch.commits.map((commit) => Object.assign({}, commit, { time: Math.min(commit.time, Date.now()) })),
    })),
  ),
  mutant(
    'lets a clock climb from where the log is',
    'a wrong clock can’t move the log’s time ahead in small steps either',
    sends(async (batch, sound) => {
      const { recordedAt } = (await sound.load([])).end;
      const near = (time: number): boolean => time <= recordedAt + CLOCK_AHEAD_MAX_MS;
      return {
        ...batch,
        commits: batch.commits.map((commit) =>
          Object.assign({}, commit, { time: near(commit.time) ? Math.min(commit.time, recordedAt) : commit.time }),
        ),
      };
    }),
  ),
  mutant('answers refused before a version above its head', 'a version above its head is diverged', (sound) => ({
    append: async (batch) => {
      const heads = await Promise.all(batch.reads.map((read) => head(sound, read)));
      const possible = resting(batch, ({ version }, row) => version <= heads[row]!);
      // What is possible is judged first; alone it may be stored, which is wrong as well.
      return sound.append(possible.reads.length > 0 ? possible : batch);
    },
  })),
  mutant(
    'believes what no clock can say',
    'a time that no date can have is a clock ahead, whatever is in the log',
    sends((batch) => ({
      ...batch,
      commits: batch.commits.map((commit) =>
        Object.assign({}, commit, { time: commit.time > 8.64e15 ? 1 : commit.time }),
      ),
    })),
  ),
  mutant(
    'hashes without the position',
    'each commit is hashed with its position, its time and the hash before it',
    rehashed(({ recordedAt }) => ({ position: 0, recordedAt })),
  ),
  mutant(
    'hashes without the time',
    'each commit is hashed with its position, its time and the hash before it',
    rehashed(({ position }) => ({ position, recordedAt: 0 })),
  ),
];
