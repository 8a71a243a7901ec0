/** What a session on a file owes beyond the conformance suite. */
import {
  copyFileSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freshFolder } from '../../../test/support/fresh-folder.ts';
import type { StoreUnavailable } from '../../errors.ts';
import {
  above,
  at,
  commit,
  event,
  GENESIS,
  handling,
  range,
  service,
  user,
} from '../../testing/conformance/batches.ts';
import { everything, TestLog } from '../../testing/conformance/log.ts';
import { document, TestSet } from '../../testing/conformance/sets.ts';
import { givenClock } from '../clock.ts';
import { CLOCK_AHEAD_MAX_MS } from '../store.ts';
import { sqlite } from './index.ts';
import { openSession } from './connecting/open.ts';
import { FORMAT } from './schema.ts';

let directory: string;
let file: string;

freshFolder((folder) => {
  directory = folder;
  file = join(folder, 'market.db');
});

it('law 7: stored documents are written without a flush, and the log with one, whatever came before', async () => {
  const levels: unknown[] = [];
  const writers: DatabaseSync[] = [];
  const { exec } = DatabaseSync.prototype;
  const { run } = StatementSync.prototype;
  DatabaseSync.prototype.exec = function exec_(this: DatabaseSync, sql: string) {
    if (sql.includes('PRAGMA synchronous')) writers.push(this);
    exec.call(this, sql);
  };
  StatementSync.prototype.run = function run_(this: StatementSync, ...parameters: never[]) {
    if (this.sourceSQL === 'BEGIN IMMEDIATE') levels.push(writers[0]!.prepare('PRAGMA synchronous').get());
    return Reflect.apply(run, this, parameters) as ReturnType<typeof run>;
  };
  try {
    const log = await TestLog.on(sqlite(file));
    const set = TestSet.of(log);
    levels.length = 0;
    await log.append(commit('c1', event('A', user('u1'))));
    await set.advance([document('u1')]);
    await log.append(commit('c2', event('A', user('u1'))));
    await set.advance([document('u1', 2)]);
    await set.send([], { from: GENESIS });
    await log.session.sweep();
    await log.session.exclusive(async () => undefined);
    await log.session.change(({ last }) => ({ raises: false, last: last + 1 }));
    await log.close();
  } finally {
    DatabaseSync.prototype.exec = exec;
    StatementSync.prototype.run = run;
  }
  expect(levels).toEqual([2, 1, 2, 1, 1, 1, 2, 2].map((level) => [level]));
});

it('law 7: flushes each commit unless asked for less', async () => {
  // SQLite flushes in the write-ahead log once a commit at FULL, and never at NORMAL: the time shows it where a disk
  // is real, but only the setting is certain.
  for (const [asked, level] of [
    [undefined, 2],
    ['normal', 1],
    ['off', 0],
  ] as const) {
    const levels: unknown[] = [];
    const prepare = DatabaseSync.prototype.exec;
    DatabaseSync.prototype.exec = function exec(this: DatabaseSync, sql: string) {
      prepare.call(this, sql);
      if (sql.includes('PRAGMA synchronous')) levels.push(this.prepare('PRAGMA synchronous').get());
    };
    try {
      await (await sqlite(join(directory, `${level}.db`), { synchronous: asked }).open()).close();
    } finally {
      DatabaseSync.prototype.exec = prepare;
    }
    expect(levels).toEqual([[level]]);
  }
});

it('answers reads as of before, while its own exclusive work is under way', async () => {
  const log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('CREATED', service('s1'))));
  const before = await everything(log.session);
  await log.session.exclusive(async (by) => {
    await log.append(commit('c2', [event('NEW_TYPE', service('s1')), event('BOUGHT', user('new'))]), { by });
    expect((await by.load([above(user('new'), 0)])).documents[0]!.head).toBe(1);
    expect(await everything(log.session)).toEqual(before);
  });
  expect(await log.head(user('new'))).toBe(1);
  await log.close();
});

