/**
 * Files changed under running servers. `ahead` has seen all of the log, `behind` only its beginning; both are open when
 * it happens. Nobody is told something that isn't so, and nothing is acknowledged on ground that is lost.
 */
/* eslint-disable unicorn/consistent-function-scoping -- beside its use */
/* eslint-disable vitest/no-conditional-expect -- which is expected depends on what was drawn */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { chmodSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createService, services } from '../support/market.ts';
import { askEverything, isOurs, QUESTIONS } from './asking.ts';
import { fill, openShopApp, type ShopApp } from './shop-log.ts';

/** A frame of the write-ahead log: a page and its header. */
const FRAME = 4096 + 24;
const SUFFIXES = ['', '-wal', '-shm'] as const;

interface Scene {
  readonly file: string;
  /** A copy of all three files as they were when `behind` had seen everything. */
  readonly older: string;
  readonly ahead: ShopApp;
  readonly behind: ShopApp;
  /** The end of the log, seen by `ahead`. */
  readonly end: { readonly position: number; readonly hash: string };
  readonly olderEnd: { readonly position: number; readonly hash: string };
}

async function scene(): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-running-'));
  const file = join(directory, 'market.db');
  const older = join(directory, 'older.db');
  const [ahead, behind] = [await openShopApp(file), await openShopApp(file)];
  onTestFinished(async () => {
    await Promise.allSettled([ahead.close(), behind.close()]);
    rmSync(directory, { recursive: true, force: true });
  });
  await fill(ahead);
  const olderEnd = await behind.status();
  for (const suffix of SUFFIXES) copyFileSync(file + suffix, older + suffix);
  await fill(ahead, 'more-');
  const end = await ahead.status();
  expect(end.position).toBe(olderEnd.position * 2);
  return { file, older, ahead, behind, end, olderEnd };
}

/** What each question was answered with: a code, or 'ok'. */
async function codes(app: ShopApp): Promise<Readonly<Record<string, string>>> {
  const answers = Object.entries(await askEverything(app));
  return Object.fromEntries(
    answers.map(([name, answer]) => [
      name,
      'value' in answer ? 'ok' : isOurs(answer.error) ? answer.error.code : String(answer.error),
    ]),
  );
}

const everything = (code: string): object => Object.fromEntries(Object.keys(QUESTIONS).map((name) => [name, code]));

/** Longer than reads go on without a look at their files: from then on, everybody must have noticed. */
const looked = (): Promise<void> => setTimeout(20);

/** `ahead` and `behind` are told so by everything they ask; what is in the files stays as it is. */
async function allAreTold({ file, ahead, behind }: Scene, code: string): Promise<void> {
  const sizes = (): (number | undefined)[] =>
    SUFFIXES.map((suffix) => statSync(file + suffix, { throwIfNoEntry: false })?.size);
  const before = sizes();
  for (const app of [ahead, behind]) {
    await expect(app.execute(createService, { service_id: 'lost' }, { id: 'lost' })).rejects.toMatchObject({ code });
  }
  await looked();
  expect(await codes(ahead)).toEqual(everything(code));
  expect(await codes(behind)).toEqual(everything(code));
  expect(sizes()).toEqual(before);
  await ahead.close();
  await behind.close();
}

/** Opens the file afterwards: a sound log, of which `expect` tells that it isn't all. */
async function soundButShorter({ file, end }: Scene): Promise<number> {
  await using app = await openShopApp(file);
  expect(await app.verify()).toMatchObject({ ok: true, problems: [] });
  const { position, hash } = end;
  expect((await app.verify({ expect: { position, hash } })).problems).toMatchObject([
    { code: 'HistoryDiverged', position },
  ]);
  expect(await app.outcome('lost')).toBeUndefined();
  return (await app.status()).position;
}

test('control: where nothing is changed, everything is answered', async () => {
  const { ahead, behind } = await scene();
  await looked();
  expect(await codes(ahead)).toEqual(everything('ok'));
  expect(await codes(behind)).toEqual(everything('ok'));
});

describe('law 9, lesson 22: the write-ahead log cut off under servers, which SQLite itself writes across', () => {
  test.each<[name: string, cut: (size: number) => number, refusal: string | undefined]>([
    ['at its last frame', (size: number) => size - FRAME, undefined],
    ['in the middle of its last frame', (size: number) => size - FRAME / 2, undefined],
    ['by one byte', (size: number) => size - 1, undefined],
    ['in the middle of a frame further up', (size: number) => size - 7 * FRAME - 100, undefined],
    ['behind what the server behind had seen', (size: number) => size - 60 * FRAME, undefined],
    ['in its first third', (size: number) => Math.floor(size / 3), undefined],
    ['behind its header', () => 32, 'LogCorrupt'],
    ['whole', () => 0, 'LogCorrupt'],
  ])('%s', async (_, cut, refusal) => {
    const all = await scene();
    const wal = `${all.file}-wal`;
    truncateSync(wal, cut(statSync(wal).size));
    // A newcomer, to whom the shared memory says what there should be.
    await expect(openShopApp(all.file)).rejects.toMatchObject({ code: /HistoryDiverged|StoreUnavailable/ });
    await allAreTold(all, 'HistoryDiverged');
    // The file of a log that is new says itself that nothing at all can't be right.
    if (refusal) await expect(openShopApp(all.file)).rejects.toMatchObject({ code: refusal });
    else expect(await soundButShorter(all)).toBeLessThan(all.end.position);
  });

  test('who reads before it looks is given what was so, or told', async () => {
    const { file, ahead } = await scene();
    const before = await ahead.get(services, 'more-s1');
    truncateSync(`${file}-wal`, 32 + 3 * FRAME);
    const after = await ahead.get(services, 'more-s1').catch((error: unknown) => error);
    if (isOurs(after)) expect(after.code).toBe('HistoryDiverged');
    else expect(after).toEqual(before);
  });
});

