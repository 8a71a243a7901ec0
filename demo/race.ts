/**
 * The race: round after round, all servers from one barrier.
 *
 * The barrier is before the read: a server that is ready has neither read nor decided anything. It decides on what it finds, in its
 * cache or in the log, while the others do the same. (With a barrier after the read, the race couldn't find a version that is read too
 * late.)
 *
 * Sellers offer their services through a separate application that takes no part in the race. A server that had created the service
 * itself would have it in its cache while the others must read it, and would nearly always win.
 */
import { Answers } from './answers.ts';
import { pages } from './digest.ts';
import { Meetings } from './meetings.ts';
import type { Plan, Queues, Request, Round } from './plan.ts';
import type { Server, ServerReport } from './server.ts';
import { Timeline } from './timeline.ts';

/** So many services are on sale at once, before their turn comes. */
const OFFERED_AHEAD = 20;

/** What can be said while it runs. */
export interface Standing {
  readonly rounds: number;
  readonly commands: number;
  /** Where servers met: see {@link Meetings}. */
  readonly conflicts: number;
}

/** What the servers said and did. */
export interface RaceResult {
  readonly answers: Answers;
  readonly meetings: Meetings;
  readonly timeline: Timeline;
  readonly seconds: number;
  readonly reports: readonly (ServerReport & { readonly name: string })[];
  /** For each server the digests of all documents of the run, in the order of the plan. */
  readonly digests: readonly { readonly name: string; readonly digests: readonly string[] }[];
}

export async function race(
  servers: readonly Server[],
  desk: Server,
  plan: Plan,
  signal: AbortSignal,
  progress: (standing: Standing) => void,
): Promise<RaceResult> {
  const answers = new Answers();
  const names = servers.map(({ name }) => name);
  const meetings = new Meetings(names);
  const timeline = new Timeline(names);
  let rounds = 0;

  /**
   * Everybody gets ready; then all get the starting signal. Both in the order that changes each round: when the same
   * server always got ready last, it won 51 to 60 of 100 rounds.
   */
  const fromBarrier = async (queues: Queues, first: number): Promise<void> => {
    signal.throwIfAborted();
    const all = servers.map((server, index) => ({ server, queue: queues[index] ?? [] }));
    const inOrder = [...all.slice(first), ...all.slice(0, first)];
    await Promise.all(inOrder.map(({ server, queue }) => server.ready(queue)));
    const order = inOrder.map(({ server }) => server);
    const raced = await Promise.all(order.map((server) => server.go()));
    const round = order.map(({ name }, index) => ({ name, raced: raced[index]! }));
    meetings.take(round);
    timeline.take(round);
    for (const { name, raced } of round) answers.take(name, raced.answers);
  };
  /** Outside of the race: without a barrier, and only to servers that have something to do. */
  const send = async (server: Server, requests: readonly Request[] = []): Promise<void> => {
    if (requests.length === 0) return;
    await server.ready(requests);
    answers.take(server.name, (await server.go()).answers);
  };
  const sendAll = (queues: Queues): Promise<unknown> =>
    Promise.all(servers.map((server, index) => send(server, queues[index])));
  const look = (service: string): Promise<unknown> =>
    Promise.all(servers.map((server) => server.digests({ users: [], services: [service] })));

  const run = async (round: Round): Promise<void> => {
    if (round.looked) await look(round.service);
    await fromBarrier(round.race, round.first);
    if (round.again) await sendAll(round.again);
    rounds += 1;
    progress({ rounds, commands: answers.count, conflicts: meetings.conflicts });
  };

  const start = performance.now();
  await sendAll(plan.registrations());
  const offered: Round[] = [];
  for (const next of plan.rounds()) {
    await send(desk, [next.create]);
    offered.push(next);
    if (offered.length > OFFERED_AHEAD) await run(offered.shift()!);
  }
  for (const round of offered) await run(round);
  const seconds = (performance.now() - start) / 1000;

  const reports = await Promise.all(servers.map(async (server) => ({ name: server.name, ...(await server.report()) })));
  const digests = await Promise.all(
    servers.map(async (server) => ({ name: server.name, digests: await allDigests(server, plan, signal) })),
  );
  return { answers, meetings, timeline, seconds, reports, digests };
}

async function allDigests(server: Server, plan: Plan, signal: AbortSignal): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const page of pages(plan.documents)) {
    signal.throwIfAborted();
    digests.push(...(await server.digests(page)));
  }
  return digests;
}
