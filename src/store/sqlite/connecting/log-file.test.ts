/** Bad places for a log: each is refused by name, and left byte for byte as it was. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { freshFolder } from '../../../../test/support/fresh-folder.ts';
import { commit, event, range, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { sqlite } from '../index.ts';
import type { SqliteOptions } from '../index.ts';
import { connect } from './connection.ts';
import { Wal } from './wal.ts';
import { inspect } from './log-file.ts';
import { APPLICATION_ID, FORMAT, MARK_INCOMPLETE, UNMARK_INCOMPLETE } from '../schema.ts';

const INDEX = new URL('../index.ts', import.meta.url).href;
const NOBODY = 65_534;

let directory: string;
let file: string;

freshFolder((folder) => {
  directory = folder;
  file = join(folder, 'market.db');
});

function contents(): string[][] {
  return readdirSync(directory).map((name) => [name, readBytes(join(directory, name))]);
}

/** Opening must fail with `code`, and change nothing in the directory. */
async function refused(code: string, options: SqliteOptions = {}): Promise<string> {
  const before = contents();
  const error: unknown = await sqlite(file, { lockTimeoutMs: 200, ...options })
    .open()
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  expect(error).toMatchObject({ code });
  expect(contents()).toEqual(before);
  return String(error);
}

function readBytes(path: string): string {
  return statSync(path).isFile() ? readFileSync(path, 'latin1') : 'not a file';
}

/** A log with two events in it, closed. */
async function makeLog(): Promise<void> {
  const log = await TestLog.on(sqlite(file));
  await log.append([commit('c1', event('REGISTERED', user('u1'))), commit('c2', event('NOTED', user('u1')))]);
  await log.close();
}