it('keeps no rows of a batch that failed half-way for the next one', async () => {
  const log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('CREATED', service('s1'))));
  const side = new DatabaseSync(file);
  for (const table of ['commits', 'documents', 'events', 'attachments']) {
    side.exec(`CREATE TRIGGER stop BEFORE INSERT ON ${table} WHEN (SELECT count(*) FROM ${table}) >= 2
               BEGIN SELECT RAISE(ABORT, 'stopped'); END`);
    const batch = [commit('x1', event('NOTED', user('u1'))), commit('x2', event('NOTED', user('u2')))];
    await expect(log.send(batch)).rejects.toThrow('stopped');
    side.exec('DROP TRIGGER stop');
  }
  side.close();
  const { versions, end } = await log.append(commit('c2', event('NOTED', user('u1'))));
  expect([versions, end.position]).toEqual([[1], 2]);
  expect(await log.session.check()).toEqual([]);
  expect((await everything(log.session)).commits.map(({ command }) => command.id)).toEqual(['c1', 'c2']);
  await log.close();
});

it('forgets what it interned in work that was undone', async () => {
  const log = await TestLog.on(sqlite(file));
  const undone = log.session.exclusive(async (by) => {
    await by.append(log.batch(commit('c1', event('A', service('s1'), user('u1')))));
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  // Other names take the integers that the undone ones had.
  const other = await log.open();
  await log.append(commit('c2', event('B', user('u2'), service('s2'))), { by: other });
  await log.append(commit('c3', event('A', service('s1'), user('u1'))));
  expect(await log.session.documents({ limit: 9 })).toEqual(
    [service('s1'), service('s2'), user('u1'), user('u2')].map(({ collection, id }) => ({ collection, id, head: 1 })),
  );
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

it('forgets what it interned for a batch that a duplicate refused', async () => {
  const log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('A', user('u1'))));
  await log.refuse(commit('c1', event('NEW', user('u3')), { name: 'NEVER' }));
  const other = await log.open();
  await log.append(commit('c2', event('A', user('u2')), { name: 'OTHER' }), { by: other });
  await log.append(commit('c3', event('A', user('u3')), { name: 'NEVER' }));
  const commits = await log.session.commits({ limit: 9 });
  expect(commits.map(({ command }) => command.name)).toEqual(['DO_IT', 'OTHER', 'NEVER']);
  await log.close();
});

it('finishes a batch that holds a duplicate, though it is closed meanwhile', async () => {
  const log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('A', user('u1'))));
  const sent = log.session.append(log.batch([commit('c1', event('A')), commit('c2', event('A', user('u1')))]));
  await log.session.close();
  expect(await sent).toMatchObject({ status: 'stored', duplicates: ['c1'], versions: [2] });
});

const users = (n: number) => user(`u${n % 10}`);

