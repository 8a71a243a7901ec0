/** Processes that race, are killed, or run out of space, on one file. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Readable, Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { range, service } from '../../testing/conformance/batches.ts';
import { allEvents, everything } from '../../testing/conformance/log.ts';
import type { Session } from '../store.ts';
import { CHECKPOINT_PAGES } from './connecting/connection.ts';
import { sqlite } from './index.ts';

const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

/** What a child process begins with: an open log. */
const PRELUDE = `
  import { at, above, commit, event, range, service, user } from ${url('../../testing/conformance/batches.ts')};
  import { TestLog } from ${url('../../testing/conformance/log.ts')};
  import { sqlite } from ${url('./index.ts')};
  const [file, name] = process.argv.slice(1);
  const log = await TestLog.on(sqlite(file));
`;

const BATCH = 7;

/** Batches of seven commits, one after the other, each reported when it is acknowledged. */
const APPEND_FOR_EVER = `${PRELUDE}
  log.end = (await log.session.read({ limit: 1 })).end;
  for (let n = 1; ; n++) {
    const commits = range(1, ${BATCH}).map((m) =>
      commit(name + '-' + n + '-' + m, event('BOUGHT', service('s' + (n % 50)), user('u' + m))));
    try {
      const { end } = await log.append(commits);
      process.stdout.write(end.position + '\\n');
    } catch (error) {
      process.stdout.write(JSON.stringify(error) + '\\n');
      break;
    }
  }`;

let directory: string;
let file: string;
const children = new Set<ChildProcessByStdio<Writable, Readable, null>>();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-crash-'));
  file = join(directory, 'market.db');
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  rmSync(directory, { recursive: true });
});

