/**
 * Files changed between two runs of a server that remembered nothing: a log that lost its end is a shorter log without a
 * fault in it, and only a point kept elsewhere tells. What lost anything else is damaged, and found to be.
 */
/* eslint-disable vitest/no-conditional-expect -- which is expected depends on what was drawn */
/* eslint-disable vitest/no-standalone-expect -- what the tests rest on */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Chance } from '../../src/testing/conformance/random.ts';
import { runs, SEED } from '../fuzz/seed.ts';
import { createService, viewService } from '../support/market.ts';
import { isAll } from '../support/setting.ts';
import { foreignErrors, isOurs } from './asking.ts';
import { fill, openShop, openShopApp, type ShopApp } from './shop-log.ts';

const WAL_HEADER = 32;
const FRAME = 4096 + 24;
/** Frames at the end of the write-ahead log that are cut off, one after the other. */
const FRAMES = isAll ? 30 : 8;
const NONE = '0'.repeat(64);

const directory = mkdtempSync(join(tmpdir(), 'tidemark-restart-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The files of a log whose server was killed: its last commits are in the write-ahead log alone. */
interface Killed {
  readonly main: Buffer;
  readonly wal: Buffer;
  readonly end: Point;
}
interface Point {
  readonly position: number;
  readonly hash: string;
}

let early: Killed;
let late: Killed;
/** Each point that the log has ended at: position → hash. */
const points = new Map<number, string>([[0, NONE]]);

async function kill(app: ShopApp, file: string): Promise<Killed> {
  const { position, hash } = await app.status();
  return { main: readFileSync(file), wal: readFileSync(`${file}-wal`), end: { position, hash } };
}

beforeAll(async () => {
  const file = join(directory, 'market.db');
  await using app = await openShopApp(file);
  await fill(app);
  early = await kill(app, file);
  // The first half is copied into the file, so that the write-ahead log begins anew.
  const other = new DatabaseSync(file);
  expect(other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 });
  other.close();
  for (let n = 0; n < 30; n += 1) {
    if (n % 3 === 0) await app.execute(openShop, { user_id: `o${n}`, service_ids: [`y${n}`, `z${n}`] });
    else if (n % 3 === 1) await app.execute(createService, { service_id: `n${n}` });
    else await app.execute(viewService, { service_id: `n${n - 1}` });
  }
  late = await kill(app, file);
  for await (const { position, hash } of app.events()) points.set(position, hash);
});

let places = 0;
function put(main: Buffer, wal?: Buffer): string {
  const file = join(directory, `${(places += 1)}.db`);
  writeFileSync(file, main);
  if (wal !== undefined) writeFileSync(`${file}-wal`, wal);
  return file;
}

/** Where the log of a file ends; it must be sound, a point that it once ended at, and `expect` must tell that it isn't all. */
async function soundUpTo(file: string): Promise<number> {
  await using app = await openShopApp(file);
  const verified = await app.verify();
  expect(verified).toMatchObject({ ok: true, problems: [] });
  expect(points.get(verified.position)).toBe(verified.hash);
  const { problems } = await app.verify({ expect: late.end });
  if (verified.position === late.end.position) expect(problems).toEqual([]);
  else expect(problems).toMatchObject([{ code: 'HistoryDiverged', position: late.end.position }]);
  // It goes on from there.
  expect(await app.execute(createService, { service_id: 'next' })).toMatchObject({ position: verified.position + 1 });
  return verified.position;
}

test('control: nothing cut, nothing lost', async () => {
  expect(points.size).toBeGreaterThan(80);
  expect(await soundUpTo(put(late.main, late.wal))).toBe(late.end.position);
  expect(await soundUpTo(put(early.main, early.wal))).toBe(early.end.position);
});

describe('law 2, law 9, lesson 22: the tail of the write-ahead log cut off', () => {
  test('at every border of the last frames, and within them: a shorter log, to be told by `expect` alone', async () => {
    const ends = new Set<number>();
    for (let frames = 1; frames <= FRAMES; frames += 1) {
      for (const within of [0, 2_000]) {
        ends.add(await soundUpTo(put(late.main, late.wal.subarray(0, late.wal.length - frames * FRAME + within))));
      }
    }
    // Commits of several events go as a whole: none of the ends is within one.
    expect([...ends].every((end) => points.has(end) && end < late.end.position)).toBe(true);
    expect(ends.size).toBeGreaterThan(FRAMES / 6);
  }, 300_000);

  test('a bit flipped in it: the log ends before that frame', async () => {
    const chance = new Chance(SEED);
    for (let n = 0; n < runs(10, 25); n += 1) {
      const wal = Buffer.from(late.wal);
      const offset = WAL_HEADER + chance.below(wal.length - WAL_HEADER);
      wal[offset]! ^= 1 << chance.below(8);
      const end = await soundUpTo(put(late.main, wal)).catch((error: unknown) => {
        throw new Error(`seed ${SEED}, flip ${n} at byte ${offset}`, { cause: error });
      });
      // Frames that were written again later in the log may be beyond its end.
      expect(end).toBeLessThanOrEqual(late.end.position);
    }
  });

  test.each([
    ['removed', undefined],
    ['empty', Buffer.alloc(0)],
    ['garbage', Buffer.alloc(FRAME * 3, 0xa5)],
    ['a header alone', 'header'],
  ])('%s: the log ends where it was last copied into the file', async (_, wal) => {
    expect(
      await soundUpTo(
        put(late.main, wal === 'header' ? late.wal.subarray(0, WAL_HEADER) : (wal as Buffer | undefined)),
      ),
    ).toBe(early.end.position);
  });
});

describe('law 9, lesson 22: an older copy put in its place', () => {
  test('of both files: to be told by `expect` alone', async () => {
    expect(await soundUpTo(put(early.main, early.wal))).toBe(early.end.position);
  });

  test.each([
    ['an older file under the newer write-ahead log', () => put(early.main, late.wal)],
    ['an older write-ahead log over the newer file', () => put(late.main, early.wal)],
  ])('%s: found, at least by `expect`, and nothing but our errors surfaces', async (_, make) => {
    const file = make();
    const copy = `${file}.copy`;
    for (const suffix of ['', '-wal']) copyFileSync(file + suffix, copy + suffix);
    let found: unknown;
    try {
      await using app = await openShopApp(file);
      found = (await app.verify({ expect: late.end })).problems;
    } catch (error) {
      found = isOurs(error) ? [error.code] : error;
    }
    expect(found).toEqual(expect.arrayContaining([expect.anything()]));
    expect(await foreignErrors(copy)).toEqual([]);
  });
});

describe('the file cut off', () => {
  let whole: Buffer;
  beforeAll(async () => {
    const file = put(late.main, late.wal);
    await (await openShopApp(file)).close();
    expect(existsSync(`${file}-wal`)).toBe(false);
    whole = readFileSync(file);
  });

  test('law 9: anywhere: refused at opening, or found', async () => {
    const chance = new Chance(SEED + 1);
    const borders = Array.from({ length: whole.length / 4096 - 1 }, (_, n) => (n + 1) * 4096);
    const cuts = [
      ...borders,
      ...borders.map((border) => border - 1 - chance.below(4094)),
      1,
      99,
      100,
      512,
      whole.length - 1,
    ];
    const missed: number[] = [];
    const codes = new Set<string>();
    for (const cut of cuts) {
      const file = put(whole);
      truncateSync(file, cut);
      const code = await openShopApp(file).then(
        async (app) => {
          await using open = app;
          return (await open.verify()).ok ? undefined : 'found';
        },
        (error: unknown) => (isOurs(error) ? error.code : String(error)),
      );
      if (code === undefined) missed.push(cut);
      else codes.add(code);
      const again = put(whole);
      truncateSync(again, cut);
      expect(await foreignErrors(again)).toEqual([]);
    }
    expect({ seed: SEED, missed }).toEqual({ seed: SEED, missed: [] });
    expect([...codes].filter((code) => !['found', 'LogCorrupt', 'NotALog'].includes(code))).toEqual([]);
  });

  test('to nothing: a file without bytes is the beginning of a log, and only `expect` tells', async () => {
    expect(await soundUpTo(put(Buffer.alloc(0)))).toBe(0);
  });
});

test('law 9: the README says that a log which lost its end can only be told by `expect`', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');
  expect(readme).toMatch(
    /lost its end or was replaced by an older copy. For this, keep `position` and `hash` of `status\(\)` elsewhere and pass them to `verify\(\{ expect \}\)`/,
  );
  const chain = readFileSync(new URL('../../docs/reference/hash-chain.md', import.meta.url), 'utf8').replaceAll(
    /\s+/g,
    ' ',
  );
  expect(chain).toMatch(/lost its end is a shorter log without a fault in it: only a hash kept elsewhere tells/);
});
