/** Folding the whole log, next to reading and parsing the same rows; and whether memory stays flat meanwhile. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { BareLoop } from '../bare.ts';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { makeMarket, median, openMarket, SERVICES, services, users } from '../workload.ts';

const EVENTS = 1_000_000;

/** The part of the log that memory is compared at: enough to fill SQLite's page cache already. */
const FEWER = 0.4;

/** With the services 50,000 documents, and the one seller. */
const BUYERS = 45_000;

export async function fold({ fresh, copyOf, quick, rounds }: Bench): Promise<Figure[]> {
  const file = fresh();
  await makeMarket(file, BUYERS);
  const events = quick ? EVENTS / 10 : EVENTS;
  fill(file, events * FEWER);
  const fewer = copyOf(file);
  fill(file, events);
  const figures: Figure[] = [];
  const [ours, read]: [number[], number[]] = [[], []];
  await using app = await openMarket(file);
  for (let round = 0; round <= Math.min(rounds, 3); round += 1) {
    const started = performance.now();
    const found = readAll(file);
    const between = performance.now();
    const [foundServices, foundUsers] = await app.fold([services, users]);
    const ended = performance.now();
    if (foundServices.size !== SERVICES || foundUsers.size !== BUYERS + 1) throw new Error('Documents are missing.');
    if (round === 0) continue; // Warming up.
    read.push((found / (between - started)) * 1_000);
    ours.push((found / (ended - between)) * 1_000);
  }
  figures.push({
    name: `folding ${events.toLocaleString('en')} events into ${(SERVICES + BUYERS).toLocaleString('en')} documents: events/s`,
    ours: median(ours),
    bare: median(read),
    ratio: median(ours.map((rate, index) => rate / read[index]!)),
    atLeast: LIMITS.fold,
  });
  const [few, many] = [await peakOf(fewer), await peakOf(file)];
  figures.push({ name: `peak memory with ${(events * FEWER).toLocaleString('en')} events: MiB`, ours: few });
  figures.push({
    name: `peak memory with ${events.toLocaleString('en')} events: MiB, and of the one before`,
    ours: many,
    ratio: many / few,
    atMost: LIMITS.foldMemoryMax,
  });
  return figures;
}

/** The peak memory of a process that does nothing but fold a log. */
async function peakOf(file: string): Promise<number> {
  const child = fork(import.meta.filename, [file], { execArgv: process.execArgv });
  const exit = once(child, 'exit');
  const [mebibytes] = (await Promise.race([once(child, 'message'), exit.then(() => [])])) as [number?];
  if (mebibytes === undefined) throw new Error('Folding in a process of its own failed.');
  await exit;
  return mebibytes;
}

async function foldHere(file: string): Promise<void> {
  const app = await openMarket(file);
  await app.fold([services, users]);
  await app.close();
  process.send!(process.resourceUsage().maxRSS / 1024, () => process.disconnect());
}

function fill(file: string, events: number): void {
  const bare = new BareLoop(file, BUYERS);
  while (bare.position < events) bare.write(1_024);
  bare.close();
}

/** Reads every event's row and parses its two texts (the fields, and what it is attached to), and no more. */
function readAll(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true, returnArrays: true });
  const page = database.prepare(
    'SELECT position, type, schema_version, time, attachments, json FROM events WHERE position > ? ORDER BY position LIMIT 1000',
  );
  let after = 0;
  for (;;) {
    const rows = page.all(after) as unknown as [number, number, number, number, string, string][];
    for (const row of rows) {
      JSON.parse(row[4]);
      JSON.parse(row[5]);
    }
    if (rows.length === 0) break;
    after = rows.at(-1)![0];
  }
  database.close();
  return after;
}

const [, program, log] = process.argv;
if (program === import.meta.filename && log && process.send) await foldHere(log);
