/** Processes on one file: a follower sees what others commit, while they do and after one of them was killed. */
import { join } from 'node:path';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { afterEach, expect, test, vi } from 'vitest';
import { parts, viewService } from '../support/market.ts';
import { temporaryFolder } from '../support/stores.ts';
import { endServers, startServer } from './server-process.ts';

const folder = temporaryFolder();
afterEach(endServers);

test('law 3: a follower sees what other processes commit, once and in order, also when one is killed', async () => {
  const file = join(folder, 'followed.db');
  await using app = await open({ store: sqlite(file), ...parts });
  const [one, two] = ['one', 'two'].map((name) =>
    startServer(new URL('follow-server.ts', import.meta.url), [file, name]),
  );
  const servers = [one!, two!];
  await Promise.all(servers.map(({ heard }) => heard('open')));

  const seen: { position: number; by: unknown }[] = [];
  const controller = new AbortController();
  const following = (async () => {
    for await (const { position, event } of app.events({ follow: true, signal: controller.signal }))
      seen.push({ position, by: event['service_id'] });
  })();
  /** Positions from 1 up to what was last seen, and all that a server was told is stored. */
  const followed = async (by: string, stored: readonly number[]): Promise<void> => {
    const missing = (): number[] => {
      const there = new Set(seen.filter((one) => one.by === by).map(({ position }) => position));
      return stored.filter((position) => !there.has(position));
    };
    await vi.waitFor(() => expect(missing()).toEqual([]), { timeout: 20_000 });
    expect(seen.map(({ position }) => position)).toEqual(Array.from(seen, (_, index) => index + 1));
  };
  const storedBy = ({ lines }: (typeof servers)[number]): number[] =>
    lines.filter(({ say }) => say === 'stored').map(({ position }) => position as number);

  // Seldom, so that each commit finds the follower asleep; then as fast as they can, this process among them.
  for (const [index, { tell, heard }] of servers.entries()) {
    tell({ commands: 5, pauseMs: 30 });
    await heard('done');
    await followed(['one', 'two'][index]!, storedBy(servers[index]!));
  }
  for (const { tell } of servers) tell({ commands: 300, pauseMs: 0 });
  for (let n = 0; n < 100; n += 1) await app.execute(viewService, { service_id: 'here' });
  await one!.kill();
  await two!.heard('done', 2);
  await followed('one', storedBy(one!));
  await followed('two', storedBy(two!));
  expect(seen.filter(({ by }) => by === 'here')).toHaveLength(100);

  const reason = new Error('enough');
  controller.abort(reason);
  await expect(following).rejects.toBe(reason);
}, 60_000);
