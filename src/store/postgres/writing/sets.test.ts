/** A step of a set and the other writers: who waits for whom, and what is known after a lost connection. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { Proxy } from '../../../../test/support/proxy.ts';
import { until } from '../../../../test/support/until.ts';
import { commit, event, range, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { above, document, entry, key, TestSet } from '../../../testing/conformance/sets.ts';
import type { Index } from '../../store.ts';
import { postgres } from '../index.ts';

const database = testDatabase();
let proxy: Proxy;
beforeEach(async () => {
  proxy = await Proxy.to(Number(new URL(database.url).port));
});
afterEach(() => proxy.close());

/** A log with an event, directly and by way of the proxy. */
async function logs(schema: string): Promise<{ log: TestLog; set: TestSet; far: TestLog }> {
  const url = Object.assign(new URL(database.url), { hostname: '127.0.0.1', port: String(proxy.port) });
  const log = await TestLog.on(postgres(database.url, { schema, connections: 3 }));
  await log.append(commit('c1', event('BOUGHT', user('u1'))));
  const far = await TestLog.on(postgres(url.href, { schema, connections: 2 }));
  return { log, set: TestSet.of(log), far };
}

/** Whether somebody waits for a lock of a row. */
const waitsForRow = async (): Promise<boolean> =>
  (
    await database.run(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
      AND wait_event IN ('transactionid', 'tuple')`)
  ).length > 0;

/** From now on whoever writes to a table pauses in it for a second. */
const sleepsAt = (table: string): Promise<unknown> =>
  database.run(`
    CREATE OR REPLACE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
    CREATE TRIGGER slowly AFTER INSERT OR UPDATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION public.slowly()`);
const sleeps = async (): Promise<boolean> =>
  (await database.run("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"))
    .length > 0;

it('a step waits for no writer of the log, and none waits for it', async () => {
  const { log, set, far } = await logs('beside');
  await log.session.exclusive(async () => {
    await set.advance([document('u1')], { by: far.session });
  });
  await sleepsAt('beside.stored');
  let isDone = false;
  const step = far.session.advance(set.step([document('u1', 2)])).finally(() => (isDone = true));
  await until(sleeps);
  await log.append(commit('c2', event('BOUGHT', user('u1'))));
  await log.session.exclusive(async (by) => void (await log.append(commit('c3', event('BOUGHT', user('u1'))), { by })));
  expect(isDone).toBe(false);
  expect(await step).toBe('stored');
  await database.run('DROP TRIGGER IF EXISTS slowly ON beside.stored');
  expect(await log.session.check()).toEqual([]);
  await Promise.all([log.close(), far.close()]);
});

it('of many steps from one place one is stored, whoever sends them (law 6)', async () => {
  const { log, set, far } = await logs('racing');
  const other = await log.open();
  for (const round of range(1, 10)) {
    const { end } = await log.append(commit(`r${round}`, event('BOUGHT', user('u1'))));
    const steps = [log.session, other, far.session].flatMap((by, n) =>
      range(1, 3).map((m) => by.advance(set.step([document('u1', round, { state: `"${n}.${m}"` })], { to: end }))),
    );
    const answers = await Promise.all(steps);
    expect(answers.toSorted()).toEqual([...range(1, 8).map(() => 'moved'), 'stored']);
    set.place = { position: end.position, hash: end.hash };
    const { place, documents } = await set.byIds(['u1']);
    expect([place, documents[0]!.version]).toEqual([set.place, round]);
  }
  await Promise.all([log.close(), far.close()]);
});

it('a step whose answer was lost is unknown, and its repeat finds that the set has moved', async () => {
  const { log, set, far } = await logs('unknown');
  let lost = false;
  proxy.swallow = (bytes) => (lost ||= bytes.includes('stored'));
  const step = set.step([document('u1')]);
  const sent = far.session.advance(step);
  void sent.catch(() => undefined);
  await until(() => lost);
  proxy.cut();
  await expect(sent).rejects.toMatchObject({ code: 'StoreUnavailable', details: { unknown: true } });
  proxy.swallow = () => false;
  expect(await far.session.advance(step)).toBe('moved');
  // Nothing of the ledger was in doubt.
  expect(await database.run('SELECT FROM unknown.fences')).toHaveLength(0);
  set.place = step.to;
  expect((await set.all()).map(({ id, version }) => [id, version])).toEqual([['u1', 1]]);
  await Promise.all([log.close(), far.close()]);
});

it('what a section reads of a set stays as it is until the section is over', async () => {
  const { log, set, far } = await logs('held');
  await set.advance([document('u1'), document('u2')]);
  const index: Index = { number: 90, set: set.number, fields: ['a'], state: 'filling', usedAt: 0 };
  const { generation } = await log.session.change(() => ({ raises: true, last: 90, indexes: [index] }));
  set.generation = generation;
  const { end } = await log.append(commit('c2', event('BOUGHT', user('u1'))), { generation });
  const to = { position: end.position, hash: end.hash };
  const next = set.step([document('u1', 2)], {
    to,
    added: [entry(90, 'new', 'u1')],
    dropped: [entry(90, 'old', 'u1')],
  });
  let step: Promise<unknown> | undefined;
  await log.session.exclusive(async (by) => {
    const page = await by.stored({ set: set.number, limit: 10 });
    step = far.session.advance(next);
    await until(waitsForRow);
    expect(await by.stored({ set: set.number, limit: 10 })).toEqual(page);
    const entries = [entry(90, 'old', 'u1'), entry(90, 'other', 'u2')];
    expect(await by.fillIndex({ index: 90, from: undefined, to: undefined, entries, live: true })).toBe(true);
    expect(await by.stored({ set: set.number, index: 90, limit: 10 })).toMatchObject({ documents: [{}, {}] });
  });
  // The index is live by now, and the step of the generation before.
  expect(await step).toBe('behind');
  expect(await log.session.advance({ ...next, generation: generation + 1 })).toBe('stored');
  set.place = to;
  expect((await set.all({ index: 90 })).map(({ id, version }) => [id, version])).toEqual([
    ['u1', 2],
    ['u2', 1],
  ]);
  expect(await log.session.check()).toEqual([]);
  await Promise.all([log.close(), far.close()]);
});

it('a step that waits for a change of the registry is behind then', async () => {
  const { log, set, far } = await logs('raised');
  let step: Promise<unknown> | undefined;
  await sleepsAt('raised.keyings');
  const changing = log.session.change(({ last, keyings: [one] }) => ({ raises: true, last, keyings: [one!] }));
  await until(sleeps);
  step = far.session.advance(set.step([document('u1')]));
  await until(waitsForRow);
  await changing;
  expect(await step).toBe('behind');
  expect((await set.page({ limit: 10 })).documents).toEqual([]);
  await Promise.all([log.close(), far.close()]);
});

it('a step waits for no disk, whatever the default is', async () => {
  const { log, set, far } = await logs('level');
  await database.run(`
    CREATE TABLE public.levels (level text);
    CREATE FUNCTION public.levels() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO public.levels VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON level.stored DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION public.levels()`);
  await set.advance([document('u1')]);
  expect(await database.run('SELECT level FROM public.levels')).toEqual([{ level: 'off' }]);
  await Promise.all([log.close(), far.close()]);
});

it('a page deep in a list of many documents looks at no more rows than the first, in both directions', async () => {
  const { log, set, far } = await logs('deep');
  for (const from of range(0, 9)) {
    const ids = range(from * 1_000, from * 1_000 + 999).map((n) => `d${String(n).padStart(5, '0')}`);
    await set.advance(ids.map((id) => document(id)));
  }
  const client = postgres(database.url, { schema: 'deep' });
  const looked = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const [row] = await database.run<{ read: string }>(`SELECT pg_stat_force_next_flush(), (
      SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_all_tables WHERE schemaname = 'deep' AND relname = 'stored') AS read`);
    return Number(row!.read);
  };
  for (const reverse of [false, true]) {
    for (const at of ['d00000', 'd09000']) {
      const session = await client.open();
      const before = await looked();
      const bound = reverse ? { below: above(key(at.replace('00000', '00100'))) } : { from: key(at) };
      expect((await set.page({ ...bound, reverse, limit: 20 }, session)).documents).toHaveLength(20);
      // Its connections report what they have read when they end.
      await session.close();
      const rows = (await looked()) - before;
      expect(rows).toBeGreaterThan(19);
      expect(rows).toBeLessThan(60);
    }
  }
  await Promise.all([log.close(), far.close()]);
});
