/** Folding the whole log, next to reading and parsing the same rows; and whether memory stays flat meanwhile. */
import { DatabaseSync } from 'node:sqlite';
import { BareLoop } from '../bare.ts';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { makeMarket, median, openMarket, SERVICES, services, users } from '../workload.ts';

const EVENTS = 1_000_000;

/** With the services 50,000 documents, and the one seller. */
const BUYERS = 45_000;

export async function fold({ fresh, quick, rounds }: Bench): Promise<Figure[]> {
  const file = fresh();
  await makeMarket(file, BUYERS);
  const events = quick ? EVENTS / 10 : EVENTS;
  const bare = new BareLoop(file, BUYERS);
  while (bare.position < events) bare.write(1_024);
  bare.close();
  const figures: Figure[] = [];
  const heapAfter: number[] = [];
  const [ours, read]: [number[], number[]] = [[], []];
  await using app = await openMarket(file);
  for (let round = 0; round <= Math.min(rounds, 3); round += 1) {
    const started = performance.now();
    const found = readAll(file);
    const between = performance.now();
    const [foundServices, foundUsers] = await app.fold([services, users]);
    const ended = performance.now();
    if (foundServices.size !== SERVICES || foundUsers.size !== BUYERS + 1) throw new Error('Documents are missing.');
    globalThis.gc?.();
    heapAfter.push(process.memoryUsage().heapUsed / 1024 / 1024);
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
  figures.push({ name: 'heap after folding it once: MiB', ours: heapAfter[0] });
  figures.push({ name: 'heap after folding it again and again: MiB', ours: heapAfter.at(-1) });
  return figures;
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
