/** A failover under load: two servers, a primary that is killed, a standby that takes its place, and what is found then. */
import { setImmediate as turn } from 'node:timers/promises';
import { open } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { cutOff, type Cluster, type Node } from '../../support/postgres-cluster.ts';
import type { Acknowledged } from '../acknowledged.ts';
import { asking, count, halfCommits, lost, staleOrders, unsound } from '../log-by-sql.ts';
import { parts } from '../orders.ts';
import type { Random } from '../../support/seed.ts';
import { startServer, type Server } from '../server-process.ts';
import { copyToFile } from './copy.ts';

const SERVERS = ['a', 'b'];

export interface Failover {
  readonly servers: readonly Server[];
  /** How far each standby had got when the primary was gone. */
  readonly received: ReadonlyMap<Node, bigint>;
  /** How many orders were sent and not yet answered then. */
  readonly underWay: number;
}

/**
 * Each server has had so many orders acknowledged when the standbys that are to lag are cut off from the primary, and as many again
 * when the primary is killed.
 */
export async function failOverUnderLoad(
  cluster: Cluster,
  random: Random,
  { each, lagging }: { readonly each: number; readonly lagging: readonly Node[] },
): Promise<Failover> {
  const start = (name: string): Server =>
    startServer(new URL('failover-server.ts', import.meta.url), [
      cluster.url(),
      name,
      String(Math.floor(random() * 2 ** 32)),
    ]);
  const servers = SERVERS.map(start);
  await acknowledgedByEach(servers, each);
  for (const standby of lagging) await cutOff(standby);
  await acknowledgedByEach(servers, each);
  const told = (say: string): number => servers.reduce((sum, server) => sum + linesOf(server, say).length, 0);
  const onTheirWay = (): number => told('sent') - told('acknowledged');
  // Callers pause between two orders: not in a moment when all of them do.
  while (onTheirWay() === 0) await turn();
  cluster.killPrimary();
  const underWay = onTheirWay();
  return { servers, received: await cluster.failOver(), underWay };
}

/** Each server has so many more orders acknowledged. Rejects as soon as one is told what no sending again would mend. */
export async function acknowledgedByEach(servers: readonly Server[], more: number): Promise<void> {
  const refused = servers.map(async (server) => {
    const line = await server.heard('refused').catch(() => undefined);
    return line ? Promise.reject(new Error(`a server was refused: ${JSON.stringify(line)}`)) : new Promise(() => {});
  });
  const all = servers.map((server) => server.heard('acknowledged', linesOf(server, 'acknowledged').length + more));
  await Promise.race([Promise.all(all), ...refused]);
}

export function linesOf(server: Server, say: string): readonly Readonly<Record<string, unknown>>[] {
  return server.lines.filter((line) => line.say === say);
}

/** What is wrong with the log on the primary there is now, by plain SQL and by opening it. */
export async function faultsOf(cluster: Cluster, servers: readonly Server[], file: string): Promise<string[]> {
  await copyToFile(cluster.primary.url, 'tidemark', file);
  const all = servers.flatMap((server) => linesOf(server, 'acknowledged') as unknown as Acknowledged[]);
  const faults = [...unsound(file), ...halfCommits(file), ...staleOrders(file), ...lost(file, all)];
  const sent = new Set(servers.flatMap((server) => linesOf(server, 'sent').map(({ id }) => id))).size;
  const stored = asking(file, (database) => count(database, 'SELECT count(DISTINCT command_id) FROM commits'));
  if (stored !== sent) faults.push(`${sent} commands were sent, and ${stored} are stored`);
  const app = await open({ store: postgres(cluster.url()), ...parts });
  try {
    const { ok, problems } = await app.verify();
    if (!ok) faults.push(...problems.map(({ message }) => `verify: ${message}`));
  } finally {
    await app.close();
  }
  return faults;
}
