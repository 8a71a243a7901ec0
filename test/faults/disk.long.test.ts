/**
 * A disk that fills up under a server, also in the middle of a checkpoint: callers hear of it by a named error, nothing
 * that was acknowledged is lost, nothing is half stored, and the same application goes on once there is room.
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import { goesOn, Story } from './disk-story.ts';
import { limitedFiles, smallDisk } from './disk.ts';
import { endServers } from './server-process.ts';

const MIB = 2 ** 20;
/** The store copies its write-ahead log into the file at so many bytes (4,000 pages, and their headers). */
const CHECKPOINT_BYTES = 4_000 * 4_096;

/** What a hasty store answered is committed by then: what is lost is lost to the disk. */
const COMMITTED_MS = 200;

const folder = temporaryFolder();
afterEach(endServers);

const FULL = /disk is full.*Free some space/;
const KINDS = [
  ['a full disk', smallDisk, FULL],
  ['files that may not grow', limitedFiles, /disk I\/O error.*Check the disk/],
] as const;

describe.each(KINDS)('laws 1, 2, 7: %s', (_, make, said) => {
  test('under load: a named error, reads go on, and so does the same application when there is room', async () => {
    const story = await Story.begin(make, folder);
    await story.well({ step: 'execute', first: 1, last: 20 });
    story.disk.fill(MIB);
    await story.fails(21, said);
    const { count } = story;
    expect(count).toBeGreaterThan(20);
    await story.whole();
    // It stays so, however often one tries.
    await story.fails(1, said);
    await story.whole();
    await story.well({ step: 'verify' });
    story.disk.free();
    await goesOn(story, count + 100);
    await story.well({ step: 'close' });
    await story.well({ step: 'open' });
    await story.well({ step: 'verify' });
  });

  test('in the middle of a checkpoint: the file has a part of the pages, and nothing is lost', async () => {
    const story = await Story.begin(make, folder);
    await story.well({ step: 'execute', first: 1, last: 400 });
    const before = story.size('');
    story.disk.fill(MIB);
    const { faults } = await story.step({ step: 'checkpoint' });
    expect(faults.join()).toMatch(/is full|I\/O error/);
    // A part was copied, and no more than that.
    expect(story.size('')).toBeGreaterThan(before);
    expect(story.size('')).toBeLessThan(before + 1.1 * MIB);
    await story.fails(401, said);
    await story.whole();
    // Killed as it is: the write-ahead log has what the file lacks. Whether it can be opened there depends on the disk.
    await story.disk.restart();
    const { errors } = await story.step({ step: 'open' });
    for (const error of errors) expect(error).toMatchObject({ code: 'StoreUnavailable', retryable: true });
    if (errors.length === 0) await story.whole();
    story.disk.free();
    if (errors.length > 0) await story.well({ step: 'open' });
    await goesOn(story, 600);
  });
});

test('laws 1, 2, 7: a disk that the store’s own checkpoint fills: what is behind it stays whole, and goes on', async () => {
  const story = await Story.begin(smallDisk, folder);
  // Room for the write-ahead log until it is due to be copied, and not for the copy.
  story.disk.fill(CHECKPOINT_BYTES + 4 * MIB);
  await story.fails(1, FULL);
  expect(story.size('-wal')).toBeGreaterThan(CHECKPOINT_BYTES);
  expect(story.size('')).toBeGreaterThan(MIB);
  // The reduction, too, says that it can't store anything.
  const ofCopying = story.warnings.filter((warning) => warning.includes("can't be copied into"));
  expect(ofCopying).toHaveLength(1);
  expect(ofCopying[0]).toMatch(/can't be copied into .* so it grows: .*disk is full.*Free some space/);
  await story.whole();
  story.disk.free();
  await goesOn(story, story.count + 100);
});

test('control: a store that answers before it has committed loses what it acknowledged, and that is found', async () => {
  const story = await Story.begin(smallDisk, folder, 2);
  await story.well({ step: 'execute', first: 1, last: 20 });
  await sleep(COMMITTED_MS);
  await story.whole();
  story.disk.fill(MIB);
  await story.step({ step: 'execute', first: 21, last: 3_000, untilFull: true });
  await sleep(COMMITTED_MS);
  await expect(story.whole()).rejects.toThrow(/o\d+/);
});

describe('opening on a full disk', () => {
  test('a new log: a named error, and nothing in the way once there is room', async () => {
    const disk = await smallDisk(mkdtempSync(join(folder, 'story-')));
    disk.fill(0);
    const { errors } = await disk.step({ step: 'open' });
    expect(errors).toMatchObject([{ code: 'StoreUnavailable', retryable: true, message: expect.stringMatching(FULL) }]);
    disk.free();
    expect((await disk.step({ step: 'open' })).errors).toEqual([]);
    expect((await disk.step({ step: 'execute', first: 1, last: 10 })).acknowledged).toHaveLength(10);
  });

  test.each(['closed', 'killed'])(
    'a log that was %s: a named error, and all of it is there once there is room',
    async (how) => {
      const story = await Story.begin(smallDisk, folder);
      await story.well({ step: 'execute', first: 1, last: 100 });
      if (how === 'closed') await story.well({ step: 'close' });
      await story.disk.restart();
      story.disk.fill(0);
      const { errors } = await story.step({ step: 'open' });
      // A log that was killed has all the files already that opening needs.
      expect(errors).toHaveLength(how === 'closed' ? 1 : 0);
      for (const error of errors) {
        expect(error).toMatchObject({
          code: 'StoreUnavailable',
          retryable: true,
          message: expect.stringMatching(FULL),
        });
      }
      story.disk.free();
      if (errors.length > 0) await story.well({ step: 'open' });
      await goesOn(story, 200);
    },
  );
});