function start(code: string, name: string, shell = 'exec "$@"') {
  const argv = ['-c', shell, 'sh', process.execPath, '--input-type=module', '-e', code, file, name];
  const child = spawn('sh', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  // The last line may have been cut off by the kill.
  return { child, exit, lines: () => output.split('\n').slice(0, -1) };
}

/** Whole batches, dense positions, nothing that check finds, and all that was acknowledged. */
async function sound(session: Session, acknowledged: number): Promise<void> {
  expect(await session.check()).toEqual([]);
  const events = await allEvents(session);
  expect(events.map(({ position }) => position)).toEqual(range(1, events.length));
  expect(events.length % BATCH).toBe(0);
  expect(events.length).toBeGreaterThanOrEqual(acknowledged);
}

it('laws 2 and 7: a process killed at any moment leaves whole batches, and all that it acknowledged', async () => {
  let acknowledged = 0;
  for (const life of range(1, 5)) {
    const { child, exit, lines } = start(APPEND_FOR_EVER, `life-${life}`);
    while (lines().length < 5) await setTimeout(2);
    await setTimeout(Math.random() * 60);
    child.kill('SIGKILL');
    await exit;
    const last = Number(lines().at(-1));
    expect(last).toBeGreaterThan(acknowledged);
    acknowledged = last;
    // Without closing the log first: the write-ahead log is recovered as it was left.
    const session = await sqlite(file).open();
    await sound(session, acknowledged);
    await session.close();
  }
});

/** Commits so long that a checkpoint has much to copy, which is asked for after each batch. */
const CHECKPOINT_FOR_EVER = `${PRELUDE}
  import { DatabaseSync } from 'node:sqlite';
  const other = new DatabaseSync(file);
  log.end = (await log.session.read({ limit: 1 })).end;
  for (let n = 1; ; n++) {
    const commits = range(1, ${BATCH * 20}).map((m) =>
      commit(name + '-' + n + '-' + m, { ...event('BOUGHT', user('u' + m)), json: 'x'.repeat(3_000) }));
    const { end } = await log.append(commits);
    process.stdout.write(end.position + '\\n');
    other.exec('PRAGMA wal_checkpoint');
  }`;

it('law 7: a process killed in the middle of a checkpoint loses nothing', async () => {
  let acknowledged = 0;
  for (const life of range(1, 8)) {
    const { child, exit, lines } = start(CHECKPOINT_FOR_EVER, `life-${life}`);
    while (lines().length < 2) await setTimeout(1);
    await setTimeout(Math.random() * 20);
    child.kill('SIGKILL');
    await exit;
    acknowledged = Number(lines().at(-1));
    const session = await sqlite(file).open();
    await sound(session, acknowledged);
    await session.close();
  }
});

it('a log can be opened at any moment while another process writes to it and checkpoints it', async () => {
  const { child, exit, lines } = start(CHECKPOINT_FOR_EVER, 'writer');
  while (lines().length < 1) await setTimeout(1);
  let position = 0;
  for (let opened = 0; opened < 100; opened++) {
    const session = await sqlite(file).open();
    const { end } = await session.load([]);
    expect(end.position).toBeGreaterThanOrEqual(position);
    position = end.position;
    await session.close();
    // The file grows meanwhile, which is what a checkpoint shows to whoever opens it; but not without end.
    if (opened > 20 && lines().length > 100) break;
  }
  child.kill('SIGKILL');
  await exit;
});

/** The shell bounds the size of files (in blocks of 512 bytes): writing beyond it fails as on a full disk. */
const SMALL_DISK = 'ulimit -f 2000; exec "$@"';

describe.skipIf(process.platform === 'win32')('a disk that is full', () => {
  it('law 7: an unknown commit, whole batches, and the same session goes on when there is room', async () => {
    // As an engine does: what is unknown is sent again with the same ids.
    const code = `${PRELUDE}
      import { createInterface } from 'node:readline/promises';
      const parent = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
      let failures = 0;
      for (let n = 1; failures < 3;) {
        const commits = range(1, ${BATCH}).map((m) =>
          commit(name + '-' + n + '-' + m, event('BOUGHT', service('s' + (n % 50)), user('u' + m), user('n' + n))));
        try {
          const answer = await log.send(commits);
          if (answer.status !== 'stored' && answer.duplicates?.length !== ${BATCH}) throw new Error(answer.status);
          process.stdout.write(JSON.stringify({ position: answer.end.position }) + '\\n');
          n++;
        } catch (error) {
          failures++;
          process.stdout.write(JSON.stringify({ failed: error, findings: await log.session.check() }) + '\\n');
          await parent.next();
        }
      }
      await log.close();
      process.exit(0);`;
    const { child, exit, lines } = start(code, 'full', SMALL_DISK);
    const said = () => lines().map((line) => JSON.parse(line) as { position?: number; failed?: object });
    for (const failures of [1, 2, 3]) {
      while (said().filter(({ failed }) => failed).length < failures) {
        await setTimeout(5);
        expect(child.exitCode).toBeNull();
      }
      expect(said().at(-1)).toMatchObject({
        failed: { code: 'StoreUnavailable', retryable: true, details: { unknown: true } },
        findings: [],
      });
      // Room is made by emptying the write-ahead log, which is what has grown to the bound.
      const other = new DatabaseSync(file);
      expect(other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 });
      other.close();
      child.stdin.write('on\n');
    }
    expect(await exit).toBe(0);
    const positions = said().flatMap(({ position }) => position ?? []);
    // Nothing was stored twice, and nothing that was acknowledged is missing.
    expect(positions).toEqual(range(1, positions.length).map((n) => n * BATCH));
    const session = await sqlite(file).open();
    await sound(session, positions.at(-1)!);
    await session.close();
  });

  it('law 7: closing it then, and opening it again, finds every commit', async () => {
    // The write-ahead log is full of pages that the file has no room for: closing copies the first and fails.
    const code = `${PRELUDE}
      import { DatabaseSync } from 'node:sqlite';
      const other = new DatabaseSync(file);
      let stored = 0;
      for (const round of [1, 2]) {
        other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        for (let n = 1; ; n++) {
          const long = { ...event('BOUGHT', user('u' + n)), json: 'x'.repeat(3_000) };
          try {
            const commits = range(1, ${BATCH}).map((m) => commit(round + '-' + n + '-' + m, long));
            stored = (await log.append(commits)).end.position;
          } catch {
            break;
          }
        }
      }
      other.close();
      await log.close();
      console.log(stored);`;
    const { exit, lines } = start(code, 'full', SMALL_DISK);
    expect(await exit).toBe(0);
    const stored = Number(lines().at(-1));
    expect(stored).toBeGreaterThan(BATCH * 20);
    // It is as it was meant to be: the commits of the second round are in the write-ahead log.
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(500_000);
    const session = await sqlite(file).open();
    await sound(session, stored);
    await session.close();
  });
});

