/** The programs in examples/, as a reader starts them: in processes of their own, over real HTTP, killed and started again. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { temporaryFolder } from './support/stores.ts';

const examples = join(import.meta.dirname, '../examples');
const folder = temporaryFolder();
const CONDITIONS = '--conditions=@tidemark/source';
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

let logs = 0;
function freshLog(): string {
  return join(folder, `theatre-${(logs += 1)}.db`);
}

/** A program that goes on, and what it prints. */
function start(name: string, ...args: string[]) {
  const child = spawn(process.execPath, [CONDITIONS, join(examples, name), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  const exited = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>;
  return { child, lines, exited };
}

async function server(log: string) {
  const { child, lines, exited } = start('http-server.ts', log);
  await vi.waitFor(() => expect(lines).toHaveLength(1), { timeout: 30_000, interval: 20 });
  const post = async (path: string, body: unknown, id?: string) => {
    const headers = { 'Content-Type': 'application/json', ...(id === undefined ? {} : { 'Idempotency-Key': id }) };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${lines[0]}${path}`, { method: 'POST', headers, body: text });
    const answer = (await response.json()) as { readonly replayed?: boolean };
    return { http: response.status, retryAfter: response.headers.get('Retry-After'), ...answer };
  };
  const get = async (path: string) => (await fetch(`${lines[0]}${path}`)).json();
  return { child, exited, post, get };
}

test.each(readdirSync(examples).filter((name) => name.endsWith('.ts')))('%s can be read at a glance', (name) => {
  expect(readFileSync(join(examples, name), 'utf8').split('\n').length - 1).toBeLessThan(60);
});

test('first.ts sells what there is, and says the same when it is started again', () => {
  const log = freshLog();
  const said = () =>
    execFileSync(process.execPath, [CONDITIONS, join(examples, 'first.ts'), log], { encoding: 'utf8' });
  const first = said();
  expect(first.split('\n')).toEqual([
    'ann succeeded ',
    'bob succeeded ',
    'eve failed SOLD_OUT',
    'Hamlet: 0 seats left, at version 4',
    '1 SHOW_ANNOUNCED',
    '2 TICKET_SOLD',
    '3 TICKET_SOLD',
    '4 SELL_TICKET_FAILED',
    '',
  ]);
  expect(said()).toBe(first);
});

// At once: they wait most of the time.
describe.concurrent('http-server.ts', () => {
  test('two processes on one file answer a command that both are sent alike, and sell what there is', async () => {
    const log = freshLog();
    const [one, other] = await Promise.all([server(log), server(log)]);
    const show = { show_id: 'hamlet', seats: 3 };
    expect(await one.post('/announce-show', show, 'a1')).toMatchObject({ http: 201, status: 'succeeded', position: 1 });
    const guests = Array.from({ length: 8 }, (_, n) => ({ show_id: 'hamlet', guest_id: `g${n}` }));
    // Each is sent to both at once, with one id.
    const answers = await Promise.all(
      guests.map((guest, n) =>
        Promise.all([one, other].map((server) => server.post('/sell-ticket', guest, `sale-${n}`))),
      ),
    );
    for (const pair of answers) {
      const [told, toldAgain] = pair.map((told) => ({ ...told, replayed: undefined, http: Math.max(201, told.http) }));
      expect(toldAgain).toEqual(told);
      expect(pair.map(({ replayed }) => replayed).sort()).toEqual([false, true]);
    }
    const outcomes = answers.map(([answer]) => answer!);
    expect(outcomes.filter(({ http }) => http < 300)).toHaveLength(3);
    expect(outcomes.filter(({ http }) => http >= 300)).toEqual(
      Array.from({ length: 5 }, () => expect.objectContaining({ http: 409, status: 'failed', reason: 'SOLD_OUT' })),
    );
    expect(await other.get('/shows/hamlet')).toMatchObject({ id: 'hamlet', version: 9, state: { left: 0 } });

    for (const { child } of [one, other]) child.kill('SIGTERM');
    expect(await Promise.all([one.exited, other.exited])).toEqual([
      [0, null],
      [0, null],
    ]);
  });

  test('maps what is refused and what goes wrong to statuses', async () => {
    const { post } = await server(freshLog());
    const sale = { show_id: 'faust', guest_id: 'ann' };
    expect(await post('/sell-ticket', sale, 's1')).toMatchObject({
      http: 404,
      reason: 'UNKNOWN_SHOW',
      retryable: false,
    });
    expect(await post('/sell-ticket', { ...sale, guest_id: 'bob' }, 's1')).toMatchObject({
      http: 422,
      code: 'CommandIdReused',
      retryable: false,
      retryAfter: null,
    });
    expect(await post('/sell-ticket', sale)).toMatchObject({ http: 400, code: 'InvalidInput' });
    expect(await post('/sell-ticket', { show_id: 'faust' }, 's2')).toMatchObject({ http: 400, code: 'InvalidInput' });
    expect(await post('/sell-ticket', 'no JSON', 's3')).toMatchObject({ http: 400, code: 'InvalidInput' });
  });

  test('asks to try later where that may help', async () => {
    const log = freshLog();
    const { post } = await server(log);
    const locks = new DatabaseSync(log);
    locks.exec('BEGIN EXCLUSIVE');
    const answer = await post('/announce-show', { show_id: 'faust', seats: 1 }, 'a1');
    expect(answer).toMatchObject({ http: 503, retryAfter: '1', code: 'StoreUnavailable', retryable: true });
    locks.exec('ROLLBACK');
    locks.close();
    expect(await post('/announce-show', { show_id: 'faust', seats: 1 }, 'a1')).toMatchObject({ http: 201 });
  });

  test('answers what is on its way when it is told to end', async () => {
    const log = freshLog();
    const { child, exited, post } = await server(log);
    const answers = Array.from({ length: 50 }, (_, n) =>
      post('/announce-show', { show_id: `s${n}`, seats: 1 }, `a${n}`),
    );
    await answers[0];
    child.kill('SIGTERM');
    const told = await Promise.allSettled(answers);
    expect(await exited).toEqual([0, null]);
    // A request that came too late found nobody; whoever was answered is in the log.
    const stored = told.filter((one) => one.status === 'fulfilled' && one.value.http === 201).length;
    const database = new DatabaseSync(log, { readOnly: true });
    expect(database.prepare('SELECT count(*) AS stored FROM commits').get()).toEqual({ stored });
    database.close();
  });
});

test('read-model.ts knows of tickets that were sold before it, counts each once however often it is killed, and follows', async () => {
  const log = freshLog();
  const { post } = await server(log);
  for (const show_id of ['hamlet', 'faust']) await post('/announce-show', { show_id, seats: 1_000 }, show_id);
  let sold = 0;
  const sell = async (): Promise<void> => {
    const show_id = sold % 3 === 0 ? 'faust' : 'hamlet';
    await post('/sell-ticket', { show_id, guest_id: 'ann' }, `sale-${sold}`);
    sold += 1;
  };
  for (let n = 0; n < 30; n += 1) await sell();
  const over = new AbortController();
  const selling = (async () => {
    while (!over.signal.aborted) await sell();
  })();

  for (let life = 0; life < 3; life += 1) {
    const { child, lines, exited } = start('read-model.ts', log);
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(5), { timeout: 30_000, interval: 5 });
    child.kill('SIGKILL');
    await exited;
    const [, hamlet, faust] = /^hamlet (\d+), faust (\d+)$/.exec(lines.at(-1)!) ?? [];
    expect(Number(hamlet) + Number(faust)).toBeGreaterThan(30);
  }
  over.abort();
  await selling;

  const { child, lines, exited } = start('read-model.ts', log);
  const faust = Math.ceil(sold / 3);
  const all = `hamlet ${sold - faust}, faust ${faust}`;
  await vi.waitFor(() => expect(lines.at(-1)).toBe(all), { timeout: 30_000, interval: 5 });
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});
