/** What is judged before the lock is given is judged again under it; and who may do what. */
import { Client } from 'pg';
import { expect, it } from 'vitest';
import { testDatabase, waitsFor } from '../../../../test/support/postgres.ts';
import { until } from '../../../../test/support/until.ts';
import { COLLECTIONS, commit, event, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { register } from '../../../testing/conformance/registered.ts';
import type { Judge, Keying, LogFacts } from '../../store.ts';
import { postgres } from '../index.ts';
import { lockSql } from './lock.ts';

const database = testDatabase();
const keying = (name: string, facts: Partial<Keying> = {}): Keying => ({
  name,
  collection: name,
  key: { fields: ['id'] },
  state: 'live',
  filled: 0,
  ...facts,
});

/** Adds a keying, with the next number. */
const adding =
  (name: string): Judge =>
  ({ last }) => ({ raises: false, last: last + 1, keyings: [keying(name)] });

it('a change is judged again under the lock, by what was stored and changed meanwhile', async () => {
  const log = await TestLog.on(postgres(database.url, { schema: 'again' }));
  const other = await log.open();
  const judged: (readonly [boolean, number | undefined, boolean])[] = [];
  const judge: Judge = ({ keyings }, { isEmpty, firstOf }: LogFacts) => {
    judged.push([isEmpty, firstOf('NOTED'), keyings.some(({ name }) => name === 'other')]);
    return { raises: true, last: 50, keyings: [keying('mine')] };
  };
  let changing: Promise<unknown> | undefined;
  await other.exclusive(async (by) => {
    changing = log.session.change(judge);
    await until(async () => (await database.run(`SELECT ${waitsFor('write_lock')}`)).length === 1);
    await log.append(commit('c1', event('NOTED', user('u1'))), { by });
  });
  expect(await changing).toMatchObject({ generation: log.generation + 1, last: 50 });
  expect(judged).toEqual([
    [true, undefined, false],
    [false, 1, false],
  ]);
  // Other servers' changes wait for each other too, so none is lost.
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  await Promise.all(names.map((name, n) => (n % 2 === 0 ? log.session : other).change(adding(name))));
  const { keyings, last, generation } = await other.registry();
  expect(keyings.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  expect([last, generation]).toEqual([56, log.generation + 1]);
  await log.close();
});

it('nothing is changed, and the lock is free, when the judge throws under the lock', async () => {
  const log = await TestLog.on(postgres(database.url, { schema: 'throws' }));
  let asked = 0;
  const judge: Judge = ({ last }) => {
    if ((asked += 1) === 2) throw new RangeError('not that');
    return { raises: true, last, keyings: [keying('mine')] };
  };
  await expect(log.session.change(judge)).rejects.toThrow(new RangeError('not that'));
  expect(await log.session.registry()).toEqual(log.registry);
  await log.append(commit('c1', event('NOTED')));
  await log.close();
});

it('a change that finds nothing to do waits for no lock', async () => {
  const log = await TestLog.on(postgres(database.url, { schema: 'unchanged', lockTimeoutMs: 500 }));
  const holder = new Client(database.url);
  await holder.connect();
  await holder.query(`BEGIN; ${lockSql('unchanged')}`);
  expect(await register(log.session, COLLECTIONS)).toEqual(log.registry);
  const more = register(log.session, [{ ...COLLECTIONS[0]!, name: 'more' }]);
  await expect(more).rejects.toMatchObject({ code: 'StoreUnavailable' });
  await holder.end();
  await log.close();
});
