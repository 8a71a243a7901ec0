/**
 * Servers of several releases killed at random moments while documents are made: reduced, attached, indexed, folded again. Whatever
 * was left by halves, the next servers go on with it: in the end every stored document is what its events fold to, and is found.
 *
 * TIDEMARK_GROWING_KILLS sets how many kills there are on each kind of store; TIDEMARK_SEED repeats the choice of moments as far as
 * a machine can.
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Store } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { afterEach, expect, test } from 'vitest';
import { expectReduced, opened } from '../support/opened-theatre.ts';
import { testDatabase } from '../support/postgres.ts';
import { seeded, type Random } from '../support/seed.ts';
import { setting } from '../support/setting.ts';
import { collect, temporaryFolder } from '../support/stores.ts';
import { filled, type Theatre, type TheatreApp } from '../support/theatre.ts';
import { RELEASES } from './growing-releases.ts';
import type { GrowingServerArgs } from './growing-server.ts';
import { endServers, startServer, type Server } from './server-process.ts';

const KILLS = setting('TIDEMARK_GROWING_KILLS', 8);
/** Old events are attached once: after so many kills a new log is begun. */
const KILLS_PER_LOG = 10;
const EVENTS = 4_000;
/** Most lives are shorter than a rebuild takes, … */
const LIFE_MS = 250;
/** … and every fifth may be long enough for one. */
const LONG_LIFE_MS = 3_000;
const TIMEOUT_MS = 120_000 + KILLS * 6_000;

afterEach(endServers);

const names = Object.keys(RELEASES);

/** What a query by an index finds is what a plain filter finds. */
async function expectFound(app: TheatreApp, { seats }: Theatre): Promise<void> {
  const all = await collect(app.list(seats));
  for (const times of [0, 1, 2, 20]) {
    const right = all.filter(({ state }) => state.times > times).map(({ id }) => id);
    const found = await app.find(seats, { where: { times: { gt: times } }, orderBy: [{ times: 'asc' }], limit: 1_000 });
    expect(found.documents.map(({ id }) => id).toSorted()).toEqual(right.toSorted());
    expect(await app.count(seats, { where: { times: { gt: times } } })).toBe(right.length);
  }
}

async function live(
  store: () => Store,
  place: Pick<GrowingServerArgs, 'file' | 'url' | 'schema'>,
  kills: number,
  random: Random,
): Promise<{ open: number; rebuilt: number }> {
  const old = RELEASES['old']!();
  const first = await opened(old, { store: store(), reduction: 'off' });
  await filled(first, old, EVENTS);
  await first.close();
  const met = { open: 0, rebuilt: 0 };
  for (let killed = 0; killed < kills;) {
    const servers: Server[] = [];
    for (let n = random() < 0.5 ? 1 : 2; n > 0; n -= 1) {
      const release = names[Math.floor(random() * names.length)]!;
      const args: GrowingServerArgs = { ...place, release, seed: Math.floor(random() * 2 ** 32) };
      servers.push(startServer(new URL('growing-server.ts', import.meta.url), [JSON.stringify(args)]));
    }
    if (random() < 0.85) await Promise.all(servers.map((server) => server.heard('open').catch(() => undefined)));
    await setTimeout(random() * (random() < 0.2 ? LONG_LIFE_MS : LIFE_MS));
    for (const server of servers) {
      const lines = await server.kill();
      const ended = lines.find(({ say }) => say === 'ended');
      expect([ended, server.complaints()]).toEqual([undefined, '']);
      if (lines.some(({ say }) => say === 'open')) met.open += 1;
      if (lines.some(({ say }) => say === 'rebuilt')) met.rebuilt += 1;
      killed += 1;
    }
  }
  for (const name of names) {
    const release = RELEASES[name]!();
    const app = await opened(release, { store: store(), definitions: 'before' });
    await expectReduced(app, release.seats);
    if (name === 'rooms' || name === 'byRoom') await expectReduced(app, release.rooms);
    await expectFound(app, release);
    await app.close();
  }
  return met;
}

async function lives(life: (kills: number, random: Random) => Promise<{ open: number; rebuilt: number }>) {
  const random = seeded();
  const total = { open: 0, rebuilt: 0 };
  for (let left = KILLS; left > 0; left -= KILLS_PER_LOG) {
    const { open, rebuilt } = await life(Math.min(left, KILLS_PER_LOG), random);
    total.open += open;
    total.rebuilt += rebuilt;
  }
  process.stdout.write(`killed while documents were made: ${JSON.stringify(total)}\n`);
  expect(total.open).toBeGreaterThan(KILLS / 2);
}

const folder = temporaryFolder();
let files = 0;

test(
  'laws 4 and 6: killed while documents are made, in SQLite',
  () =>
    lives(async (kills, random) => {
      const file = join(folder, `${(files += 1)}.db`);
      return live(() => sqlite(file), { file }, kills, random);
    }),
  TIMEOUT_MS,
);

const database = testDatabase();

test(
  'laws 4 and 6: killed while documents are made, in PostgreSQL',
  () =>
    lives(async (kills, random) => {
      const schema = `killed_${(files += 1)}`;
      return live(() => postgres(database.url, { schema }), { url: database.url, schema }, kills, random);
    }),
  TIMEOUT_MS,
);
