/** Runs one seed: draws a world, lets it go, and says which law it broke, if any. */
import { Chance } from '../src/testing/conformance/random.ts';
import { Client, type Memory } from './client.ts';
import type { Noted } from './journal.ts';
import { LawBroken } from './laws/broken.ts';
import { drawPlan } from './plan.ts';
import { poisoned } from './poison.ts';
import { Trace } from './trace.ts';
import { Troubles } from './troubles.ts';
import { World, type Plant } from './world.ts';

export interface Run {
  readonly seed: number;
  /** Equal for equal runs. */
  readonly digest: string;
  readonly steps: number;
  readonly commits: number;
  readonly broken: LawBroken | undefined;
  readonly tail: readonly string[];
  readonly met: ReadonlyMap<string, number>;
  /** What the store was asked, and answered, if that was noted. */
  readonly notes: readonly Noted[];
}

interface RunOptions {
  readonly plant?: Plant | undefined;
  /** Whether the whole trace is kept, not only its end. */
  readonly trace?: boolean;
  /** Whether it is noted what the store was asked. */
  readonly notes?: boolean;
}

export async function runSeed(
  seed: number,
  { plant, trace: whole = false, notes = false }: RunOptions = {},
): Promise<Run> {
  const chance = new Chance(seed);
  const trace = new Trace(whole);
  const world = new World(drawPlan(chance), chance, trace, plant);
  world.machine.journal.keeps = notes;
  trace.note(JSON.stringify(world.plan));
  let broken: LawBroken | undefined;
  try {
    await poisoned(() => lives(world));
  } catch (error) {
    broken = error instanceof LawBroken ? error : new LawBroken('errors', String((error as Error)?.stack ?? error));
  }
  world.forgets();
  const { steps } = world.scheduler;
  trace.note(`${world.witness.timeline.length} ${world.witness.timeline.commits.at(-1)?.commit.hash ?? ''}`);
  return {
    seed,
    digest: trace.digest(),
    steps,
    commits: world.witness.timeline.commits.length,
    broken,
    tail: trace.tail(),
    met: trace.met,
    notes: world.machine.journal.notes,
  };
}

async function lives(world: World): Promise<void> {
  const { plan, scheduler, weather, machine } = world;
  const memory: Memory = { asked: [], shown: [], kept: [] };
  const clients = Array.from({ length: plan.clients }, (_, n) => new Client(`client ${n + 1}`, world, memory));
  let over = false;
  const life = async (): Promise<void> => {
    await Promise.all(clients.map((client) => client.acts()));
    weather.calm = true;
    await scheduler.wait(machine, 'calms down', 1_000);
    await world.ends();
  };
  let wrong: { readonly error: unknown } | undefined;
  const stop = (error: unknown): void => {
    wrong ??= { error };
    over = true;
  };
  life().then(() => (over = true), stop);
  new Troubles(world).happen().catch(stop);
  await scheduler.run(() => over || world.broken !== undefined);
  if (world.broken) throw world.broken.error;
  if (wrong) throw (wrong as { error: unknown }).error;
}
