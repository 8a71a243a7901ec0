/**
 * Durability, which no kill can show (lesson 24): the page cache outlives a process, not a machine. So the kernel is
 * asked what it was asked to do, by `strace`. That `synchronous` is FULL on the writing connection is asserted by the
 * store at each opening (`src/store/sqlite/connecting/open.ts`), and tested there; here it is seen to be so.
 */
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import { endServers, startServer } from './server-process.ts';
import type { Task } from './sync-server.ts';
import { callsOf, durability, watched, WHOLE_PAGES, type Call, type Durability } from './trace.ts';

const folder = temporaryFolder();
afterEach(endServers);

interface Seen extends Durability {
  readonly file: string;
  readonly calls: readonly Call[];
  readonly batches: number;
}

let runs = 0;

async function see(given: Partial<Task>): Promise<Seen> {
  const file = join(folder, `${(runs += 1)}.db`);
  const task: Task = {
    file,
    callers: 1,
    commands: 150,
    synchronous: 'full',
    hastyMs: 0,
    textLength: 20,
    checkpointEvery: 40,
    ...given,
  };
  // Long texts are not kept: there, the order of the calls is looked at alone.
  const byContent = task.textLength < 100;
  const through = watched(`${file}.trace`, byContent ? WHOLE_PAGES : 100);
  const server = startServer(new URL('sync-server.ts', import.meta.url), [JSON.stringify(task)], through);
  const done = await server.heard('done').catch((error: unknown) => {
    if (!/ptrace|could not be started/.test(server.complaints())) throw error;
    throw new Error('This test needs strace, and leave to trace: `apt-get install strace`.', { cause: error });
  });
  server.tell('end');
  await server.ended;
  const calls = callsOf(`${file}.trace`);
  const { batches } = done['counters'] as { batches: number };
  return { ...durability(calls, file, { byContent }), file, calls, batches };
}

describe('law 7, lessons 17 and 24: acknowledged is durable, by what the kernel was asked to do', () => {
  test('one caller: each acknowledgement comes after a sync of its own, with all of the log synced', async () => {
    const { faults, acknowledged, walSyncs, walRestarts, batches } = await see({});
    expect(faults).toEqual([]);
    expect(acknowledged).toBe(150);
    expect(batches).toBe(150);
    expect(walSyncs).toBeGreaterThanOrEqual(150);
    // And so it was across checkpoints.
    expect(walRestarts).toBeGreaterThan(1);
  });

  test('64 callers: at least one sync for each batch, before any of it is acknowledged', async () => {
    const { faults, acknowledged, walSyncs, walRestarts, batches } = await see({ callers: 64, commands: 1_500 });
    expect(faults).toEqual([]);
    expect(acknowledged).toBeGreaterThanOrEqual(1_500);
    expect(batches).toBeGreaterThan(10);
    // One sync made many callers' commands durable, which is what batches are for.
    expect(batches).toBeLessThan(acknowledged);
    expect(walSyncs).toBeGreaterThanOrEqual(batches);
    expect(walRestarts).toBeGreaterThan(1);
  });

  test('so it is across the checkpoints that the store makes by itself', async () => {
    const { faults, walRestarts } = await see({ callers: 64, commands: 1_500, textLength: 8_000, checkpointEvery: 0 });
    expect(faults).toEqual([]);
    expect(walRestarts).toBeGreaterThan(0);
  });

  test('the name of a new log is durable before the first acknowledgement: its directory is synced', async () => {
    const { calls, file } = await see({ commands: 1 });
    const acknowledged = calls.findIndex(({ call, text }) => call === 'write' && text.includes('acknowledged'));
    const before = calls.slice(0, acknowledged);
    const made = before.findIndex(({ call, on }) => call === 'pwrite64' && on === file);
    const named = before.findLastIndex(({ call, on }) => call === 'fsync' && on === dirname(file));
    expect(made).toBeGreaterThan(-1);
    expect(named).toBeGreaterThan(made);
  });
});

describe('controls: the same check finds', () => {
  test.each(['normal', 'off'] as const)('a log opened with synchronous: %s', async (synchronous) => {
    const { faults, acknowledged } = await see({ commands: 60, synchronous });
    expect(acknowledged).toBe(60);
    // `normal` syncs at checkpoints alone.
    expect(faults.filter((fault) => fault.includes('written and not synced')).length).toBeGreaterThan(50);
  });

  test('the order of copying and syncing broken by synchronous: off', async () => {
    const { faults } = await see({ commands: 100, synchronous: 'off' });
    expect(faults).toContain('the log was copied into its file before it was synced');
    expect(faults).toContain('the write-ahead log was begun anew before its copy was synced');
  });

  test.each([1, 64])('a server with %i callers that acknowledges before it commits', async (callers) => {
    const { faults, acknowledged } = await see({ callers, commands: callers * 30, hastyMs: 2 });
    expect(acknowledged).toBeGreaterThanOrEqual(callers * 30);
    expect(faults.length).toBeGreaterThan(acknowledged / 2);
  });
});