describe('law 9, lesson 22: an older copy, or another log, over the files of running servers', () => {
  const over = ({ file, older }: Scene, suffixes: readonly string[]): void => {
    for (const suffix of suffixes) writeFileSync(file + suffix, readFileSync(older + suffix));
  };

  test('file and write-ahead log overwritten in place: everybody is told', async () => {
    const all = await scene();
    over(all, ['', '-wal']);
    await allAreTold(all, 'HistoryDiverged');
    expect(await soundButShorter(all)).toBe(all.olderEnd.position);
  });

  test('all three overwritten: who saw more is told; who didn’t goes on from there', async () => {
    const all = await scene();
    const { ahead, behind, olderEnd, end } = all;
    over(all, SUFFIXES);
    await looked();
    expect(await codes(ahead)).toEqual(everything('HistoryDiverged'));
    expect(await behind.status()).toMatchObject({ state: 'open', ...pick(olderEnd) });
    expect(await behind.execute(createService, { service_id: 'new' })).toMatchObject({
      position: olderEnd.position + 1,
    });
    expect(await behind.verify()).toMatchObject({ ok: true });
    // The log grows past what had been seen: that heals nothing.
    await fill(behind, 'again-');
    await fill(behind, 'and-again-');
    expect((await behind.status()).position).toBeGreaterThan(end.position);
    expect(await codes(ahead)).toEqual({ ...everything('HistoryDiverged'), status: 'ok' });
    expect(await ahead.status()).toMatchObject({ state: 'diverged', ...pick(end) });
    expect((await behind.verify({ expect: pick(end) })).problems).toMatchObject([{ code: 'HistoryDiverged' }]);
  });

  test('another log of the same length, in place: its hash tells', async () => {
    const all = await scene();
    const { ahead, behind, end, older, file } = all;
    const other = `${file}.other`;
    {
      await using app = await openShopApp(other);
      await fill(app, 'x-');
      await fill(app, 'y-');
      expect((await app.status()).position).toBe(end.position);
      for (const suffix of SUFFIXES) copyFileSync(other + suffix, older + suffix);
    }
    over(all, SUFFIXES);
    await looked();
    expect(await codes(ahead)).toEqual(everything('HistoryDiverged'));
    expect(await codes(behind)).toEqual(everything('HistoryDiverged'));
  });
});

describe('law 9: files that aren’t in place any more', () => {
  test.each<[string, (scene: Scene) => void]>([
    [
      'an older copy renamed over them',
      ({ file, older }) => ['', '-wal'].forEach((suffix) => renameSync(older + suffix, file + suffix)),
    ],
    ['the write-ahead log removed', ({ file }) => rmSync(`${file}-wal`)],
    ['the shared memory removed', ({ file }) => rmSync(`${file}-shm`)],
    ['the file removed', ({ file }) => rmSync(file)],
    [
      'a directory in place of the file',
      ({ file }) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ])('%s: nobody is answered, nothing is stored', async (_, change) => {
    const all = await scene();
    change(all);
    await allAreTold(all, 'StoreUnavailable');
  });

  test('an older copy renamed over them: between two runs only a point kept elsewhere tells', async () => {
    const all = await scene();
    for (const suffix of ['', '-wal']) renameSync(all.older + suffix, all.file + suffix);
    await Promise.all([all.ahead.close(), all.behind.close()]);
    expect(await soundButShorter(all)).toBe(all.olderEnd.position);
  });
});

describe('what harms nothing', () => {
  test.each([
    ['garbage in the shared memory', 0xa5],
    ['zeros in the shared memory', 0],
  ])('%s: SQLite makes it anew out of the write-ahead log', async (_, byte) => {
    const { file, ahead, behind, end } = await scene();
    writeFileSync(`${file}-shm`, Buffer.alloc(statSync(`${file}-shm`).size, byte));
    await looked();
    expect(await ahead.verify({ expect: pick(end) })).toMatchObject({ ok: true, position: end.position });
    expect(await codes(behind)).toEqual(everything('ok'));
    expect(await codes(ahead)).toEqual(everything('ok'));
  });

  test('permissions taken away: who has it open goes on, and finds everything again', async () => {
    const { file, ahead, end } = await scene();
    const withThem = (mode: number): void =>
      SUFFIXES.forEach((suffix) => existsSync(file + suffix) && chmodSync(file + suffix, mode));
    withThem(0);
    await looked();
    expect(await ahead.execute(createService, { service_id: 'new' })).toMatchObject({ position: end.position + 1 });
    expect(await ahead.verify({ expect: pick(end) })).toMatchObject({ ok: true });
    withThem(0o600);
    expect(await codes(ahead)).toEqual(everything('ok'));
  });
});

describe('bytes overwritten in place under a server', () => {
  test('verify looks at the file, not at what was read of it before', async () => {
    const { file, ahead } = await scene();
    expect(await ahead.verify()).toMatchObject({ ok: true });
    const wal = readFileSync(`${file}-wal`);
    // The newest frames: the pages that are read now.
    for (let offset = wal.length - 20 * FRAME; offset < wal.length; offset += 16) wal[offset]! ^= 1;
    writeFileSync(`${file}-wal`, wal);
    const said = await ahead.verify().catch((error: unknown) => error);
    if (!isOurs(said)) expect(said).toMatchObject({ ok: false });
    // And from then on nothing is written on top of it.
    await expect(ahead.execute(createService, { service_id: 'lost' })).rejects.toMatchObject({ code: 'LogCorrupt' });
  });
});

function pick({ position, hash }: Scene['end']): Scene['end'] {
  return { position, hash };
}