it.each([1, 100, 6_000])('gives the right versions after %i events of another server', async (count) => {
  const log = await TestLog.on(sqlite(file, { synchronous: 'off' }));
  const other = await log.open();
  await log.append(range(1, 20).map((n) => commit(`mine-${n}`, event('A', users(n), service('s1')))));
  const foreign = range(1, count).map((n) => commit(`other-${n}`, event('B', users(n), user('theirs'))));
  await log.append(foreign, { by: other });
  const { versions } = await log.append(commit('last', event('A', users(1), user('theirs'), service('s1'))));
  expect(versions).toEqual([2 + Math.ceil(count / 10) + 1, count + 1, 21]);
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

it('refuses a stale read by types that only another server has interned', async () => {
  const log = await TestLog.on(sqlite(file));
  const other = await log.open();
  await log.append(commit('c1', event('REGISTERED', user('u1'))));
  await log.append(commit('c2', event('BOUGHT', user('u1'))), { by: other });
  const { stale } = await log.refuse(commit('c3', event('BOUGHT', user('u1'))), { reads: [at(user('u1'), 1)] });
  expect(stale.map(({ head }) => head)).toEqual([2]);
  await log.close();
});

it('waits for the write lock as long as it was told, without holding up the event loop', async () => {
  const log = await TestLog.on(sqlite(file, { lockTimeoutMs: 150 }));
  const holder = new DatabaseSync(file);
  holder.exec('BEGIN IMMEDIATE');
  // A timer can only run while the loop is left its turns.
  const order: string[] = [];
  const timer = setTimeout(1).then(() => order.push('timer'));
  const error: unknown = await log.append(commit('c1', event('A', user('u1')))).catch((thrown: unknown) => thrown);
  order.push('timed out');
  expect(error).toMatchObject({ code: 'StoreUnavailable', retryable: true });
  const { waitedMs, unknown } = (error as StoreUnavailable).details;
  expect(waitedMs).toBeGreaterThanOrEqual(150);
  expect(unknown).toBeUndefined();
  await timer;
  expect(order).toEqual(['timer', 'timed out']);
  // Reads wait for no writer, and the next append finds the lock free.
  expect(await log.head(user('u1'))).toBe(0);
  const waiting = log.append(commit('c1', event('A', user('u1'))));
  await setTimeout(30);
  holder.exec('ROLLBACK');
  expect((await waiting).versions).toEqual([1]);
  holder.close();
  await log.close();
});

it('leaves the event loop its turns, however fast it is asked to append or read', async () => {
  const log = await TestLog.on(sqlite(file, { synchronous: 'off' }));
  let turns = 0;
  const immediately = () => {
    turns += 1;
    timer = setImmediate(immediately);
  };
  let timer = setImmediate(immediately);
  for (const n of range(1, 20)) await log.append(commit(`c${n}`, event('A', user('u1'))));
  expect(turns).toBeGreaterThanOrEqual(15);
  turns = 0;
  const start = performance.now();
  // Bounded by time only so that it ends where no turn is ever taken.
  const counted = () => turns;
  while (counted() < 5 && performance.now() - start < 20_000) await log.head(user('u1'));
  expect(counted()).toBeGreaterThanOrEqual(5);
  clearImmediate(timer);
  await log.close();
});

/** Longer than reads go on without a look at the file. */
const LOOK_AGAIN_MS = 20;

/** Nothing is stored or read while it is so; afterwards the session goes on, if the log is whole again. */
async function outOfPlace(away: () => void, back: () => void): Promise<void> {
  const log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('A', user('u1'))));
  // Not by itself: whoever sent it again would be told the same for ever.
  const told = { code: 'StoreUnavailable', retryable: false };
  const late = log.session.exclusive(async (by) => {
    await log.append(commit('c0', event('A', user('u1'))), { by });
    away();
  });
  await expect(late).rejects.toMatchObject(told);
  await expect(log.append(commit('c2', event('A', user('u1'))))).rejects.toMatchObject(told);
  await expect(log.session.change(() => undefined)).rejects.toMatchObject(told);
  await setTimeout(LOOK_AGAIN_MS);
  await expect(log.head(user('u1'))).rejects.toMatchObject(told);
  await expect(log.session.read({ limit: 1 })).rejects.toMatchObject(told);
  back();
  log.end = (await log.session.read({ limit: 1 })).end;
  expect((await log.append(commit('c2', event('A', user('u1'))))).versions).toEqual([2]);
  await log.close();
  expect((await everything(await log.open())).commits.map(({ command }) => command.id)).toEqual(['c1', 'c2']);
  await log.close();
}

it('says that a log has lost a part, which no try brings back', async () => {
  const log = await TestLog.on(sqlite(file));
  const side = new DatabaseSync(file);
  side.exec('ALTER TABLE events RENAME TO eventz');
  side.close();
  const told = { code: 'LogCorrupt', retryable: false };
  await expect(log.session.read({ limit: 1 })).rejects.toMatchObject(told);
  await expect(log.append(commit('c1', event('A', user('u1'))))).rejects.toMatchObject(told);
  await log.close();
});

