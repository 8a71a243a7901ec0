/** A log that is opened for reading: what can be read, what is refused, and that nothing is left of it. */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { freshFolder } from '../../../../test/support/fresh-folder.ts';
import { COLLECTIONS, commit, event, GENESIS, range, user } from '../../../testing/conformance/batches.ts';
import { everything, TestLog } from '../../../testing/conformance/log.ts';
import { register } from '../../../testing/conformance/registered.ts';
import { sqlite } from '../index.ts';
import { FORMAT } from '../schema.ts';

const INDEX = new URL('../index.ts', import.meta.url).href;
const NOBODY = 65_534;

let directory: string;
let file: string;

freshFolder((folder) => {
  directory = folder;
  file = join(folder, 'market.db');
});

const reading = () => sqlite(file, { readOnly: true, lockTimeoutMs: 1_000 });
const noted = (n: number) => commit(`c${n}`, event('NOTED', user(`u${n % 3}`)));

/** A log with so many commits, still open. */
async function made(commits: number): Promise<TestLog> {
  const log = await TestLog.on(sqlite(file));
  await log.append(range(1, commits).map((n) => noted(n)));
  return log;
}

const contents = () => readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'latin1')]);

it('gives what is there, and leaves everything as it was', async () => {
  const log = await made(5);
  const expected = await everything(log.session);
  await log.close();
  const before = contents();
  const session = await reading().open();
  expect(session.readOnly).toBe(true);
  expect(await everything(session)).toEqual(expected);
  expect(await session.check()).toEqual([]);
  expect(await register(session, COLLECTIONS)).toEqual(expected.registry);
  await session.close();
  await expect(session.registry()).rejects.toMatchObject({ code: 'Closed' });
  expect(contents()).toEqual(before);
});

it('refuses by name what would write', async () => {
  const log = await made(2);
  const batch = log.batch(noted(3));
  await log.close();
  const before = contents();
  const session = await reading().open();
  const told = { code: 'NotWritable', retryable: false, message: expect.stringContaining('readOnly') };
  let ran = false;
  await expect(session.append(batch)).rejects.toMatchObject(told);
  await expect(session.exclusive(async () => (ran = true))).rejects.toMatchObject(told);
  const step = {
    set: 1,
    generation: 1,
    from: GENESIS,
    to: GENESIS,
    seen: GENESIS,
    documents: [],
    dropped: [],
    added: [],
  };
  await expect(session.advance(step)).rejects.toMatchObject(told);
  await expect(session.sweep()).rejects.toMatchObject(told);
  await expect(register(session, [{ ...COLLECTIONS[0]!, name: 'others' }])).rejects.toMatchObject(told);
  expect(ran).toBe(false);
  const added = { name: 'orders_2', definition: 1, key: { fields: ['order_id'] }, handled: [] };
  await session.close();
  expect(contents()).toEqual(before);

  // A log without events would take in a new collection.
  rmSync(file);
  await (await TestLog.on(sqlite(file))).close();
  const empty = await reading().open();
  await expect(register(empty, [...COLLECTIONS, added])).rejects.toMatchObject({
    ...told,
    message: expect.stringContaining('orders_2'),
    details: { collections: ['orders_2'] },
  });
  expect((await empty.registry()).definitions).toHaveLength(COLLECTIONS.length);
  await empty.close();
});

async function refused(code: string): Promise<void> {
  const before = contents();
  await expect(reading().open()).rejects.toMatchObject({ code });
  expect(contents()).toEqual(before);
}

describe('a place that holds nothing to read', () => {
  it('is one where nothing is', () => refused('NotALog'));

  it('is an empty file', async () => {
    writeFileSync(file, '');
    await refused('NotALog');
  });

  it('is a file of another kind', async () => {
    writeFileSync(file, 'hello');
    await refused('NotALog');
  });

  it('is a directory that doesn’t exist', async () => {
    file = join(directory, 'missing', 'market.db');
    await refused('StoreUnavailable');
  });

  it('is a directory', async () => {
    mkdirSync(file);
    await expect(reading().open()).rejects.toMatchObject({ code: 'NotALog' });
  });

  it.each([
    [FORMAT + 1, 'FormatTooNew'],
    [0, 'NotWritable'],
  ])('is a log of format %i', async (format, code) => {
    await (await made(1)).close();
    const other = new DatabaseSync(file);
    other.exec(`PRAGMA user_version = ${format}`);
    other.close();
    await refused(code);
  });

  it('is a write-ahead log that has lost its file', async () => {
    const log = await made(1);
    copyFileSync(`${file}-wal`, join(directory, 'wal'));
    await log.close();
    rmSync(file);
    renameSync(join(directory, 'wal'), `${file}-wal`);
    await refused('LogCorrupt');
  });
});