it('law 5: processes that make one new log at once and race on a document lose nothing, and none starves', async () => {
  const RACE = `${PRELUDE}
    const hot = service('hot');
    let wins = 0, refusals = 0;
    let head = 0, end = log.end;
    const over = performance.now() + 1500;
    for (let n = 1; performance.now() < over; n++) {
      for (;;) {
        const answer = await log.send(commit(name + n, event('BOUGHT', hot, user(name))), { seen: end, reads: [at(hot, head)] });
        end = answer.end;
        if (answer.status === 'stored') { head = answer.versions[0]; wins++; break; }
        refusals++;
        head = answer.stale[0].head;
      }
    }
    await log.close();
    console.log(JSON.stringify({ wins, refusals }));`;
  const racers = ['a', 'b'].map((name) => start(RACE, name));
  expect(await Promise.all(racers.map(({ exit }) => exit))).toEqual([0, 0]);
  const results = racers.map(({ lines }) => JSON.parse(lines().at(-1)!) as Record<'wins' | 'refusals', number>);
  const total = results.reduce((sum, { wins }) => sum + wins, 0);
  const session = await sqlite(file).open();
  const documents = await session.documents({ limit: 9 });
  expect(documents.find(({ id }) => id === 'hot')?.head).toBe(total);
  expect(await session.check()).toEqual([]);
  expect((await everything(session)).events).toHaveLength(total);
  await session.close();
  // A demonstration of a race must have had one: conflicts, and wins on both sides.
  expect(results.reduce((sum, { refusals }) => sum + refusals, 0)).toBeGreaterThan(0);
  for (const { wins } of results) expect(wins).toBeGreaterThan(total / 20);
});

it('the write-ahead log of several busy processes begins anew again and again', async () => {
  const WRITE = `${PRELUDE}
    let { end } = log;
    for (let n = 1; n <= 1_000; n++) {
      const commits = range(1, ${BATCH}).map((m) =>
        commit([name, n, m].join('-'), { ...event('BOUGHT', user('u' + m)), json: 'x'.repeat(9_000) }));
      ({ end } = await log.send(commits, { seen: end }));
    }
    console.log(end.position);
    // Open until it is killed: whoever closes it as the last empties the write-ahead log.
    process.stdin.resume();`;
  const writers = ['a', 'b', 'c'].map((name) => start(WRITE, name));
  while (writers.some(({ lines }) => lines().length === 0)) await setTimeout(20);
  // Its size is the most that it ever had. Without, it is all that was written, some 300 MB.
  expect(statSync(`${file}-wal`).size).toBeLessThan(6 * CHECKPOINT_PAGES * 4_096);
});

it('many processes may make one new log at the same moment', async () => {
  const code = `${PRELUDE}
    await log.append(commit(name, event('BOUGHT', user(name))), { seen: { position: 0, hash: '0'.repeat(64) } });
    await log.close();`;
  const all = range(1, 6).map((n) => start(code, `p${n}`));
  expect(await Promise.all(all.map(({ exit }) => exit))).toEqual([0, 0, 0, 0, 0, 0]);
  const session = await sqlite(file).open();
  expect((await session.documents({ limit: 99 })).map(({ id }) => id)).toEqual(range(1, 6).map((n) => `p${n}`));
  await session.close();
});

it('a reader in another process never sees a part of a batch', async () => {
  const { child, exit, lines } = start(APPEND_FOR_EVER, 'writer');
  while (lines().length < 1) await setTimeout(2);
  const session = await sqlite(file).open();
  let seen = 0;
  for (let grown = 0; grown < 20;) {
    const { end } = await session.load([{ ...service('s1'), after: 0, upTo: 0 }]);
    expect(end.position % BATCH).toBe(0);
    expect(end.position).toBeGreaterThanOrEqual(seen);
    if (end.position > seen) grown += 1;
    seen = end.position;
    await setTimeout(0);
  }
  child.kill('SIGKILL');
  await exit;
  await session.close();
});
