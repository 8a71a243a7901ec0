/** What servers asked the simulated store, asked of the stores: every answer must be the same. */
import { afterAll, describe, expect, it } from 'vitest';
import { storesOf, type Stores } from '../../simulation/stores.ts';
import { CLOCK_AHEAD_MS } from '../../simulation/machine.ts';
import { replay, type MakeReplayed } from '../../simulation/replay.ts';
import { runSeed } from '../../simulation/run.ts';
import { memory } from '../../src/store/memory/index.ts';
import type { Session, Store } from '../../src/store/store.ts';
import { Chance } from '../../src/testing/conformance/random.ts';
import { whole, type Defect } from '../conformance/mutant.ts';
import { testDatabase } from '../support/postgres.ts';
import { setting } from '../support/setting.ts';

const database = testDatabase();
const WORLDS = setting('TIDEMARK_REPLAYS', 24);
/** Of so many worlds some must have met each of these, or the replays are no longer what they were. */
const MET = `append stored, append refused, locked append stored, late append stored, doubt, died, succeeded, fold`;
const DEFECT_SEEDS = 60;

describe('laws 2 to 5 and 7, lessons 20 and 23: a store answers as the simulated store', () => {
  const running: Stores[] = [];
  afterAll(async () => {
    for (const stores of running) await stores.end();
  });

  it.each([
    ['SQLite', WORLDS],
    ['PostgreSQL', Math.ceil(WORLDS / 3)],
  ] as const)('on %s', { timeout: 600_000 }, async (name, worlds) => {
    const stores = await storesOf(name === 'SQLite' ? 'sqlite:' : database.url);
    running.push(stores);
    const { seed } = Chance.fromEnvironment();
    const met = new Set<string>();
    let answers = 0;
    for (let index = 0; index < worlds; index += 1) {
      const run = await runSeed(seed + index, { notes: true });
      const again = `Again: npm run simulate -- --seed ${run.seed} --runs 1`;
      if (run.broken) throw new Error(`${String(run.broken)}\n${again}`, { cause: run.broken });
      answers += (
        await stores.replay(run).catch((cause: unknown) => {
          const store = name === 'SQLite' ? 'sqlite:' : 'postgres:';
          throw new Error(`${String(cause)}\n${again} --store ${store}`, { cause });
        })
      ).answers;
      for (const what of run.met.keys()) met.add(what);
    }
    if (worlds < 60) return;
    expect(MET.split(', ').filter((what) => !met.has(what))).toEqual([]);
    expect(answers).toBeGreaterThan(worlds * 20);
  });
});

const DEFECTS: Record<string, Defect> = {
  'forgets what the ledger holds': () => ({ ledger: async () => [] }),
  'stores what was undone': (session) => ({
    exclusive: (work) => session.exclusive(async (locked) => work(locked).catch(() => undefined as never)),
  }),
  'gives the heads of a moment ago': (session) => {
    let before: Awaited<ReturnType<Session['load']>> | undefined;
    return {
      load: async (requests, options) => {
        const now = await session.load(requests, options);
        const old = before;
        before = now;
        return old && old.documents.length === now.documents.length ? { ...now, end: old.end } : now;
      },
    };
  },
};

const sound: MakeReplayed = ({ now }) => memory({ clock: now, clockAheadMs: CLOCK_AHEAD_MS });

describe('a replay finds a store that', () => {
  it.each(Object.keys(DEFECTS))('%s', { timeout: 120_000 }, async (name) => {
    const mutant = (store: Store): Store => ({
      name: store.name,
      open: async () => {
        const session = whole(await store.open());
        return { ...session, ...DEFECTS[name]!(session) };
      },
    });
    for (let seed = 1; seed <= DEFECT_SEEDS; seed += 1) {
      const { notes } = await runSeed(seed, { notes: true });
      await replay(notes, sound);
      const found = await replay(notes, (clock) => mutant(sound(clock))).catch((error: unknown) => error);
      if (!(found instanceof Error)) continue;
      expect(found).toMatchObject({ law: 'answers' });
      return;
    }
    throw new Error(`the defect lived through ${DEFECT_SEEDS} seeds`);
  });
});