describe('while others write', () => {
  it('gives what they have committed, whoever came first', async () => {
    await (await made(3)).close();
    const early = await reading().open();
    const waiting = early.moved((await early.load([])).end, new AbortController().signal);
    const log = await TestLog.on(sqlite(file));
    const late = await reading().open();
    log.end = (await log.session.load([])).end;
    await log.append(noted(4));
    expect((await waiting).position).toBe(4);
    for (const session of [early, late]) expect(await everything(session)).toEqual(await everything(log.session));
    await log.close();
    const again = await TestLog.on(sqlite(file));
    again.end = log.end;
    await again.append(noted(5));
    for (const session of [early, late]) expect((await session.load([])).end.position).toBe(5);
    await again.close();
    await Promise.all([early.close(), late.close()]);
    const last = await reading().open();
    expect((await last.load([])).end.position).toBe(5);
    await last.close();
  });

  it('gives what servers left that crashed', async () => {
    const log = await made(3);
    const copy = join(directory, 'copy');
    mkdirSync(copy);
    for (const suffix of ['', '-wal']) copyFileSync(file + suffix, join(copy, `market.db${suffix}`));
    const expected = await everything(log.session);
    await log.close();
    file = join(copy, 'market.db');
    const session = await reading().open();
    expect(await everything(session)).toEqual(expected);
    await session.close();
  });

  it('drops an answer that somebody wrote in the middle of, and asks again', async () => {
    await (await made(3)).close();
    const session = await reading().open();
    let asked = 0;
    const page = await session.scan({
      limit: 10,
      known: () => {
        asked += 1;
        // Come and gone in the middle of the answer: all that it leaves is in the file.
        if (asked === 1) {
          const writer = new DatabaseSync(file);
          writer.exec("UPDATE names SET name = 'SEEN' WHERE name = 'NOTED'");
          writer.close();
        }
        return false;
      },
    });
    expect(page.events.map(({ type }) => type)).toEqual(['SEEN', 'SEEN', 'SEEN']);
    expect(asked).toBeGreaterThan(3);
    await session.close();
  });

  // The writer opens, commits and closes again and again: in between the log stands still, and is read without locks.
  it('never gives half of what was written', async () => {
    await (await made(1)).close();
    const code = `
      import { commit, event, range, user } from ${JSON.stringify(new URL('../../../testing/conformance/batches.ts', import.meta.url).href)};
      import { TestLog } from ${JSON.stringify(new URL('../../../testing/conformance/log.ts', import.meta.url).href)};
      import { sqlite } from ${JSON.stringify(INDEX)};
      let n = 1;
      for (const end = Date.now() + 3_000; Date.now() < end;) {
        const log = await TestLog.on(sqlite(${JSON.stringify(file)}, { synchronous: 'off' }));
        log.end = (await log.session.load([])).end;
        await log.append(range(1, 200).map(() => commit('d' + (n += 1), event('NOTED', user('u' + (n % 50))))));
        await log.close();
      }
      console.log(n);`;
    const writer = promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { cwd: '/' });
    const over = { written: Infinity };
    const done = writer.then(({ stdout }) => (over.written = Number(stdout)));
    let position = 0;
    let looks = 0;
    for (; position < over.written; looks += 1) {
      // Anew each time: one that has met a writer reads by locks from then on.
      const session = await reading().open();
      expect(await session.check()).toEqual([]);
      const { events } = await everything(session);
      expect(events.length).toBeGreaterThanOrEqual(position);
      position = events.length;
      await session.close();
    }
    await done;
    expect(position).toBe(over.written);
    expect(looks).toBeGreaterThan(3);
  });

  it('tells of a log in use that was taken away, and of one that lost its end', async () => {
    const log = await made(2);
    const session = await reading().open();
    renameSync(file, `${file}.moved`);
    await setTimeout(20);
    await expect(session.load([])).rejects.toMatchObject({ code: 'StoreUnavailable', retryable: false });
    renameSync(`${file}.moved`, file);
    expect((await session.load([])).end.position).toBe(2);
    truncateSync(`${file}-wal`, 0);
    await setTimeout(20);
    await expect(session.load([])).rejects.toMatchObject({ code: 'HistoryDiverged' });
    await session.close();
    await log.close().catch(() => undefined);
  });
});

it.each(['closed', 'in use'])(
  'a log that this user may only read, in a directory that he may not write: %s',
  async (how) => {
    const log = await made(2);
    if (how === 'closed') await log.close();
    const root = process.getuid?.() === 0;
    chmodSync(directory, 0o555);
    if (root) chownSync(directory, 0, 0);
    const code = `
    import { sqlite } from ${JSON.stringify(INDEX)};
    const session = await sqlite(${JSON.stringify(file)}, { readOnly: true }).open();
    const { events } = await session.read({ limit: 10 });
    console.log(events.length, await session.check());
    await session.close();`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
      cwd: '/',
      ...(root && { uid: NOBODY, gid: NOBODY }),
    });
    chmodSync(directory, 0o755);
    expect(stdout.trim()).toBe('2 []');
    if (how !== 'closed') await log.close();
    expect(readdirSync(directory)).toEqual(['market.db']);
  },
);
