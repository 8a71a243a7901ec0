/**
 * A rolling deploy under load: the old release on two servers and in a script that was given half of the collections;
 * then one server of the new release beside them; then one old server killed and replaced; then no old server left.
 *
 * TIDEMARK_ROLLING_SECONDS sets how long all of it takes (6).
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Acknowledged } from '../faults/acknowledged.ts';
import { asking, copyLog, lost, unsound } from '../faults/log-by-sql.ts';
import { randomOf, seedOfRun, type Random } from '../support/seed.ts';
import { setting } from '../support/setting.ts';
import { endServers, startServer, type Server } from '../faults/server-process.ts';
import { keepingLogger, temporaryFolder } from '../support/stores.ts';
import { Ground } from './ground.ts';
import type { Kind, Seen, ReleaseServerArgs } from './release-server.ts';
import { newRelease, oldRelease } from './releases.ts';

const SECONDS = setting('TIDEMARK_ROLLING_SECONDS', 6);
const STAGE_MS = (SECONDS / 4) * 1_000;
const TIMEOUT_MS = 120_000 + SECONDS * 10_000;

const folder = temporaryFolder();
afterAll(endServers);

const seed = seedOfRun();

class Deploy {
  readonly file: string;
  readonly servers = new Map<string, Server>();
  readonly #random: Random;

  constructor(name: string) {
    this.file = join(folder, `${name}.db`);
    this.#random = randomOf(seed);
    process.stdout.write(`rolling deploy: TIDEMARK_SEED=${seed}\n`);
  }

  async start(name: string, kind: Kind): Promise<void> {
    const told: ReleaseServerArgs = { file: this.file, name, kind, seed: Math.floor(this.#random() * 2 ** 32) };
    const server = startServer(new URL('release-server.ts', import.meta.url), [JSON.stringify(told)]);
    this.servers.set(name, server);
    await server.heard('acknowledged');
  }

  async stop(...names: string[]): Promise<void> {
    for (const name of names) this.servers.get(name)!.tell('stop');
    await Promise.all(names.map((name) => this.servers.get(name)!.heard('done')));
  }

  /** Of what a server acknowledged. */
  positions(name: string): number[] {
    return this.said<Acknowledged>('acknowledged', name).map(({ position }) => position);
  }

  said<T>(say: string, name?: string): T[] {
    const servers = name === undefined ? [...this.servers.values()] : [this.servers.get(name)!];
    return servers.flatMap(({ lines }) => lines.filter((line) => line.say === say)) as unknown as T[];
  }
}

/** How much a server must have done. One that shows how an older release starts beside a newer one has a single stage. */
function leastOf(name: string): number {
  return name === 'old-3' ? 5 : 50;
}

