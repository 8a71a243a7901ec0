/** Stored documents with large states: they only move forward (law 6), and cost no more than they must. */
import { domain, open, type, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { isBeingMade } from '../../src/engine/reduction/marks.ts';
import { changedStore } from '../faults/over-session.ts';
import { storedSet } from '../support/stored-set.ts';
import { seeded } from '../support/seed.ts';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';
import { until } from '../support/until.ts';

const MIB = 2 ** 20;

/** Documents whose state is a text that an event says the length of. */
const growing = () => {
  const farm = domain({ events: { GREW: type<{ plant_id: string; to: number }>() } });
  const plants = farm.collection('plants', {
    key: 'plant_id',
    initial: { text: '', times: 0 },
    reduce: { GREW: ({ times }, { to }) => ({ text: 'x'.repeat(to), times: times + 1 }) },
  });
  const grow = farm.command('GROW', {
    input: type<{ plant_id: string; to: number }>(),
    decide: (_, input) => ({ type: 'GREW', ...input }),
  });
  return { plants, grow };
};

test('one whose state became too large stays at its last version that fits, also when it is tried again, and isn’t written again', async () => {
  const plain = memory();
  let steps = 0;
  const store = changedStore(plain, (session) => ({
    advance(step) {
      steps += 1;
      return session.advance(step);
    },
  }));
  const { plants, grow } = growing();
  const parts = { store, collections: [plants], commands: [grow], logger: keepingLogger() } as const;
  {
    await using app = await open(parts);
    for (let n = 0; n < 3; n += 1) await app.execute(grow, { plant_id: 'a', to: 10 });
    expect(await app.count(plants)).toBe(1);
    await app.execute(grow, { plant_id: 'a', to: 17 * MIB });
    expect(await app.count(plants)).toBe(0);
  }
  const stored = await storedSet(plain);
  const before = await stored.document('a');
  expect(before).toMatchObject({ version: 3, failed: expect.stringContaining('bytes') });
  steps = 0;
  await using app = await open(parts);
  await until(async () => (await app.status()).reduction.failed.length === 1);
  await sleep(400);
  expect(steps).toBe(0);
  expect(await stored.document('a')).toEqual(before);
  // Each event of it is one step more, and no try.
  await app.execute(grow, { plant_id: 'a', to: 17 * MIB });
  await until(async () => (await app.status()).reduction.lagEvents === 0);
  await sleep(200);
  expect(steps).toBe(1);
  expect(await stored.document('a')).toEqual(before);
});

/** Bytes that a step may store; the last of its documents, or all of its only event, come on top. */
const STEP_BYTES = 4 * MIB;

/** Plants whose texts are long, and fields whose state is small, by an index. */
const farm = (isDry = false) => {
  const all = domain({ events: { GREW: type<{ plant_id: string; field_id: string; to: number }>() } });
  const plants = all.collection('plants', {
    key: 'plant_id',
    initial: { text: '', times: 0 },
    reduce: {
      GREW({ times }, { to }) {
        if (isDry) throw new Error('too dry');
        return { text: 'x'.repeat(to), times: times + 1 };
      },
    },
    indexes: ['times'],
  });
  const fields = all.collection('fields', {
    key: 'field_id',
    initial: { grown: 0 },
    reduce: { GREW: ({ grown }) => ({ grown: grown + 1 }) },
  });
  const grow = all.command('GROW', {
    input: type<{ all: readonly (readonly [plant: number, to: number])[] }>(),
    decide: (_, input) =>
      input.all.map(([n, to]) => ({ type: 'GREW' as const, plant_id: `p${n}`, field_id: `f${n % 5}`, to })),
  });
  return { plants, fields, grow, parts: { collections: [plants, fields], commands: [grow], logger: keepingLogger() } };
};

/** A store that counts what its steps weigh. */
function weighed(store: Store): Store & { readonly weights: number[]; readonly made: number[] } {
  const weights: number[] = [];
  const made: number[] = [];
  const changed = changedStore(store, (session) => ({
    advance(step) {
      const weight = step.documents.reduce((sum, { state }) => sum + state.length, 0);
      (isBeingMade(step.from) ? made : weights).push(weight);
      return session.advance(step);
    },
  }));
  return { ...changed, weights, made };
}

onLocalStores('large states', (makeStore) => {
  test('a step stores some megabytes of states, whatever events and documents there are', async () => {
    const random = seeded();
    const store = weighed(makeStore());
    const { parts, plants, fields, grow } = farm();
    const writer = await open({ ...parts, store, reduction: 'off' });
    onTestFinished(() => writer.close());
    const limits = { rebuildingWaitMs: 60_000 };
    const app = await open({ ...parts, store, limits });
    onTestFinished(() => app.close());
    for (let round = 0; round < 4; round += 1) {
      const all = Array.from({ length: 60 }, (): [number, number] => {
        const plant = Math.floor(random() * 40);
        // Some are small, some grow small again.
        return [plant, random() < 0.3 ? 10 : Math.floor(random() * 2 * MIB)];
      });
      // Not all in one commit: half of them one by one.
      const parted = round % 2 === 0 ? [all] : all.map((one) => [one]);
      let position = 0;
      for (const one of parted) ({ position } = await writer.execute(grow, { all: one }));
      await app.count(plants, { fresh: position });
      await app.count(fields, { fresh: position });
    }
    for (const collection of [plants, fields] as const) {
      const folded = await app.fold(collection as typeof plants);
      const found = await collect(app.list(collection as typeof plants));
      expect(new Map(found.map(({ id, version }) => [id, version]))).toEqual(
        new Map([...folded.values()].map(({ id, version }) => [id, version])),
      );
    }
    expect((await app.verify()).problems).toEqual([]);
    expect(Math.max(...store.weights)).toBeLessThan(STEP_BYTES + 2 * MIB);
  });

  test('also where a set is made', async () => {
    const store = weighed(makeStore());
    const { parts, plants, grow } = farm();
    {
      await using writer = await open({ ...parts, store, reduction: 'off' });
      for (let n = 0; n < 10; n += 1)
        await writer.execute(grow, { all: Array.from({ length: 1_000 }, (_, at) => [at % 50, at < 950 ? 10 : MIB]) });
    }
    await using app = await open({ ...parts, store, limits: { rebuildingWaitMs: 60_000 } });
    expect(await app.count(plants, { where: { times: 200 } })).toBe(50);
    expect(store.made.length).toBeGreaterThan(50 / 8);
    expect(Math.max(...store.made)).toBeLessThan(STEP_BYTES + 2 * MIB);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('and where documents are mended', async () => {
    const plain = makeStore();
    const { parts, plants } = farm();
    {
      const dry = farm(true);
      await using writer = await open({ ...dry.parts, store: plain });
      await writer.execute(dry.grow, { all: Array.from({ length: 30 }, (_, n) => [n, MIB]) });
      expect(await writer.count(dry.plants)).toBe(0);
    }
    const store = weighed(plain);
    await using app = await open({ ...parts, store });
    await until(async () => (await app.count(plants)) === 30);
    expect(store.weights.length).toBeGreaterThan(3);
    expect(Math.max(...store.weights)).toBeLessThan(STEP_BYTES + 2 * MIB);
    expect((await app.verify()).problems).toEqual([]);
  });
});
