/**
 * Releases with raised definitions under load, side by side: two of them, then three with three keyings and reducers; then one is
 * killed and rolled back. Each decides by its own key and its own reducers, and what each has stored is right.
 *
 * TIDEMARK_ROLLING_SECONDS sets how long all of it takes (6).
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { sqlite } from 'tidemark/sqlite';
import { afterEach, expect, test } from 'vitest';
import { RELEASES } from '../faults/growing-releases.ts';
import { endServers, startServer, type Server } from '../faults/server-process.ts';
import { expectReduced, opened } from '../support/opened-theatre.ts';
import { seeded } from '../support/seed.ts';
import { setting } from '../support/setting.ts';
import { collect, temporaryFolder } from '../support/stores.ts';
import { filled, type Place } from '../support/theatre.ts';
import type { TheatreServerArgs } from './theatre-server.ts';

const SECONDS = setting('TIDEMARK_ROLLING_SECONDS', 6);
const STAGE_MS = (SECONDS / 4) * 1_000;

const folder = temporaryFolder();
afterEach(endServers);

interface Booked {
  readonly position: number;
  readonly type: string;
  readonly place: Place;
  /** The release that has decided; undefined for an event that rests on nothing. */
  readonly decidedBy: string | undefined;
}

/** What each release takes a place for, and which events free it: written here by hand. */
const PLACES: Readonly<Record<string, (place: Place) => string>> = {
  old: ({ seat_id }) => seat_id,
  indexed: ({ seat_id }) => seat_id,
  counting: ({ seat_id }) => seat_id,
  byRoom: ({ room_id, seat_id }) => `${room_id}/${seat_id}`,
};

/** Decisions that sold a place that was taken, as the release that decided sees it. */
function soldTwice(log: readonly Booked[]): readonly string[] {
  const taken = new Map(Object.keys(PLACES).map((release) => [release, new Set<string>()]));
  return log.flatMap(({ position, type, place, decidedBy }) => {
    const wrong = decidedBy !== undefined && taken.get(decidedBy)!.has(PLACES[decidedBy]!(place));
    for (const [release, places] of taken) {
      const id = PLACES[release]!(place);
      if (type === 'BOOKED') places.add(id);
      if (type === 'CANCELLED') places.delete(id);
    }
    return wrong ? [`${decidedBy} sold ${JSON.stringify(place)} at ${position}`] : [];
  });
}

test(
  'laws 4, 5 and 6: two and three releases at once, one of them rolled back: each is right by its own definition',
  async () => {
    const random = seeded();
    const file = join(folder, 'raised.db');
    const old = RELEASES['old']!();
    {
      const first = await opened(old, { store: sqlite(file) });
      await filled(first, old, 3_000);
      await first.close();
    }
    const servers = new Map<string, Server>();
    const start = async (name: string, release: string): Promise<void> => {
      const args: TheatreServerArgs = { file, name, release, seed: Math.floor(random() * 2 ** 32) };
      const server = startServer(new URL('theatre-server.ts', import.meta.url), [JSON.stringify(args)]);
      servers.set(name, server);
      await server.heard('open');
    };
    const stop = async (...names: string[]): Promise<void> => {
      for (const name of names) servers.get(name)!.tell('stop');
      await Promise.all(names.map((name) => servers.get(name)!.heard('done')));
    };
    await Promise.all([start('old-1', 'old'), start('old-2', 'old')]);
    await start('raised-1', 'byRoom');
    await setTimeout(STAGE_MS);
    await start('third', 'counting');
    await start('raised-2', 'byRoom');
    await setTimeout(STAGE_MS);
    // Rolled back: the newer release goes, and the one before comes in its place.
    await servers.get('raised-1')!.kill();
    await start('old-3', 'indexed');
    await setTimeout(STAGE_MS);
    await stop('raised-2', 'old-1');
    await setTimeout(STAGE_MS);
    await stop('old-2', 'old-3', 'third');
    for (const [name, server] of servers) {
      expect([name, server.lines.find(({ say }) => say === 'ended')]).toEqual([name, undefined]);
      expect([name, server.lines.filter(({ say }) => say === 'booked').length > 5]).toEqual([name, true]);
    }

    for (const name of ['old', 'indexed', 'byRoom', 'counting']) {
      const release = RELEASES[name]!();
      const app = await opened(release, { store: sqlite(file), definitions: 'before' });
      await expectReduced(app, release.seats);
      if (name !== 'old') {
        await app.close();
        continue;
      }
      const log = (await collect(app.events())).map(({ event, position, command }): Booked => {
        const isDecided = command.name === 'BOOK' && event.type === 'BOOKED';
        return {
          position,
          type: event.type,
          place: event as unknown as Place,
          decidedBy: isDecided ? command.id.split(':')[0]! : undefined,
        };
      });
      expect(new Set(log.flatMap(({ decidedBy }) => decidedBy ?? []))).toEqual(
        new Set(['old', 'indexed', 'byRoom', 'counting']),
      );
      expect(soldTwice(log)).toEqual([]);
      // Control: a second sale of a place is found.
      const sale = log.findLast(({ decidedBy }) => decidedBy !== undefined)!;
      expect(soldTwice([...log, sale, sale])).not.toEqual([]);
      await app.close();
    }
  },
  120_000 + SECONDS * 10_000,
);
