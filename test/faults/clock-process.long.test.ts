/**
 * One process whose clock is a year ahead, beside right ones: what application and store share is wrong, so neither shows
 * by the other. The database knows better; a file is held against the time since the machine started.
 */
/* eslint-disable vitest/valid-expect -- a message */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { open, type Store } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { afterAll, describe, expect, test } from 'vitest';
import { testDatabase } from '../support/postgres.ts';
import { temporaryFolder } from '../support/stores.ts';
import type { ClockStep, ClockProcessArgs } from './clock-process.ts';
import { asking } from './log-by-sql.ts';
import { meters, parts } from './readings.ts';
import { endServers, startServer, type Line, type Server } from './server-process.ts';

const MINUTE = 60_000;
const YEAR = 365 * 24 * 60 * MINUTE;
const folder = temporaryFolder();
const database = testDatabase();
let files = 0;

afterAll(endServers);

type LogAddress = Pick<ClockProcessArgs, 'store' | 'where'>;

const newFile = (): LogAddress => ({ store: 'sqlite', where: join(folder, `${(files += 1)}.db`) });

interface Process {
  /** Executes a command by a clock that is off by so much from here on, and says what came of it. */
  readonly executes: (offMs: number) => Promise<Line>;
  readonly pid: number;
  readonly ends: () => Promise<void>;
}

async function start(told: ClockProcessArgs): Promise<Process> {
  const server: Server = startServer(new URL('clock-process.ts', import.meta.url), [JSON.stringify(told)]);
  await server.heard('open');
  const tell = (asked: ClockStep): void => server.tell(asked);
  return {
    pid: server.pid,
    executes: async (offMs) => {
      const before = server.lines.length;
      tell({ offMs });
      while (server.lines.length === before) await sleep(5);
      return server.lines.at(-1)!;
    },
    ends: async () => {
      tell('end');
      expect(await server.ended, server.complaints()).toBe(0);
    },
  };
}

/** What came of one command in a process of its own. */
async function once(told: ClockProcessArgs): Promise<Line> {
  const server = await start(told);
  const said = await server.executes(told.offMs);
  await server.ends();
  return said;
}

const refused = { say: 'refused', code: 'ClockAhead' };

/** That it was stored, at about the right time. */
function storedNow({ say, recordedAt, time, message }: Line): void {
  expect(say, String(message)).toBe('stored');
  expect([Math.abs(Number(recordedAt)) < MINUTE, Math.abs(Number(time)) < MINUTE]).toEqual([true, true]);
}

describe.each(['sqlite', 'postgres'] as const)('lesson 30: on %s', (store) => {
  // One log in the database for all: what they don't leave in it is part of what is tested.
  const place = (): LogAddress => (store === 'sqlite' ? newFile() : { store, where: database.url });
  const storeAt = ({ where }: LogAddress): Store => (store === 'sqlite' ? sqlite(where) : postgres(where));

  test('a process a year ahead is refused, leaves nothing, and the others don’t see anything of it', async () => {
    const at = place();
    await using app = await open({ store: storeAt(at), ...parts });
    const { position } = await app.status();
    storedNow(await once({ ...at, offMs: 0 }));
    expect(await once({ ...at, offMs: YEAR })).toMatchObject(refused);
    expect(await once({ ...at, offMs: 6 * MINUTE })).toMatchObject(refused);
    storedNow(await once({ ...at, offMs: 0 }));
    expect((await app.status()).position).toBe(position + 2);
    expect((await app.status()).recordedAt).toBeLessThanOrEqual(Date.now());
    await sleep(2);
    const now = Date.now();
    expect((await app.get(meters, 'm1', { time: now })).version).toBe(position + 2);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('it is refused as long as it is wrong, from the moment of a jump on, and goes on when it is set right', async () => {
    const server = await start({ ...place(), offMs: 0 });
    // Before anything was written by this session, too.
    expect(await server.executes(YEAR)).toMatchObject(refused);
    storedNow(await server.executes(0));
    for (const off of [YEAR, 2 * YEAR, 6 * MINUTE]) expect(await server.executes(off)).toMatchObject(refused);
    storedNow(await server.executes(0));
    expect(await server.executes(YEAR)).toMatchObject(refused);
    storedNow(await server.executes(0));
    await server.ends();
  });

  test('a process behind is not refused, and neither are those that are right then', async () => {
    const at = place();
    storedNow(await once({ ...at, offMs: 0 }));
    expect((await once({ ...at, offMs: -YEAR })).say).toBe('stored');
    storedNow(await once({ ...at, offMs: 0 }));
    const both = await start({ ...at, offMs: -YEAR });
    expect((await both.executes(-YEAR)).say).toBe('stored');
    storedNow(await both.executes(0));
    await both.ends();
  });

  test('a clock that is right is believed: after a pause, and a little ahead', async () => {
    const server = await start({ ...place(), offMs: 0 });
    storedNow(await server.executes(0));
    process.kill(server.pid, 'SIGSTOP');
    await sleep(1_500);
    process.kill(server.pid, 'SIGCONT');
    storedNow(await server.executes(0));
    expect((await server.executes(4 * MINUTE)).say).toBe('stored');
    expect((await server.executes(0)).say).toBe('stored');
    await server.ends();
  });
});

describe('a file', () => {
  test('believes a jump that is allowed by name, once, and the message says how', async () => {
    const at = newFile();
    storedNow(await once({ ...at, offMs: 0 }));
    const { message } = await once({ ...at, offMs: YEAR });
    expect(message).toContain('sqlite(file, { clockMayJump: true })');
    expect((await once({ ...at, offMs: YEAR, clockMayJump: true })).say).toBe('stored');
    expect((await once({ ...at, offMs: YEAR + MINUTE })).say).toBe('stored');
    expect(await once({ ...at, offMs: 2 * YEAR })).toMatchObject(refused);
  });

  test('control: from another machine, or without an anchor, there is nothing to judge by', async () => {
    for (const change of ["UPDATE anchor SET boot = 'another machine’s'", 'DELETE FROM anchor']) {
      const at = newFile();
      storedNow(await once({ ...at, offMs: 0 }));
      asking(at.where, (file) => file.exec(change));
      expect((await once({ ...at, offMs: YEAR })).say).toBe('stored');
      // It is anchored by that from here on.
      expect(await once({ ...at, offMs: 2 * YEAR })).toMatchObject(refused);
    }
  });

  test('an anchor that can’t be one is made again', async () => {
    for (const change of ['UPDATE anchor SET clock_ms = -5', 'UPDATE anchor SET uptime_ms = -1']) {
      const at = newFile();
      storedNow(await once({ ...at, offMs: 0 }));
      asking(at.where, (file) => file.exec(change));
      storedNow(await once({ ...at, offMs: 0 }));
      expect(await once({ ...at, offMs: YEAR })).toMatchObject(refused);
    }
  });
});