describe('a rolling deploy', () => {
  const deploy = new Deploy('deploy');
  let ground: Ground;

  beforeAll(async () => {
    // The first to open the log registers all collections: it is empty then.
    await deploy.start('old-1', 'old');
    await Promise.all([deploy.start('old-2', 'old'), deploy.start('script', 'script')]);
    await setTimeout(STAGE_MS);
    await deploy.start('new-1', 'new');
    await setTimeout(STAGE_MS);
    await deploy.servers.get('old-1')!.kill();
    await deploy.start('new-2', 'new');
    // The old release once more, beside the newer one that has grown meanwhile.
    await deploy.start('old-3', 'old');
    await setTimeout(STAGE_MS);
    await deploy.stop('old-2', 'old-3');
    await setTimeout(STAGE_MS);
    await deploy.stop('new-1', 'new-2', 'script');
    ground = new Ground(deploy.file);
  }, TIMEOUT_MS);

  test('all took part, and side by side', () => {
    expect([...deploy.servers.keys()].filter((name) => deploy.positions(name).length <= leastOf(name))).toEqual([]);
    expect(deploy.positions('new-1').at(0)!).toBeLessThan(deploy.positions('old-1').at(-1)!);
    expect(deploy.positions('new-2').at(0)!).toBeLessThan(deploy.positions('old-2').at(-1)!);
    expect(deploy.positions('old-2').at(-1)!).toBeLessThan(deploy.positions('script').at(-1)!);
  });

  test('a server of the older release says what it doesn’t know, when it starts and when that comes, and the newer one nothing', () => {
    const warned = [...deploy.servers.keys()].flatMap((name) =>
      deploy.said<{ details: object }>('warned', name).map(({ details }) => ({ name, details })),
    );
    const collections = [
      { collection: 'orders', types: ['NOTED', 'SHIPPED'] },
      { collection: 'customers', types: ['NOTED'] },
    ];
    expect(warned.filter(({ name }) => name === 'old-3')).toEqual([{ name: 'old-3', details: { collections } }]);
    // Those that ran already are told as the newer one grows the registry.
    expect(warned.findLast(({ name }) => name === 'old-2')).toEqual({ name: 'old-2', details: { collections } });
    expect(warned.filter(({ name }) => name.startsWith('new-'))).toEqual([]);
  });

  test('laws 1, 2, 3: nothing that either release acknowledged is lost', () => {
    expect([...unsound(deploy.file), ...lost(deploy.file, deploy.said('acknowledged'))]).toEqual([]);
  });

  test('law 4: every event is attached by all keys, at dense versions, whoever wrote it, the script too', () => {
    expect(ground.events).toBeGreaterThan(500);
    expect(ground.misattached).toEqual([]);
  });

  test('law 4: what each server read meanwhile is the fold of a document’s first events, by its own reducers', () => {
    const seen = deploy.said<Seen>('read');
    const kinds = Map.groupBy(seen, ({ kind }) => kind);
    expect((['old', 'new', 'script'] as const).filter((kind) => (kinds.get(kind)?.length ?? 0) <= 20)).toEqual([]);
    expect(ground.misread(seen)).toEqual([]);
  });

  test('law 5, lesson 20: no decision of either release rested on stale ground by what that release handles', () => {
    expect(ground.stale).toEqual([]);
    // The new release did rest on what the old one wrote without handling it there.
    const ships = deploy
      .said<Acknowledged>('acknowledged')
      .flatMap(({ events }) => events.map((event) => event['saw_noted']));
    expect(new Set(ships).size).toBeGreaterThan(20);
  });

  test('afterwards both releases read every document at the same version, and find the log whole', async () => {
    const [before, after] = [oldRelease(), newRelease()];
    const store = sqlite(deploy.file);
    const logger = keepingLogger();
    await using oldApp = await open({
      store,
      collections: [before.orders, before.customers, before.warehouses],
      commands: [],
      logger,
    });
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn']);
    await using newApp = await open({
      store,
      collections: [after.orders, after.customers, after.warehouses],
      commands: [],
    });
    const seen: Seen[] = [];
    for (const { collection, id, version } of ground.documents) {
      const name = collection as 'orders' | 'customers' | 'warehouses';
      const both = [
        { kind: 'old' as const, ...(await oldApp.get(before[name], id)) },
        { kind: 'new' as const, ...(await newApp.get(after[name], id)) },
      ];
      expect(both.map((one) => one.version)).toEqual([version, version]);
      seen.push(...(both as unknown as Seen[]));
    }
    expect(ground.misread(seen)).toEqual([]);
    expect((await newApp.verify()).problems).toEqual([]);
    expect((await newApp.status()).unknownTypes).toEqual({ count: 0, names: [] });
    // What the old one doesn't know it says, and finds nothing else.
    const { unknownTypes } = await oldApp.status();
    expect([...unknownTypes.names].sort()).toEqual(['CALLED', 'SHIPPED']);
    const { problems } = await oldApp.verify();
    expect(problems.map(({ code }) => code)).toEqual(['UnknownType', 'UnknownType']);
  });

  test('controls: an event that is not attached, or a document read wrongly, is found', () => {
    const broken = copyLog(deploy.file, join(folder, 'broken.db'));
    asking(broken, (database) => database.exec("UPDATE events SET attachments = '[]' WHERE position = 300"));
    expect(new Ground(broken).misattached).toHaveLength(1);
    const one = deploy.said<Seen>('read').find(({ version }) => version > 3)!;
    expect(ground.misread([{ ...one, version: one.version - 1, changed: 1 }])).toHaveLength(1);
  });
});

test(
  'control, lesson 20: a store that goes by what the old release handles lets the new one decide on stale ground',
  async () => {
    const deploy = new Deploy('deaf');
    await deploy.start('old', 'old');
    await deploy.start('deaf', 'deaf');
    await setTimeout(1_500);
    await deploy.stop('old', 'deaf');
    const { stale } = new Ground(deploy.file);
    expect(stale.join('\n')).toMatch(/rested on saw_(noted|complaints)/);
  },
  TIMEOUT_MS,
);