function alter(sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

describe('a bad place', () => {
  it('is a directory that doesn’t exist', async () => {
    file = join(directory, 'missing', 'market.db');
    expect(await refused('NotWritable')).toContain('missing');
    expect(existsSync(join(directory, 'missing'))).toBe(false);
  });

  it('is below a file', async () => {
    writeFileSync(file, 'x');
    file = join(file, 'market.db');
    await refused('NotWritable');
  });

  it('is a directory', async () => {
    mkdirSync(file);
    await refused('NotALog');
  });

  it.skipIf(process.platform === 'win32')('is a pipe, which would block', async () => {
    execFileSync('mkfifo', [file]);
    await refused('NotALog');
  });

  it.each(['hello', 'x'.repeat(10_000), '\0'.repeat(8192)])('is a file of another kind', async (text) => {
    writeFileSync(file, text);
    await refused('NotALog');
  });

  it.each(['DELETE', 'WAL'])('is a database of another kind, in mode %s', async (mode) => {
    alter(`PRAGMA journal_mode = ${mode}; CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')`);
    await refused('NotALog');
  });

  it('is a database of another kind that somebody has open and is writing to', async () => {
    const other = new DatabaseSync(file);
    other.exec("PRAGMA journal_mode = WAL; CREATE TABLE notes (text); BEGIN; INSERT INTO notes VALUES ('mine')");
    await refused('NotALog');
    other.exec('COMMIT');
    other.close();
  });

  it('is an empty database that was made by something else: its mark is not ours', async () => {
    alter('PRAGMA application_id = 77');
    await refused('NotALog');
  });

  it.each(['of a log in use', 'of a log whose server was killed'])(
    'is the file without its write-ahead log, %s',
    async (how) => {
      const log = await TestLog.on(sqlite(file));
      await log.append([commit('c1', event('REGISTERED', user('u1'))), commit('c2', event('NOTED', user('u1')))]);
      const copy = join(directory, 'copy.db');
      cpSync(file, copy);
      if (how === 'of a log whose server was killed') writeFileSync(`${copy}-wal`, '');
      const original = file;
      file = copy;
      expect(await refused('LogCorrupt')).toMatch(/copy\.db-wal.*VACUUM INTO/);
      expect(await refused('LogCorrupt', { readOnly: true })).toContain('copy.db-wal');
      // With its write-ahead log it is whole, and so is what SQLite copies, or leaves when it closes the log.
      cpSync(`${original}-wal`, `${copy}-wal`);
      const side = new DatabaseSync(original);
      const vacuumed = join(directory, 'vacuumed.db');
      const backedUp = join(directory, 'backed-up.db');
      side.exec(`VACUUM INTO '${vacuumed}'`);
      await backup(side, backedUp);
      side.close();
      await log.close();
      for (const place of [copy, vacuumed, backedUp, original]) {
        const whole = await TestLog.on(sqlite(place));
        expect(await whole.head(user('u1'))).toBe(2);
        expect(await whole.session.check()).toEqual([]);
        await whole.close();
      }
    },
  );

  it('is the file of a new log beside a write-ahead log that SQLite takes for empty', async () => {
    const log = await TestLog.on(sqlite(file));
    await log.append(commit('c1', event('REGISTERED', user('u1'))));
    const wal = readFileSync(`${file}-wal`);
    wal[0]! ^= 1;
    const copy = join(directory, 'copy.db');
    cpSync(file, copy);
    writeFileSync(`${copy}-wal`, wal);
    await expect(sqlite(copy, { readOnly: true }).open()).rejects.toMatchObject({ code: 'LogCorrupt' });
    await expect(sqlite(copy).open()).rejects.toMatchObject({ code: 'LogCorrupt' });
    await log.close();
  });

  it('has a second name, whose servers would each write beside their own', async () => {
    await makeLog();
    const second = join(directory, 'second.db');
    linkSync(file, second);
    for (const name of [file, second]) {
      file = name;
      expect(await refused('NotWritable')).toMatch(/hard link.*find .* -samefile/);
      expect(await refused('NotWritable', { readOnly: true })).toContain('hard link');
    }
    unlinkSync(second);
    file = join(directory, 'market.db');
    await (await sqlite(file).open()).close();
  });

  it('is a log of a newer format', async () => {
    await makeLog();
    alter(`PRAGMA user_version = ${FORMAT + 1}`);
    await refused('FormatTooNew');
  });

  it('is a log of a newer format whose mark is still in the write-ahead log', async () => {
    await makeLog();
    const newer = new DatabaseSync(file);
    newer.exec(`PRAGMA user_version = ${FORMAT + 1}`);
    await expect(sqlite(file).open()).rejects.toMatchObject({ code: 'FormatTooNew' });
    expect(newer.prepare('PRAGMA user_version').get()).toEqual({ user_version: FORMAT + 1 });
    newer.close();
  });

  it('is a log without a part', async () => {
    await makeLog();
    alter('DROP TABLE attachments');
    await expect(sqlite(file).open()).rejects.toMatchObject({ code: 'LogCorrupt' });
  });

  it('is marked as a log, of no format', async () => {
    alter(`PRAGMA application_id = ${APPLICATION_ID}`);
    await refused('LogCorrupt');
  });

  it('is a log that was cut off', async () => {
    await makeLog();
    truncateSync(file, 8192);
    await expect(sqlite(file).open()).rejects.toMatchObject({ code: 'LogCorrupt' });
  });

  it.skipIf(process.platform === 'win32')('is a link to a log whose file is missing', async () => {
    writeFileSync(`${file}-wal`, 'commits');
    symlinkSync('market.db', join(directory, 'link.db'));
    file = join(directory, 'link.db');
    await expect(sqlite(file).open()).rejects.toMatchObject({ code: 'LogCorrupt' });
    expect(readdirSync(directory)).toEqual(['link.db', 'market.db-wal']);
  });

  it.each(['missing', 'empty'])('is a log whose file is %s, with commits in its write-ahead log', async (what) => {
    const log = await TestLog.on(sqlite(file));
    await log.append(commit('c1', event('REGISTERED', user('u1'))));
    cpSync(`${file}-wal`, `${file}-kept`);
    await log.close();
    renameSync(file, `${file}-main`);
    renameSync(`${file}-kept`, `${file}-wal`);
    if (what === 'empty') writeFileSync(file, '');
    expect(await refused('LogCorrupt')).toContain('market.db-wal away');
    // Put back, it is whole again.
    renameSync(`${file}-main`, file);
    const session = await sqlite(file).open();
    expect(await session.documents({ limit: 10 })).toEqual([{ collection: 'users', id: 'u1', head: 1 }]);
    await session.close();
  });

  it.skipIf(process.platform === 'win32').each(['directory', 'new file', 'file'])(
    'is a %s that the process may not write',
    async (what) => {
      const mayNot = what === 'file' ? file : directory;
      if (what !== 'new file') await makeLog();
      // Root passes every check of permissions: another user asks.
      const root = process.getuid?.() === 0;
      if (root) chownSync(directory, NOBODY, NOBODY);
      if (root && what !== 'new file') chownSync(file, NOBODY, NOBODY);
      chmodSync(mayNot, what === 'file' ? 0o444 : 0o555);
      const code = `
        import { sqlite } from ${JSON.stringify(INDEX)};
        const said = await sqlite(${JSON.stringify(file)}).open().then(() => 'opened', (error) => error.code);
        console.log(said);`;
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
        cwd: '/',
        ...(root && { uid: NOBODY, gid: NOBODY }),
      });
      chmodSync(mayNot, 0o755);
      expect(stdout.trim()).toBe('NotWritable');
      expect(existsSync(`${file}-wal`)).toBe(false);
    },
  );
});

