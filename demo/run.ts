/** One run from beginning to end: the servers, the race, the proof, the report. */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { open } from 'tidemark';
import { marketplace } from './domain.ts';
import { figuresOf, type Figures } from './figures.ts';
import { judge, number } from './laws.ts';
import type { Options } from './options.ts';
import { SERVER_NAMES } from './options.ts';
import { pictureOf } from './picture.ts';
import { Plan } from './plan.ts';
import { progressOn } from './progress.ts';
import { prove } from './proof.ts';
import { race, type RaceResult } from './race.ts';
import { forkServer } from './remote-server.ts';
import { report } from './report.ts';
import type { Screen } from './screen.ts';
import { ShopWindow, type Seen } from './shop-window.ts';
import { openServer, type Server } from './server.ts';
import type { Place } from './store.ts';

/** Six characters, 0 to 9 and a to z. */
const RUNS = 36 ** 6;

export async function run(options: Options, place: Place, screen: Screen, signal: AbortSignal): Promise<Figures> {
  // Before any server starts: is there a log, or can one be made, and where does it end?
  const start = await endOfLog(place);
  const { rounds, buyers, places, servers: count, seed } = options;
  const name = `${seed.toString(36)}-${randomInt(RUNS).toString(36).padStart(6, '0')}`;
  const plan = new Plan({ rounds, buyers, places, servers: count, seed, run: name });
  const names = SERVER_NAMES.slice(0, count);
  const store = place.shown;
  for (const sentence of introduction(options, names, store, start, name)) screen.prose(sentence);

  const { result, seen } = await raceOf(names, place, plan, screen, signal, rounds);
  const sales = Math.min(places, buyers * count);
  screen.prose('Folding everything again from event 1, walking the hash chain …');
  const proof = await prove(place, plan, sales, signal);
  const laws = judge({ rounds, sales }, result, proof);
  const figures = figuresOf(options, store, name, result, proof, seen, laws);
  report(screen, figures);
  if (options.svg !== undefined) writeFileSync(options.svg, pictureOf(figures, result.timeline));
  return figures;
}

async function endOfLog({ store }: Place): Promise<number> {
  await using app = await open({ store, ...marketplace });
  return (await app.status()).position;
}

/** Servers live only during the race, and end with it, also after an error. */
async function raceOf(
  names: readonly string[],
  place: Place,
  plan: Plan,
  screen: Screen,
  signal: AbortSignal,
  rounds: number,
): Promise<{ readonly result: RaceResult; readonly seen: Seen }> {
  const servers: Server[] = [];
  let desk: Server | undefined;
  let window: ShopWindow | undefined;
  const progress = progressOn(screen, rounds);
  const close = (): Promise<unknown> => Promise.allSettled([...servers, desk, window].map((server) => server?.close()));
  // Not only between rounds: a server that hangs would never let the round end.
  signal.addEventListener('abort', close);
  try {
    for (const name of names) {
      signal.throwIfAborted();
      const { address } = place;
      servers.push(address === undefined ? await openServer(name, place.store) : await forkServer(name, address));
    }
    desk = await openServer('desk', place.store);
    window = await ShopWindow.open(place.store, plan.prefix);
    const result = await race(servers, desk, plan, signal, (standing) =>
      progress.show({ ...standing, cheapest: window!.offers[0] }),
    );
    const seen = await window.look(plan.sellers);
    await window.close();
    return { result, seen };
  } finally {
    progress.end();
    signal.removeEventListener('abort', close);
    await close();
  }
}

function introduction(
  { rounds, places, buyers, seed }: Options,
  names: readonly string[],
  store: string,
  start: number,
  run: string,
): string[] {
  const who = names.length === 1 ? `${names[0]} alone sells` : `${names.join(', ')} race for`;
  const what = `${number(rounds * places)} ${rounds * places === 1 ? 'place' : 'places'}`;
  return [
    `${who} ${what}: ${number(rounds)} rounds, ${number(buyers)} buyers a server, seed ${seed}.`,
    `Store: ${store}${start === 0 ? '' : `, continued after position ${number(start)}`}`,
    `All ids of this run begin with ${run}.`,
  ];
}
