/** Law 7 where a commit waits for a standby, and somebody ends the waiting: on a server of the test's own, without one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ask } from '../../../test/support/postgres-cluster.ts';
import { start, type Server } from '../../../test/support/postgres-server.ts';
import { Proxy } from '../../../test/support/proxy.ts';
import { until } from '../../../test/support/until.ts';
import { commit, event, user } from '../../testing/conformance/batches.ts';
import { TestLog } from '../../testing/conformance/log.ts';
import { postgres } from './index.ts';

/** Backends whose commit is stored here and waits for a standby. */
const WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

/** The type of a message that PostgreSQL sends beside its answers. */
const NOTICE = 'N'.charCodeAt(0);

let server: Server;
beforeEach(async () => {
  server = await start();
});
afterEach(() => server.end());

async function standbys(names: string): Promise<void> {
  await ask(server, `ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
  await ask(server, 'SELECT pg_reload_conf()');
  if (names === '') return;
  await until(probeWaits);
}

/** Whether a commit waits by now: another process of the server's takes the new setting in, when it comes to it. */
async function probeWaits(): Promise<boolean> {
  const client = new Client(server.url);
  client.on('error', () => undefined);
  await client.connect();
  const probed = { over: false };
  const probe = client
    .query("SELECT pg_logical_emit_message(true, 'probe', '')")
    .catch(() => undefined)
    .finally(() => (probed.over = true));
  let waits = false;
  while (!probed.over && !waits) waits = await isWaiting();
  if (waits) await ask(server, `SELECT pg_terminate_backend(pid) ${WAITING}`);
  await probe;
  await client.end().catch(() => undefined);
  return waits;
}

const isWaiting = async (): Promise<boolean> => (await ask(server, `SELECT count(*)::int ${WAITING}`)) === 1;

const unknown = expect.objectContaining({
  code: 'StoreUnavailable',
  details: expect.objectContaining({ unknown: true }),
});

const QUIET = "client_min_messages = 'error'";

it.each([
  ['pg_cancel_backend', ''],
  ['pg_terminate_backend', ''],
  ['pg_cancel_backend', QUIET],
])(
  'law 7: a commit whose waiting for a standby was ended by %s is not acknowledged, nor by the ledger until a standby has it %s',
  async (end, setting) => {
    if (setting !== '') await ask(server, `ALTER ROLE postgres SET ${setting}`);
    const log = await TestLog.on(postgres(server.url));
    await log.append(commit('c0', event('NOTED')));
    await standbys('nobody');
    const sent = log.send(commit('c1', event('NOTED', user('u1'))));
    await until(isWaiting);
    await Promise.all([expect(sent).rejects.toThrow(unknown), ask(server, `SELECT ${end}(pid) ${WAITING}`)]);
    // It is stored here, and anybody sees it.
    expect((await log.session.load([{ ...user('u1'), after: 0 }])).documents[0]?.head).toBe(1);
    let answered = false;
    const asked = log.session.ledger(['c1']).finally(() => (answered = true));
    await until(isWaiting);
    expect(answered).toBe(false);
    await standbys('');
    expect(await asked).toHaveLength(1);
    await log.close();
  },
);

it('law 7: where notices don’t arrive, nothing is acknowledged, and nothing opened', async () => {
  const proxy = await Proxy.to(server.port);
  const url = Object.assign(new URL(server.url), { port: String(proxy.port) }).href;
  const log = await TestLog.on(postgres(url, { connectTimeoutMs: 100 }));
  await log.append(commit('c0', event('NOTED')));
  proxy.swallow = (message) => message[0] === NOTICE;
  await expect(log.send(commit('c1', event('NOTED')))).rejects.toThrow(unknown);
  await expect(log.session.ledger(['c1'])).rejects.toThrow(expect.objectContaining({ code: 'StoreUnavailable' }));
  const section = log.session.exclusive(async (by) => void (await log.append(commit('c2', event('NOTED')), { by })));
  await expect(section).rejects.toThrow(expect.objectContaining({ code: 'StoreUnavailable' }));
  await expect(postgres(url).open()).rejects.toThrow(
    expect.objectContaining({
      code: 'NotWritable',
      message: expect.stringMatching(/notices of PostgreSQL at .* don't arrive here/),
    }),
  );
  proxy.swallow = () => false;
  expect((await log.session.ledger(['c1', 'c2'])).map(({ command }) => command.id)).toEqual(['c1']);
  await log.close();
  await proxy.close();
});

it.each(['', QUIET])(
  'law 7: an exclusive section whose waiting for a standby was ended is not acknowledged %s',
  async (setting) => {
    if (setting !== '') await ask(server, `ALTER ROLE postgres SET ${setting}`);
    const log = await TestLog.on(postgres(server.url));
    await standbys('nobody');
    const section = log.session.exclusive(async (by) => void (await log.append(commit('c1', event('NOTED')), { by })));
    void section.catch(() => undefined);
    await until(isWaiting);
    await ask(server, `SELECT pg_cancel_backend(pid) ${WAITING}`);
    await expect(section).rejects.toThrow(unknown);
    await standbys('');
    expect(await log.session.ledger(['c1'])).toHaveLength(1);
    await log.close();
  },
);

it.each(['append', 'exclusive'])(
  'law 7: one that waits for a standby too long is given up, and not ended: nobody sees what no standby has (%s)',
  async (kind) => {
    const log = await TestLog.on(postgres(server.url, { answerTimeoutMs: 200, lockTimeoutMs: 100 }));
    await standbys('nobody');
    const note = commit('c1', event('NOTED', user('u1')));
    const sent =
      kind === 'append' ? log.send(note) : log.session.exclusive(async (by) => void (await log.send(note, { by })));
    await expect(sent).rejects.toThrow(unknown);
    await sleep(300);
    expect(await isWaiting()).toBe(true);
    expect((await log.session.load([{ ...user('u1'), after: 0 }])).documents[0]?.head).toBe(0);
    await standbys('');
    expect(await log.session.ledger(['c1'])).toHaveLength(1);
    await log.close();
  },
);