/** The locks that this process holds. */
function locks(): string[] {
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes(` ${process.pid} `));
}

describe('a good place', () => {
  it('is a new log whose maker was killed while its file says that it isn’t all', async () => {
    // What `open` does when it makes a log, as far as the moment in which the mark is in the file and in the log.
    await (await sqlite(file).open()).close();
    const code = `
      import { DatabaseSync } from 'node:sqlite';
      const database = new DatabaseSync(${JSON.stringify(file)});
      database.exec(${JSON.stringify(MARK_INCOMPLETE)});
      database.exec('PRAGMA wal_checkpoint(PASSIVE)');
      process.kill(process.pid, 'SIGKILL');`;
    spawnSync(process.execPath, ['--input-type=module', '-e', code]);
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    const reader = await sqlite(file, { readOnly: true }).open();
    expect((await reader.registry()).generation).toBe(0);
    await reader.close();
    await makeLog();
    expect(readdirSync(directory)).toEqual(['market.db']);
    await (await sqlite(file).open()).close();
  });

  it('is a new log: while it is made its write-ahead log doesn’t begin anew, so that a kill leaves no empty one', async () => {
    const session = await sqlite(file).open();
    const wal = readFileSync(`${file}-wal`);
    // How often it has begun anew, and its frames: one says that the file isn’t all, the other that all is there.
    expect(wal.readUInt32BE(12)).toBe(0);
    const other = connect(file);
    expect(new Wal(other).frames()).toBeGreaterThan(1);
    other.close();
    await session.close();
  });

  it('is a new log of which another process just says that it is all there', async () => {
    // In the middle of that the write-ahead log has begun anew, and holds nothing yet: so it is for a moment after the file
    // has taken in the mark. Here the moment is made to last, by a transaction that is too large for its cache.
    await (await sqlite(file).open()).close();
    const database = new DatabaseSync(file);
    database.exec(MARK_INCOMPLETE);
    database.exec('PRAGMA wal_checkpoint(PASSIVE); PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE');
    database.exec(UNMARK_INCOMPLETE);
    const insert = database.prepare('INSERT INTO meta (name, value) VALUES (?, 1)');
    for (let n = 0; n < 2_000; n += 1) insert.run(`filled-${n}`);
    const other = connect(file);
    expect(new Wal(other).frames()).toBe(0);
    other.close();
    const told = { code: 'StoreUnavailable', retryable: true };
    await expect(sqlite(file, { lockTimeoutMs: 100 }).open()).rejects.toMatchObject(told);
    const reading = sqlite(file, { readOnly: true }).open();
    await setTimeout(50);
    database.exec("DELETE FROM meta WHERE name LIKE 'filled-%'; COMMIT");
    await (await reading).close();
    await (await sqlite(file).open()).close();
    database.close();
  });

  it('is an empty file, which becomes a log', async () => {
    writeFileSync(file, '');
    await makeLog();
    const database = new DatabaseSync(file);
    expect(database.prepare('PRAGMA application_id').get()).toEqual({ application_id: APPLICATION_ID });
    expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: FORMAT });
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    database.close();
  });

  it('is an empty file beside an empty write-ahead log', async () => {
    writeFileSync(file, '');
    writeFileSync(`${file}-wal`, '');
    await makeLog();
    await makeLogAgain();
  });

  it('is a log whose checkpoint was cut short after its first page: the rest is in the write-ahead log', async () => {
    const log = await TestLog.on(sqlite(file));
    await log.append(commit('c0', event('REGISTERED', user('u0'))));
    checkpoint();
    const long = { ...event('NOTED', user('u1')), json: 'x'.repeat(3_000) };
    await log.append(range(1, 300).map((n) => commit(`c${n}`, long)));
    const copy = join(directory, 'copy.db');
    cpSync(file, copy);
    cpSync(`${file}-wal`, `${copy}-wal`);
    expect(statSync(copy).size).toBeLessThan(statSync(`${copy}-wal`).size / 5);
    checkpoint();
    await log.close();
    const handle = openSync(copy, 'r+');
    writeSync(handle, readFileSync(file).subarray(0, 4096), 0, 4096, 0);
    closeSync(handle);
    const session = await sqlite(copy).open();
    expect(await session.documents({ limit: 9 })).toEqual([
      { collection: 'users', id: 'u0', head: 1 },
      { collection: 'users', id: 'u1', head: 300 },
    ]);
    expect(await session.check()).toEqual([]);
    await session.close();
  });

  it('may be half-written while another process makes the log: that is for SQLite to tell, under its locks', async () => {
    writeFileSync(file, 'x'.repeat(8192));
    expect(() => inspect(file)).toThrow(expect.objectContaining({ code: 'NotALog' }));
    writeFileSync(`${file}-journal`, '');
    expect(() => inspect(file)).not.toThrow();
  });

  it('has any characters in its name', async () => {
    file = join(directory, 'a ?mode=memory#%20é.db');
    await makeLog();
    await makeLogAgain();
    expect(readdirSync(directory)).toEqual(['a ?mode=memory#%20é.db']);
  });

  it.skipIf(process.platform === 'win32')('is a link to a log elsewhere', async () => {
    await makeLog();
    const link = join(directory, 'link.db');
    symlinkSync(file, link);
    file = link;
    await makeLogAgain();
  });

  it.skipIf(process.platform === 'win32')('is a link, or links, to a file that doesn’t exist yet', async () => {
    for (const name of ['real', 'links']) mkdirSync(join(directory, name));
    const real = join(directory, 'real', 'market.db');
    symlinkSync('../links/second.db', join(directory, 'links', 'first.db'));
    symlinkSync('../real/market.db', join(directory, 'links', 'second.db'));
    file = join(directory, 'links', 'first.db');
    const log = await TestLog.on(sqlite(file));
    expect(readdirSync(join(directory, 'links'))).toEqual(['first.db', 'second.db']);
    expect(readdirSync(join(directory, 'real'))).toEqual(['market.db', 'market.db-shm', 'market.db-wal']);
    await log.append([commit('c1', event('REGISTERED', user('u1'))), commit('c2', event('NOTED', user('u1')))]);
    await log.close();
    await makeLogAgain();
    file = real;
    await makeLogAgain();
    // Links in a circle lead nowhere.
    symlinkSync('circle.db', join(directory, 'circle.db'));
    file = join(directory, 'circle.db');
    await refusedAsIs();
  });

  it.skipIf(process.platform !== 'linux')('keeps the locks of open sessions while it is looked at', async () => {
    // Closing a file drops all locks of the process on it (POSIX), unless SQLite itself does it.
    const session = await sqlite(file).open();
    const held = locks().length;
    expect(held).toBeGreaterThan(0);
    alter('SELECT 1');
    const second = await sqlite(file).open();
    await second.close();
    expect(locks()).toHaveLength(held);
    await session.close();
  });
});

async function refusedAsIs(): Promise<void> {
  await expect(sqlite(file).open()).rejects.toMatchObject({ code: 'NotWritable' });
}

/** Copies the whole write-ahead log into the file, as any process may at any time. */
function checkpoint(): void {
  alter('PRAGMA wal_checkpoint(TRUNCATE)');
}

async function makeLogAgain(): Promise<void> {
  const session = await sqlite(file).open();
  expect(await session.documents({ limit: 10 })).toEqual([{ collection: 'users', id: 'u1', head: 2 }]);
  await session.close();
}
