/**
 * Servers on one log whose clocks disagree: one right, one an hour ahead, one an hour behind, one that jumps back and
 * forth. It is the whole process whose clock is off, so that comparing its application's clock with its store's shows
 * nothing (lesson 30).
 *
 * TIDEMARK_CLOCK_SECONDS sets for how long they run (3, and 2 more once the one ahead is set right).
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import type { Acknowledged } from './acknowledged.ts';
import type { Timed, ClockServerArgs, Travelled } from './clock-server.ts';
import { asking, copyLog, count, lost, unsound } from './log-by-sql.ts';
import { parts } from './readings.ts';
import { randomOf, seedOfRun } from '../support/seed.ts';
import { setting } from '../support/setting.ts';
import { endServers, startServer, type Line, type Server } from './server-process.ts';

const SECONDS = setting('TIDEMARK_CLOCK_SECONDS', 3);
const MINUTE = 60_000;
const NAMES = ['right', 'ahead', 'behind', 'jumping'] as const;

const folder = temporaryFolder();
afterAll(endServers);

/** Answers of the past that the log, read by SQL, does not bear out. */
function wrongTravels(file: string, travels: readonly Travelled[]): string[] {
  const recorded = asking(file, (database) =>
    database
      .prepare(
        `SELECT e.json ->> 'meter_id' AS meter, c.recorded_at AS time FROM commits AS c
         JOIN events AS e ON e.position >= c.position AND e.position < c.position + c.event_count`,
      )
      .all(),
  );
  const times = Map.groupBy(recorded, ({ meter }) => meter);
  return travels.flatMap(({ meter, time, version, readings }) => {
    const expected = times.get(meter)?.filter((one) => Number(one['time']) <= time).length ?? 0;
    return version === expected && readings === expected
      ? []
      : [`${meter} at ${time} had ${expected} readings, not ${readings} at version ${version}`];
  });
}

/** Decisions by a time before one that the server had seen in the log, or recorded before they were decided. */
function wrongTimes(all: readonly (Acknowledged & Timed)[]): string[] {
  return all.flatMap(({ id, seen, decidedAt, recordedAt, events }) => [
    ...(decidedAt < seen ? [`${id} was decided ${seen - decidedAt} ms before what its server had seen`] : []),
    ...(recordedAt < decidedAt ? [`${id} was recorded before it was decided`] : []),
    ...(events[0]?.['decided_at'] === decidedAt ? [] : [`${id} was shown another time than it was recorded with`]),
  ]);
}

describe('servers whose clocks disagree', () => {
  const file = join(folder, 'clocks.db');
  const lines: Record<string, readonly Line[]> = {};
  const said = <T>(name: string, say: string): T[] => lines[name]!.filter((line) => line.say === say) as unknown as T[];
  const all = <T>(say: string): T[] => NAMES.flatMap((name) => said<T>(name, say));
  let beforeMending = { ahead: 0, newest: 0 };

  beforeAll(
    async () => {
      const seed = seedOfRun();
      // Said beforehand: the tests that may fail come after what is random.
      process.stdout.write(`clocks: TIDEMARK_SEED=${seed}\n`);
      const random = randomOf(seed);
      const start = async (name: (typeof NAMES)[number], first: string): Promise<Server> => {
        const told: ClockServerArgs = { file, name, seed: Math.floor(random() * 2 ** 32) };
        const server = startServer(new URL('clock-server.ts', import.meta.url), [JSON.stringify(told)]);
        await server.heard(first);
        return server;
      };
      // The first to write must be right: what it says is what the others are held against.
      const servers = [await start('right', 'acknowledged')];
      servers.push(...(await Promise.all(NAMES.slice(1).map((name) => start(name, 'open')))));
      await setTimeout(SECONDS * 1_000);
      const ahead = servers[1]!;
      beforeMending = asking(file, (database) => ({
        ahead: count(database, "SELECT count(*) FROM commits WHERE command_id LIKE 'ahead-%'"),
        newest: count(database, 'SELECT max(recorded_at) FROM commits') - Date.now(),
      }));
      ahead.tell('mend');
      await ahead.heard('acknowledged');
      await setTimeout(2_000);
      for (const server of servers) server.tell('stop');
      await Promise.all(servers.map((server) => server.heard('done')));
      for (const [n, server] of servers.entries()) lines[NAMES[n]!] = server.lines;
    },
    60_000 + SECONDS * 2_000,
  );

  test('a server an hour ahead is refused (ClockAhead), leaves nothing, and does not drag the log along', () => {
    expect(said('ahead', 'refused').length).toBeGreaterThan(10);
    expect(beforeMending.ahead).toBe(0);
    // The one that jumps went four minutes ahead, which is put up with.
    expect(beforeMending.newest).toBeLessThan(5 * MINUTE);
    expect(beforeMending.newest).toBeGreaterThan(MINUTE);
  });

  test('the right one is never refused', () => {
    expect(said('right', 'refused')).toEqual([]);
  });

  test('law 1: set right, it sends the same ids again, and each is stored once', () => {
    const refused = new Set(said<{ id: string }>('ahead', 'refused').map(({ id }) => id));
    const stored = said<Acknowledged>('ahead', 'acknowledged').filter(({ id }) => refused.has(id));
    expect(stored).toHaveLength(refused.size);
    const jumped = new Set(said<{ id: string }>('jumping', 'refused').map(({ id }) => id));
    expect(jumped.size).toBeGreaterThan(5);
  });

  test('laws 1, 3: nothing is lost, and recordedAt never runs backwards, whatever the clocks', () => {
    expect(NAMES.filter((name) => said(name, 'acknowledged').length <= 20)).toEqual([]);
    expect([...unsound(file), ...lost(file, all('acknowledged'))]).toEqual([]);
  });

  test('a decision’s time is never before the newest that its server has seen in the log', () => {
    expect(wrongTimes(all('acknowledged'))).toEqual([]);
    // A server an hour behind has no other times than those of the log.
    const behind = said<Timed>('behind', 'acknowledged');
    expect(behind.filter(({ decidedAt }) => decidedAt > Date.now() - 30 * MINUTE).length).toBeGreaterThan(10);
  });

  test('get at a time is right all along, on every server, and afterwards', async () => {
    const travels = all<Travelled>('travelled');
    expect(travels.length).toBeGreaterThan(100);
    expect(travels.filter(({ version }) => version > 0).length).toBeGreaterThan(50);
    expect(wrongTravels(file, travels)).toEqual([]);
    await using app = await open({ store: sqlite(file), ...parts });
    for (const { meter, time, version } of travels.slice(-200)) {
      expect((await app.get(parts.collections[0], meter, { time })).version).toBe(version);
    }
    expect((await app.verify()).problems).toEqual([]);
  });

  test('controls: a time or an answer that is off by one is found, and so is a log whose times run backwards', () => {
    const [first, ...rest] = all<Acknowledged & Timed>('acknowledged');
    expect(wrongTimes([{ ...first!, seen: first!.decidedAt + 1 }, ...rest])).toHaveLength(1);
    const travels = all<Travelled>('travelled').filter(({ version }) => version > 0);
    expect(
      wrongTravels(file, [{ ...travels[0]!, version: travels[0]!.version - 1 }, ...travels.slice(1)]),
    ).toHaveLength(1);
    const broken = copyLog(file, join(folder, 'broken.db'));
    asking(broken, (database) =>
      database.exec('UPDATE commits SET recorded_at = recorded_at - 3600000 WHERE position % 7 = 0'),
    );
    expect(unsound(broken)).toContain('times run backwards');
    expect(wrongTravels(broken, travels).length).toBeGreaterThan(0);
  });
});
