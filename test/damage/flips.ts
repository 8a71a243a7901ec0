/** Flips one bit of a log's file at a time, and holds what the product finds against what the rows say. */
import { closeSync, copyFileSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import type { Problem } from 'tidemark';
import { Chance } from '../../src/testing/conformance/random.ts';
import { isOurs } from './asking.ts';
import { changes, rowsOf, type Change } from './rows.ts';
import { openShopApp } from './shop-log.ts';

/** How a file is looked at: by the product, or in a control by something that sees less. */
export type Look = (file: string) => Promise<readonly Problem[] | string>;

/** The problems that verify names, or the code of the error that kept it from being opened or verified. */
export async function openAndVerify(file: string): Promise<readonly Problem[] | string> {
  try {
    await using app = await openShopApp(file);
    return (await app.verify()).problems;
  } catch (error) {
    if (isOurs(error)) return error.code;
    throw error;
  }
}

/** Some thousand times what a look takes: whoever waits for that thinks that it hangs. */
const HANG_MS = 20_000;

export interface Tally {
  /** Flips after which a row differs or can't be read. */
  live: number;
  found: number;
  /** Flips of free pages, unused bytes and counters: no row differs. */
  dead: number;
  /** Of the live ones: where exactly the file can still be read, in rows of events and commits alone. */
  positioned: number;
  slowestMs: number;
  /** What broke the law. */
  readonly missed: string[];
}

/** The commits of the sound log: first and last position of each. */
export type Spans = readonly (readonly [first: number, last: number])[];

/** Flips so many bits, one after the other, and goes on until one of them was of a live row: three of four aren't. */
export async function flipBits(
  sound: string,
  copy: string,
  { seed, flips, spans, look }: { seed: number; flips: number; spans: Spans; look: Look },
): Promise<Tally> {
  const chance = new Chance(seed);
  const before = rowsOf(sound);
  const bytes = statSync(sound).size;
  const tally: Tally = { live: 0, found: 0, dead: 0, positioned: 0, slowestMs: 0, missed: [] };
  for (let n = 0; n < flips || tally.live === 0; n += 1) {
    const offset = chance.below(bytes);
    const bit = chance.below(8);
    const where = `byte ${offset} bit ${bit} (seed ${seed}, flip ${n})`;
    flip(sound, copy, offset, bit);
    const started = performance.now();
    const changed = differences(before, copy);
    const said = await look(copy).catch((error: unknown) => {
      tally.missed.push(`${where}: ${error instanceof Error ? error.stack : String(error)}`);
      return 'foreign error';
    });
    const took = performance.now() - started;
    tally.slowestMs = Math.max(tally.slowestMs, took);
    if (took > HANG_MS) tally.missed.push(`${where}: took ${took} ms, which is a hang`);
    if (changed !== 'unreadable' && changed.length === 0) {
      tally.dead += 1;
      continue;
    }
    tally.live += 1;
    if (said.length > 0) tally.found += 1;
    else tally.missed.push(`${where}: ${JSON.stringify(changed)} not found`);
    if (changed === 'unreadable' || typeof said === 'string') continue;
    // A row of another key stands at a wrong place in its page: where a search for its neighbours ends is anybody's guess.
    if (changed.length > 1 || !/^(events|commits)$/.test(changed[0]!.table)) continue;
    const touched = new Set(changed.flatMap(({ table, key }) => spanOf(table, Number(key), spans)));
    // A row that was never there, out of unused bytes, has no place.
    if (touched.size === 0) continue;
    tally.positioned += 1;
    const named = said.flatMap(({ position }) => (position === undefined ? [] : [position]));
    if (![...touched].some((position) => named.includes(position))) {
      tally.missed.push(`${where}: ${JSON.stringify(changed)} found, but at ${named.join(', ') || 'no position'}`);
    }
  }
  return tally;
}

export function flip(sound: string, copy: string, offset: number, bit: number): void {
  // Written over, it would be the same file for a connection that isn't closed yet, which SQLite shares its memory with.
  for (const suffix of ['', '-wal', '-shm']) rmSync(copy + suffix, { force: true });
  copyFileSync(sound, copy);
  const handle = openSync(copy, 'r+');
  const byte = Buffer.alloc(1);
  readSync(handle, byte, 0, 1, offset);
  byte[0]! ^= 1 << bit;
  writeSync(handle, byte, 0, 1, offset);
  closeSync(handle);
}

function differences(before: ReturnType<typeof rowsOf>, copy: string): readonly Change[] | 'unreadable' {
  try {
    return changes(before, rowsOf(copy));
  } catch {
    return 'unreadable';
  }
}

/** The positions of the commit that a row of events or commits belongs to: where a fault in it may be said to be. */
function spanOf(table: string, position: number, spans: Spans): readonly number[] {
  if (table !== 'events' && table !== 'commits') return [];
  const span = spans.find(([first, last]) => first <= position && position <= last);
  return span ? Array.from({ length: span[1] - span[0] + 1 }, (_, n) => span[0] + n) : [];
}
