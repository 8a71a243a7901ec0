/** What the function that registers believes: nothing that its caller says of what is registered, or of the log. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, it } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { commit, event } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import type { CollectionEntry } from '../../store.ts';
import { postgres } from '../index.ts';
import { lockSql } from './lock.ts';

const database = testDatabase();
let schemas = 0;

const MAPPED: CollectionEntry = {
  name: 'mapped',
  definition: 1,
  key: { types: { A: ['a', 'b'], B: 'function' } },
  handled: ['A', 'B'],
};

async function logWith(
  ...collections: CollectionEntry[]
): Promise<{ schema: string; log: TestLog; generation: number }> {
  const schema = `registry_${(schemas += 1)}`;
  const log = await TestLog.on(postgres(database.url, { schema }));
  return { schema, log, generation: (await log.session.register(collections)).generation };
}

/** Calls it as anybody could who has the rights of a server. */
async function call(
  schema: string,
  generation: number,
  { name, definition, key, handled }: CollectionEntry,
): Promise<string> {
  const given = [name, definition, JSON.stringify(key), JSON.stringify(handled)].map((value) => `ARRAY['${value}']`);
  const [names, definitions, keys, types] = given;
  const [row] = await database.run<{ status: string }>(
    `SELECT status FROM ${schema}.register_v1('1000', ${generation}, ${names}, ${definitions}::bigint[], ${keys}, ${types},
       (SELECT l.id FROM ${schema}.log l))`,
  );
  return row!.status;
}

it('what is registered only grows, whatever a role sends (law 4)', async () => {
  const { schema, log, generation } = await logWith(MAPPED);
  const before = await log.session.registry();
  const users = before.collections.find(({ name }) => name === 'users')!;
  const wrong: readonly CollectionEntry[] = [
    { ...MAPPED, definition: 2 },
    { ...MAPPED, handled: ['A'] },
    { ...MAPPED, handled: ['A', 'C'] },
    { ...MAPPED, key: { types: { A: ['a', 'b'] } } },
    { ...MAPPED, key: { types: { A: ['b', 'a'], B: 'function' } } },
    { ...MAPPED, key: { types: { A: ['a', 'b', 'c'], B: 'function' } } },
    { ...MAPPED, key: { types: { A: ['a', 'b'], B: ['b'], C: ['c'] } } },
    { ...MAPPED, key: { fields: ['a', 'b'] } },
    { ...users, key: { fields: ['id'] } },
    { ...users, key: { types: {} } },
    { ...users, handled: ['BOUGHT'] },
  ];
  for (const entry of wrong) await expect(call(schema, generation, entry)).rejects.toThrow('only get more types');
  expect(await log.session.registry()).toEqual(before);
  const grown = {
    ...MAPPED,
    key: { types: { A: ['a', 'b'], B: 'function', C: ['c'] } },
    handled: ['A', 'B', 'C', 'D'],
  };
  expect(await call(schema, generation, grown as CollectionEntry)).toBe('done');
  expect((await log.session.registry()).collections[0]).toEqual(grown);
  // From a map that names nothing, too.
  const empty: CollectionEntry = { ...MAPPED, name: 'empty', key: { types: {} }, handled: [] };
  await log.session.register([empty]);
  expect(await call(schema, generation + 2, { ...empty, key: { types: { A: ['a'] } } })).toBe('done');
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

it('nothing is written by an old registry, nor what the log holds, nor a collection that is late (law 4)', async () => {
  const { schema, log, generation } = await logWith(MAPPED);
  await log.append([commit('c1', event('HELD'), { outcome: 'failed', reason: 'NO' })], { generation });
  const before = await log.session.registry();
  expect(await call(schema, generation - 1, { ...MAPPED, handled: ['A', 'B', 'C'] })).toBe('moved');
  expect(await call(schema, generation, { ...MAPPED, handled: ['A', 'B', 'HELD'] })).toBe('moved');
  const keyed = { ...MAPPED, key: { types: { A: ['a', 'b'], B: 'function', HELD: ['a'] } } } as CollectionEntry;
  expect(await call(schema, generation, keyed)).toBe('moved');
  expect(await call(schema, generation, { ...MAPPED, name: 'late' })).toBe('moved');
  expect(await log.session.registry()).toEqual(before);
  await log.close();
});

it('what is stored between the look and the lock is seen: the caller looks again (law 4)', async () => {
  const { schema, log, generation } = await logWith(MAPPED);
  const holder = new Client(database.url);
  await holder.connect();
  for (const [round, type] of ['C', 'D'].entries()) {
    await holder.query('BEGIN');
    await holder.query(lockSql(schema));
    // It has looked, and waits for the lock; before it gets that, the type is stored, or another server has grown.
    const registering = log.session
      .register([{ ...MAPPED, handled: ['A', 'B', 'X', type] }])
      .catch((error: unknown) => error);
    await sleep(100);
    if (round === 0) {
      await holder.query(`
        INSERT INTO ${schema}.names VALUES (99, 'C');
        INSERT INTO ${schema}.types VALUES (99, 1, 1)`);
    } else {
      await holder.query(`
        UPDATE ${schema}.registry SET handled = '["A","B","Y"]' WHERE name = 'mapped';
        UPDATE ${schema}.meta SET value = value + 1`);
    }
    await holder.query('COMMIT');
    expect(await registering).toMatchObject({ code: 'DefinitionChanged' });
  }
  expect((await log.session.registry()).generation).toBe(generation + 1);
  await holder.end();
  await log.close();
});