describe.skipIf(process.platform === 'win32')('a log that isn’t in place any more', () => {
  it.each(['', '-wal'])('market.db%s was moved away', async (suffix) => {
    const name = file + suffix;
    await outOfPlace(
      () => renameSync(name, `${name}.moved`),
      () => renameSync(`${name}.moved`, name),
    );
  });

  it.each(['', '-wal'])('market.db%s was replaced by a copy', async (suffix) => {
    const name = file + suffix;
    await outOfPlace(
      () => {
        renameSync(name, `${name}.moved`);
        copyFileSync(`${name}.moved`, name);
      },
      () => renameSync(`${name}.moved`, name),
    );
  });

  it('market.db was emptied', async () => {
    let before: Buffer | undefined;
    await outOfPlace(
      () => {
        before = readFileSync(file);
        truncateSync(file, 0);
      },
      () => writeFileSync(file, before!),
    );
  });

  it('the link to it leads elsewhere', async () => {
    const real = file;
    file = join(directory, 'link.db');
    symlinkSync(real, file);
    const retarget = (target: string) => {
      unlinkSync(file);
      symlinkSync(target, file);
    };
    writeFileSync(join(directory, 'other.db'), 'x');
    await outOfPlace(
      () => retarget(join(directory, 'other.db')),
      () => retarget(real),
    );
  });

  it('a checkpoint, also one that empties the write-ahead log, leaves it in place', async () => {
    const log = await TestLog.on(sqlite(file));
    const other = new DatabaseSync(file);
    for (const n of range(1, 5)) {
      await log.append(commit(`c${n}`, event('A', user('u1'))));
      expect(other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 });
    }
    other.close();
    await (await log.open()).close();
    expect((await log.append(commit('c6', event('A', user('u1'))))).versions).toEqual([6]);
    await log.close();
  });
});

/** Makes the next COMMIT of any session fail as a disk might, before or after it was carried out. */
function failingCommit(when: 'before' | 'after'): { [Symbol.dispose](): void } {
  const { run } = StatementSync.prototype;
  let failed = false;
  StatementSync.prototype.run = function (this: StatementSync, ...parameters: unknown[]) {
    const carryOut = () => Reflect.apply(run, this, parameters) as ReturnType<typeof run>;
    if (failed || this.sourceSQL !== 'COMMIT') return carryOut();
    failed = true;
    if (when === 'after') carryOut();
    throw Object.assign(new Error('disk I/O error'), { errcode: 10 });
  } as typeof run;
  return {
    [Symbol.dispose]() {
      StatementSync.prototype.run = run;
      expect(failed).toBe(true);
    },
  };
}

it.each(['before', 'after'] as const)(
  'a COMMIT that fails (%s it was carried out) is unknown, and the session forgets what it believed',
  async (when) => {
    const log = await TestLog.on(sqlite(file));
    const other = await log.open();
    await log.append(commit('c1', event('A', user('u1'))));
    const lost = [commit('c2', event('NEW', user('u1'), user('new'))), commit('c3', event('A', user('u1')))];
    {
      using _ = failingCommit(when);
      await expect(log.append(lost)).rejects.toMatchObject({ code: 'StoreUnavailable', details: { unknown: true } });
    }
    // Another server takes the integers that were interned in it, if it was undone.
    await log.append(commit('c4', event('OTHER', user('theirs'), user('u1'))), { by: other });
    const again = await log.send(lost);
    const undone = { status: 'stored', versions: [3, 1, 4] };
    const stored = { status: 'refused', duplicates: ['c2', 'c3'] };
    expect(again).toMatchObject(when === 'before' ? undone : stored);
    const { versions } = await log.append(commit('c5', event('NEW', user('theirs'), user('new'), user('u1'))));
    expect(versions).toEqual([2, 2, 5]);
    expect(await log.session.check()).toEqual([]);
    await log.close();
  },
);

const clock = () => givenClock(Date.now, CLOCK_AHEAD_MAX_MS);

