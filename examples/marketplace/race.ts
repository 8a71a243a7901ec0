/**
 * The race: round after round, all servers from one barrier.
 *
 * The barrier stands before the read: a server that got ready has neither read nor decided anything, so what it decides
 * on is what it finds, in its cache or in the log, while the others do the same. (A barrier after the read couldn't see
 * a version that is captured too late.)
 */
import { Answers } from './answers.ts';
import { pages } from './digest.ts';
import type { Plan, Queues } from './plan.ts';
import type { Raced, Server, ServerReport } from './server.ts';

/** What can be said while it runs. */
export interface Standing {
  readonly rounds: number;
  readonly commands: number;
  readonly conflicts: number;
}

/** What the servers said and did. */
export interface RaceResult {
  readonly answers: Answers;
  readonly conflicts: number;
  /** Rounds in which servers were at work at the same moment, by their clocks. */
  readonly overlapping: number;
  readonly seconds: number;
  readonly reports: readonly (ServerReport & { readonly name: string })[];
  /** For each server the digests of all documents of the run, in the order of the plan. */
  readonly digests: readonly { readonly name: string; readonly digests: readonly string[] }[];
}

export async function race(
  servers: readonly Server[],
  plan: Plan,
  signal: AbortSignal,
  progress: (standing: Standing) => void,
): Promise<RaceResult> {
  const answers = new Answers();
  let rounds = 0;
  let overlapping = 0;
  let conflicts = 0;

  /** Everybody gets ready; then all get the starting signal, one of them first. */
  const fromBarrier = async (queues: Queues, first: number): Promise<void> => {
    signal.throwIfAborted();
    await Promise.all(servers.map((server, index) => server.ready(queues[index] ?? [])));
    const order = servers.map((_, index) => servers[(first + index) % servers.length]!);
    const raced = await Promise.all(order.map((server) => server.go()));
    for (const [index, server] of order.entries()) answers.take(server.name, raced[index]!.answers);
    conflicts = sum(raced.map((one) => one.conflicts));
    if (overlap(raced)) overlapping += 1;
  };
  /** Outside of the race: without a barrier, and without a word to those who have nothing to do. */
  const send = async (queues: Queues): Promise<void> => {
    await Promise.all(
      servers.map(async (server, index) => {
        if (!queues[index]?.length) return;
        await server.ready(queues[index]);
        answers.take(server.name, (await server.go()).answers);
      }),
    );
  };

  const start = performance.now();
  await send(plan.registrations());
  for (const round of plan.rounds()) {
    await send(servers.map((_, index) => (index === round.creator ? [round.create] : [])));
    await fromBarrier(round.race, round.first);
    if (round.again) await send(round.again);
    rounds += 1;
    progress({ rounds, commands: answers.count, conflicts });
  }
  const seconds = (performance.now() - start) / 1000;

  const reports = await Promise.all(servers.map(async (server) => ({ name: server.name, ...(await server.report()) })));
  const digests = await Promise.all(
    servers.map(async (server) => ({ name: server.name, digests: await allDigests(server, plan, signal) })),
  );
  return { answers, conflicts: sum(reports.map((one) => one.conflicts)), overlapping, seconds, reports, digests };
}

async function allDigests(server: Server, plan: Plan, signal: AbortSignal): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const page of pages(plan.documents)) {
    signal.throwIfAborted();
    digests.push(...(await server.digests(page)));
  }
  return digests;
}

/** Whether any two were at work at once. */
function overlap(raced: readonly Raced[]): boolean {
  const byStart = [...raced].sort((one, other) => one.from - other.from);
  return byStart.some((one, index) => index > 0 && one.from < byStart[index - 1]!.to);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
