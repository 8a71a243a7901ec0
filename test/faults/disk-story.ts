/** What the tests of full disks tell: a server on its disk, step by step, and all that it has acknowledged so far. */
import assert from 'node:assert/strict';
import { mkdtempSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Acknowledged } from './acknowledged.ts';
import type { Done, Step } from './disk-server.ts';
import type { Disk, MakeDisk } from './disk.ts';
import { faultsBySql } from './kill-check.ts';
import { copyLog } from './log-by-sql.ts';

/** A disk with an open log, and all that the server acknowledged on it. */
export class Story {
  readonly disk: Disk;
  readonly #copy: string;
  readonly #acknowledged = new Map<string, Acknowledged>();
  /** All that its logger was warned of. */
  readonly warnings: string[] = [];

  private constructor(disk: Disk, folder: string) {
    this.disk = disk;
    this.#copy = join(folder, 'copy.db');
  }

  static async begin(make: MakeDisk, within: string, hastyMs = 0): Promise<Story> {
    const folder = mkdtempSync(join(within, 'story-'));
    const story = new Story(await make(folder), folder);
    await story.well({ step: 'open', hastyMs });
    return story;
  }

  /** A step, whatever comes of it. What is acknowledged again must be the same. */
  async step(step: Step): Promise<Done> {
    const done = await this.disk.step(step);
    this.warnings.push(...done.warnings);
    for (const one of done.acknowledged) {
      const before = this.#acknowledged.get(one.id);
      if (before) assert.deepEqual(one, before);
      assert(done.replayed.includes(one.id) || !before, `${one.id} was executed again`);
      this.#acknowledged.set(one.id, one);
    }
    return done;
  }

  /** A step that nothing comes in the way of. */
  async well(step: Step): Promise<Done> {
    const done = await this.step(step);
    assert.deepEqual({ errors: done.errors, faults: done.faults }, { errors: [], faults: [] });
    return done;
  }

  /** Executes until there are errors, each of which must be of use to whoever reads it. */
  async fails(first: number, said: RegExp, last = first + 3_000): Promise<void> {
    const { errors } = await this.step({ step: 'execute', first, last, untilFull: true });
    assert(errors.length > 0, 'the disk is not full');
    for (const { code, retryable, message } of errors) {
      assert.deepEqual({ code, retryable }, { code: 'StoreUnavailable', retryable: true });
      assert.match(message, said);
    }
  }

  get count(): number {
    return this.#acknowledged.size;
  }

  /** All that was acknowledged is there, by SQL and by what the application reads. */
  async whole(): Promise<void> {
    const all = [...this.#acknowledged.values()];
    assert.deepEqual(faultsBySql(copyLog(this.disk.file, this.#copy), all), []);
    const { orders } = await this.well({ step: 'read' });
    assert(orders >= all.filter(({ status }) => status === 'succeeded').length);
  }

  size(end: '' | '-wal'): number {
    return statSync(this.disk.file + end).size;
  }
}

/** There is room again: what failed is sent again with the same ids, then more. */
export async function goesOn(story: Story, last: number): Promise<void> {
  const { acknowledged } = await story.well({ step: 'execute', first: 1, last });
  expect(acknowledged).toHaveLength(last);
  expect(story.count).toBe(last);
  await story.well({ step: 'checkpoint' });
  await story.well({ step: 'verify' });
  await story.whole();
}
