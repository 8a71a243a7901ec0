/**
 * The primary dies with all its processes, in the middle of what two servers send it. With quorum commit nothing that was
 * acknowledged is lost, and the servers go on with the standby that was furthest ahead; without it what was acknowledged is
 * lost, and whoever saw it says so.
 *
 * TIDEMARK_FAILOVERS sets how often (1).
 */
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Cluster } from '../../support/postgres-cluster.ts';
import { temporaryFolder } from '../../support/stores.ts';
import { seeded } from '../../support/seed.ts';
import { setting } from '../../support/setting.ts';
import { endServers } from '../server-process.ts';
import { acknowledgedByEach, failOverUnderLoad, faultsOf, linesOf } from './failover.ts';

const FAILOVERS = setting('TIDEMARK_FAILOVERS', 1);
/** How many orders of each server are acknowledged in each stretch of its life. */
const EACH = 150;
const TIMEOUT_MS = 120_000;

const folder = temporaryFolder();
let cluster: Cluster | undefined;

afterEach(async () => {
  await endServers();
  await cluster?.end();
  cluster = undefined;
});

test.each(Array.from({ length: FAILOVERS }, (_, index) => index + 1))(
  'laws 1, 2, 3, 4, 7, 9: a failover with quorum commit loses nothing that was acknowledged, and the servers go on (%i)',
  async (round) => {
    cluster = await Cluster.start({ quorum: true });
    const lags = cluster.nodes[1]!;
    const { servers, received, underWay } = await failOverUnderLoad(cluster, seeded(), { each: EACH, lagging: [lags] });
    const promoted = cluster.primary;
    expect(underWay).toBeGreaterThan(0);
    // There was a choice, and the wrong one would have lost something.
    expect(promoted).not.toBe(lags);
    expect(received.get(promoted)).toBeGreaterThan(received.get(lags)!);

    await acknowledgedByEach(servers, EACH);
    for (const server of servers) server.tell('end');
    expect(await Promise.all(servers.map((server) => server.ended))).toEqual([0, 0]);
    for (const server of servers) expect(linesOf(server, 'refused')).toEqual([]);
    expect(await faultsOf(cluster, servers, join(folder, `quorum-${round}.db`))).toEqual([]);
    const acknowledged = servers.map((server) => linesOf(server, 'acknowledged').length);
    const away = servers.map((server) => linesOf(server, 'away').length);
    process.stdout.write(`failed over: ${JSON.stringify({ promoted: promoted.name, underWay, acknowledged, away })}\n`);
  },
  TIMEOUT_MS,
);

test(
  'law 9, lesson 22: control: with standbys that nobody waits for acknowledged commits are lost, and each server that saw more says so',
  async () => {
    cluster = await Cluster.start({ quorum: false });
    const { servers } = await failOverUnderLoad(cluster, seeded(), { each: EACH, lagging: cluster.standbys });
    const said = await Promise.all(servers.map((server) => server.heard('refused')));
    expect(said.map(({ code }) => code)).toEqual(['HistoryDiverged', 'HistoryDiverged']);
    for (const server of servers) server.tell('end');
    await Promise.all(servers.map((server) => server.ended));
    // None of them has stored anything on what it took for the history.
    for (const server of servers) {
      expect(new Set(linesOf(server, 'refused').map(({ code }) => code))).toEqual(new Set(['HistoryDiverged']));
    }
    const faults = await faultsOf(cluster, servers, join(folder, 'asynchronous.db'));
    expect(faults.join('\n')).toMatch(/was acknowledged at \d+ and is lost/);
    // What there is, is whole.
    expect(faults.filter((fault) => !/ is lost$|^\d+ commands were sent/.test(fault))).toEqual([]);
  },
  TIMEOUT_MS,
);
