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
const growing = (indexes: readonly 'times'[] = [], withers = Infinity) => {
  const farm = domain({ events: { GREW: type<{ plant_id: string; to: number }>() } });
  const plants = farm.collection('plants', {
    key: 'plant_id',
    initial: { text: '', times: 0 },
    reduce: {
      GREW({ times }, { to }) {
        if (times + 1 === withers) throw new Error('withered');
        return { text: 'x'.repeat(to), times: times + 1 };
      },
    },
    indexes,
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

onLocalStores('documents that were too large to be stored', (makeStore) => {
  const indexes = ['times'] as const;
  const huge = 17 * MIB;
  const limits = { rebuildingWaitMs: 60_000 };

  test('are found as soon as they are small again, by an index too; meanwhile a watcher is told by name', async () => {
    const store = makeStore();
    const { plants, grow } = growing(indexes);
    await using app = await open({ store, collections: [plants], commands: [grow], limits, logger: keepingLogger() });
    for (const to of [10, huge, 10, huge, huge, 20]) {
      await app.execute(grow, { plant_id: 'a', to });
      const where = { times: { gte: 1 } };
      const isSmall = to < huge;
      expect(await app.count(plants)).toBe(isSmall ? 1 : 0);
      expect(await app.count(plants, { where })).toBe(isSmall ? 1 : 0);
      expect((await app.status()).reduction.failed).toHaveLength(isSmall ? 0 : 1);
      if (isSmall) continue;
      await expect(app.watch(plants, 'a').next()).rejects.toMatchObject({
        code: 'LimitExceeded',
        message: expect.stringMatching(/plants "a" has more than 16777216 bytes/),
      });
      expect((await app.rebuild(plants, { dryRun: true })).different).toBe(0);
    }
    expect((await app.find(plants)).documents).toMatchObject([{ version: 6, state: { times: 6 } }]);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('are stored at the last version that fits, wherever slices end', async () => {
    const random = seeded();
    const sizes = Array.from({ length: 12 }, () => (random() < 0.6 ? huge : 10));
    const fitting = (upTo: number): number => sizes.slice(0, upTo).lastIndexOf(10) + 1;
    const store = makeStore();
    const { plants, grow } = growing(indexes);
    const parts = { store, collections: [plants], commands: [grow], limits, logger: keepingLogger() } as const;
    for (let at = 0; at < sizes.length;) {
      const slice = 1 + Math.floor(random() * 4);
      {
        await using writer = await open({ ...parts, reduction: 'off' });
        for (const to of sizes.slice(at, at + slice)) await writer.execute(grow, { plant_id: 'a', to });
      }
      at = Math.min(at + slice, sizes.length);
      await using app = await open(parts);
      await until(async () => (await app.status()).reduction.lagEvents === 0);
      const stored = await storedSet(store);
      const isSmall = sizes[at - 1]! < huge;
      // Where it isn't known how it is, it is folded a little later.
      await until(async () => {
        const found = await stored.document('a');
        return found?.version === fitting(at) && (found.failed === undefined) === isSmall;
      });
      expect(await app.count(plants, { where: { times: at } })).toBe(isSmall ? 1 : 0);
      expect(await app.rebuild(plants)).toMatchObject({ different: 0 });
      expect(await app.count(plants)).toBe(isSmall ? 1 : 0);
    }
  });

  test('also those that no server keeps in memory, as they are beyond what it may hold', async () => {
    const store = makeStore();
    const { plants, grow } = growing();
    const parts = { store, collections: [plants], commands: [grow], logger: keepingLogger() } as const;
    await using writer = await open({ ...parts, reduction: 'off' });
    await using app = await open(parts);
    for (const to of [10, 70 * MIB, 70 * MIB, 10]) {
      const { position } = await writer.execute(grow, { plant_id: 'a', to });
      await app.count(plants, { fresh: position });
    }
    await until(async () => (await app.count(plants)) === 1);
    expect((await app.find(plants)).documents).toMatchObject([{ version: 4, state: { times: 4 } }]);
    expect((await app.status()).reduction.failed).toEqual([]);
  });

  test('and where a set is made', async () => {
    const store = makeStore();
    const { plants, grow } = growing(indexes);
    const parts = { store, collections: [plants], commands: [grow], limits, logger: keepingLogger() } as const;
    {
      await using writer = await open({ ...parts, reduction: 'off' });
      for (const to of [10, 10, huge]) await writer.execute(grow, { plant_id: 'a', to });
      for (const to of [huge, 10]) await writer.execute(grow, { plant_id: 'b', to });
      for (let n = 0; n < 21; n += 1) {
        const others = Array.from({ length: 500 }, (_, at) => writer.execute(grow, { plant_id: `c${at % 50}`, to: 1 }));
        await Promise.all(others);
      }
    }
    await using app = await open(parts);
    expect(await app.count(plants)).toBe(51);
    expect(await (await storedSet(store)).document('a')).toMatchObject({ version: 2, failed: expect.any(String) });
    await app.execute(grow, { plant_id: 'a', to: 10 });
    expect(await app.count(plants)).toBe(52);
    expect((await app.verify()).problems).toEqual([]);
  });
});

test('one that is too large and can’t be folded further isn’t stored as it is then either', async () => {
  const store = memory();
  const { plants, grow } = growing([], 3);
  await using app = await open({ store, collections: [plants], commands: [grow], logger: keepingLogger() });
  for (const to of [10, 17 * MIB, 10, 10]) await app.execute(grow, { plant_id: 'a', to });
  expect(await app.count(plants)).toBe(0);
  const failed = expect.stringContaining('withered');
  await until(async () => (await app.status()).reduction.failed[0]?.reason.includes('withered') === true);
  expect(await (await storedSet(store)).document('a')).toMatchObject({ version: 1, failed });
});