it('a batch may hold more documents than are kept in memory', async () => {
  const bounds = { names: 4, documents: 4 };
  const log = await TestLog.on({
    name: 'sqlite',
    open: () => openSession(file, { synchronous: 'off', lockTimeoutMs: 5_000, clock, bounds }),
  });
  const many = range(1, 50).map((n) => user(`u${n}`));
  const round = (name: string) => [1, 2].map((n) => commit(`${name}${n}`, event('A', ...many)));
  expect((await log.append(round('a'))).versions).toEqual([1, 2].flatMap((v) => many.map(() => v)));
  await log.session.exclusive(async (by) => {
    expect((await log.append(round('b'), { by })).versions).toEqual([3, 4].flatMap((v) => many.map(() => v)));
    expect((await log.append(round('c'), { by })).versions).toEqual([5, 6].flatMap((v) => many.map(() => v)));
  });
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

it.each([Number.NaN, Infinity, '5', 8.64e15 + 1])('refuses to go by a clock that says %s', async (time) => {
  const log = await TestLog.on(sqlite(file, { clock: () => time as number }));
  await expect(log.append(commit('c1', event('A')))).rejects.toMatchObject({ code: 'InvalidDefinition' });
  expect((await log.session.read({ limit: 1 })).end.position).toBe(0);
  await log.close();
});

it('an anchor of the clock that was undone with its transaction is made by the next append', async () => {
  const log = await TestLog.on(sqlite(file));
  const anchors = (): unknown => {
    const database = new DatabaseSync(file, { readOnly: true });
    const { anchors } = database.prepare('SELECT count(*) AS anchors FROM anchor').get()!;
    database.close();
    return anchors;
  };
  const undone = log.session.exclusive(async (by) => {
    await log.append(commit('c1', event('A')), { by });
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  expect(anchors()).toBe(0);
  log.end = GENESIS;
  await log.append(commit('c1', event('A')));
  expect(anchors()).toBe(1);
  await log.close();
});

it('leaves no statement open after an answer that was cut short', async () => {
  const log = await TestLog.on(sqlite(file));
  const long = { ...event('A', user('u1')), json: 'x'.repeat(2 ** 20) };
  await log.append(
    commit(
      'c1',
      range(1, 12).map(() => long),
    ),
  );
  const other = new DatabaseSync(file);
  const questions: (() => Promise<unknown>)[] = [
    () => log.session.read({ limit: 100 }),
    () => log.session.read({ limit: 100, reverse: true, types: ['A'] }),
    () => log.session.read({ document: user('u1'), after: 0, limit: 100 }),
    () => log.session.load([above(user('u1'), 0)]),
    () => log.refuse(commit('c2', event('A')), { reads: [at(user('u1'), 0)], handled: handling({ users: ['A'] }) }),
  ];
  for (const [n, ask] of questions.entries()) {
    await ask();
    await log.append(commit(`more-${n}`, event('NOTED')));
    // A reader that is still at an older point of the log would keep it from being emptied.
    expect(other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 });
  }
  other.close();
  await log.close();
});

it('commits nothing after an append that failed half-way, even if the work goes on as if nothing had happened', async () => {
  const log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('A', user('u1'))));
  const editor = new DatabaseSync(file);
  // The next version is taken: the insert fails after commit and event are in.
  editor.exec('INSERT INTO attachments SELECT document, 2, 1, type FROM attachments');
  editor.close();
  const before = (await log.session.commits({ limit: 9 })).length;
  const work = log.session.exclusive(async (by) => {
    await by.append(log.batch(commit('c2', event('A', user('u1'))))).catch(() => undefined);
  });
  await expect(work).rejects.toMatchObject({ code: 'LogCorrupt' });
  expect(await log.session.commits({ limit: 9 })).toHaveLength(before);
  // Nothing of the failed batch is left in memory either.
  const mender = new DatabaseSync(file);
  mender.exec('DELETE FROM attachments WHERE version = 2');
  mender.close();
  expect((await log.append(commit('c2', event('A', user('u1'))))).versions).toEqual([2]);
  await log.close();
});

it('stores under the lock what is in nobody’s way, and nothing of the rest', async () => {
  const log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('A', user('u1'))));
  await log.session.exclusive(async (by) => {
    const fresh = commit('c2', event('A', user('u1')));
    const { fell, versions } = await log.appendPart([fresh, commit('c1', event('A', user('u1')))], { by });
    expect([fell, versions]).toEqual([['c1'], [2]]);
    expect((await log.append(commit('c3', event('A', user('u1'))), { by })).versions).toEqual([3]);
  });
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

function raiseFormat(): void {
  const newer = new DatabaseSync(file);
  newer.exec(`PRAGMA user_version = ${FORMAT + 1}`);
  newer.close();
}

describe('an open session, after a newer release has raised the format', () => {
  const told = { code: 'FormatTooNew', retryable: false, details: { format: FORMAT + 1, supported: FORMAT } };

  it('writes no more, whatever by, and reads no more', async () => {
    const log = await TestLog.on(sqlite(file));
    await log.append(commit('c1', event('A', user('u1'))));
    const waiting = log.session.moved(log.end, new AbortController().signal).catch((error: unknown) => error);
    raiseFormat();
    let ran = false;
    await expect(log.append(commit('c2', event('A', user('u1'))))).rejects.toMatchObject(told);
    await expect(log.session.change(() => undefined)).rejects.toMatchObject(told);
    await expect(log.session.exclusive(async () => (ran = true))).rejects.toMatchObject(told);
    await expect(log.head(user('u1'))).rejects.toMatchObject(told);
    expect(await waiting).toMatchObject(told);
    expect(ran).toBe(false);
    await log.close();
    const side = new DatabaseSync(file);
    expect(side.prepare('SELECT count(*) AS commits FROM commits').get()).toEqual({ commits: 1 });
    side.close();
  });

  it('writes no more, if the format was raised while it waited for the lock', async () => {
    const log = await TestLog.on(sqlite(file));
    const newer = new DatabaseSync(file);
    newer.exec('BEGIN IMMEDIATE');
    const append = log.append(commit('c1', event('A', user('u1'))));
    await setTimeout(30);
    newer.exec(`PRAGMA user_version = ${FORMAT + 1}; COMMIT`);
    newer.close();
    await expect(append).rejects.toMatchObject(told);
    await log.close();
  });
});

it.each(['EXCLUSIVE', 'IMMEDIATE'])('opens when another process is done with making the log (%s)', async (lock) => {
  const maker = new DatabaseSync(file);
  maker.exec(`BEGIN ${lock}`);
  const opening = sqlite(file).open();
  await setTimeout(30);
  maker.exec('ROLLBACK');
  maker.close();
  const session = await opening;
  expect(await session.registry()).toEqual({ generation: 0, last: 0, keyings: [], definitions: [], indexes: [] });
  await session.close();
  const holder = new DatabaseSync(file);
  holder.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; PRAGMA user_version');
  await expect(sqlite(file, { lockTimeoutMs: 50 }).open()).rejects.toMatchObject({ code: 'StoreUnavailable' });
  holder.close();
});

it('lets nobody use the lock after the work is over', async () => {
  const log = await TestLog.on(sqlite(file));
  const kept = await log.session.exclusive(async (by) => by);
  await expect(kept.registry()).rejects.toMatchObject({ code: 'Closed' });
  await expect(kept.append(log.batch(commit('c1', event('A'))))).rejects.toMatchObject({ code: 'Closed' });
  await log.close();
});

it('finishes what is under way when it is closed, and leaves one file', async () => {
  const log = await TestLog.on(sqlite(file));
  const appends = range(1, 5).map((n) =>
    log.append(commit(`c${n}`, event('A', user('u1'))), { seen: { position: 0, hash: '0'.repeat(64) } }),
  );
  await log.close();
  expect((await Promise.all(appends)).map(({ versions }) => versions[0])).toEqual(range(1, 5));
  expect(statSync(`${file}-wal`, { throwIfNoEntry: false })).toBeUndefined();
});

it('trusts nothing in memory once the log has another history', async () => {
  const log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('A', user('u1'))));
  expect(await log.head(user('u1'))).toBe(1);
  // As when an older copy is written over the file: the integers begin anew.
  const editor = new DatabaseSync(file);
  for (const table of ['commits', 'events', 'types', 'attachments', 'documents', 'names'])
    editor.exec(`DELETE FROM ${table}`);
  editor.close();
  const other = await log.open();
  const seen = { position: 0, hash: '0'.repeat(64) };
  const { end } = await log.append(commit('c2', event('B', user('u2'))), { by: other, seen });
  expect(await log.head(user('u1'))).toBe(0);
  const { versions } = await log.append(commit('c3', event('A', user('u1'), user('u2'))), { seen: end });
  expect(versions).toEqual([1, 2]);
  expect(await log.session.check()).toEqual([]);
  await log.close();
});

it('checks a log of many commits in one pass over it: each event against each commit would take minutes', async () => {
  const log = await TestLog.on(sqlite(file, { synchronous: 'off' }));
  for (const batch of range(1, 40))
    await log.append(range(1, 1_000).map((n) => commit(`c${batch}-${n}`, event('NOTED'))));
  expect(await log.session.check()).toEqual([]);
  await log.close();
});
