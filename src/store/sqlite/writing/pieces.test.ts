/** Writes that are far larger than those of a portion: others get turns of the event loop meanwhile, and nothing is stored by halves. */
import { join } from 'node:path';
import { setImmediate as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test/support/stores.ts';
import { commit, event, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { addKeying } from '../../../testing/conformance/registered.ts';
import { document, TestSet } from '../../../testing/conformance/sets.ts';
import { sqlite } from '../index.ts';

const MANY = 40_000;
const ids = Array.from({ length: MANY }, (_, n) => `i${n}`);

const logOf = () => TestLog.on(sqlite(join(temporaryFolder(), 'log.db')));

/** How many turns of the event loop there are meanwhile. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  const done = new AbortController();
  const working = work().finally(() => done.abort());
  let turns = 0;
  for (; !done.signal.aborted; turns += 1) await pause();
  await working;
  return turns;
}

async function page(log: TestLog) {
  await log.append(commit('c1', event('NOTED', user('u1'))));
  const { generation } = await addKeying(log.session, 'rooms');
  const seen = (await log.session.load([])).end;
  const attachments = [{ position: 1, type: 'NOTED', ids }];
  return { keying: 'rooms', generation, from: 0, to: 1, seen, attachments, live: false };
}

const filled = async (log: TestLog) =>
  (await log.session.registry()).keyings.find(({ name }) => name === 'rooms')?.filled;

it('attaching an event to many documents gives turns', async () => {
  const log = await logOf();
  const given = await page(log);
  expect(await turnsDuring(() => log.session.exclusive((locked) => locked.attach(given)))).toBeGreaterThan(5);
  expect(await filled(log)).toBe(1);
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

it('a section that ends, or is given up, while it attaches stores nothing of it', async () => {
  const log = await logOf();
  const given = await page(log);
  let late: Promise<unknown> | undefined;
  const ended = log.session.exclusive(async (locked) => {
    late = locked.attach(given);
    late.catch(() => undefined);
    for (let n = 0; n < 4; n += 1) await pause();
    throw new Error('given up');
  });
  await expect(ended).rejects.toThrow('given up');
  await expect(late).rejects.toMatchObject({ code: 'Closed' });
  expect(await filled(log)).toBe(0);
  expect(await log.session.check()).toEqual([]);
  expect(await log.session.exclusive((locked) => locked.attach(given))).toBe('stored');
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

it('storing many documents gives turns; closing in the midst of it stores none of them', async () => {
  const log = await logOf();
  const set = TestSet.of(log);
  await log.append(commit('c1', event('NOTED', user('u1'))));
  const documents = ids.map((id) => document(id));
  expect(await turnsDuring(() => set.advance(documents))).toBeGreaterThan(5);
  await log.append(commit('c2', event('NOTED', user('u1'))));
  const other = await log.store.open();
  const stepping = set.send(
    ids.map((id) => document(id, 2)),
    { by: other },
  );
  const closing = pause().then(() => other.close({ timeoutMs: 0 }));
  await expect(stepping).rejects.toMatchObject({ code: 'Closed' });
  await closing;
  const page2 = await log.session.stored({ set: set.number, ids: ['i0', 'i39999'] });
  expect(page2?.documents.map(({ version }) => version)).toEqual([1, 1]);
  expect(await log.session.check()).toEqual([]);
  await log.close();
});
