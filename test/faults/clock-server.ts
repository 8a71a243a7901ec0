/**
 * A server whose clock is wrong in a way of its own: that of its process, which application and store share. What
 * `ClockAhead` refuses it sends again with the same id, which works only if its clock comes back.
 *
 * Says: `open`, `acknowledged`, `refused`, `travelled` and, told to stop, `done`.
 */
import { ClockAhead, open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { acknowledged } from './acknowledged.ts';
import { hear, say } from './test-process.ts';
import { meters, parts, read } from './readings.ts';
import { randomOf } from '../support/seed.ts';

const MINUTE = 60_000;

/** By how much the process's clock is off, each time that it is asked. */
const OFF = {
  right: () => 0,
  ahead: () => 60 * MINUTE,
  behind: () => -60 * MINUTE,
  /** Within what the store puts up with, and far beyond it, either way. */
  jumping: (random: () => number) => [-60, -1, 0, 4, 60][Math.floor(random() * 5)]! * MINUTE,
} as const;

export interface ClockServerArgs {
  readonly file: string;
  readonly name: keyof typeof OFF;
  readonly seed: number;
}

/** What `get` gave for a time in the past. */
export interface Travelled {
  readonly meter: string;
  readonly time: number;
  readonly version: number;
  readonly readings: number;
}

/** An acknowledged command, and the newest time of the log that the server had seen before it sent it. */
export interface Timed {
  readonly seen: number;
  readonly decidedAt: number;
  readonly recordedAt: number;
}

const CALLERS = 4;
const METERS = 5;

const { file, name, seed } = JSON.parse(process.argv[2]!) as ClockServerArgs;
const random = randomOf(seed);
const stopping = new AbortController();
let mended = false;
let commands = 0;
const { now } = Date;
Date.now = () => now() + (mended ? 0 : OFF[name](random));
const app = await open({ store: sqlite(file), ...parts });
const times: number[] = [];
say('open');

async function caller(): Promise<void> {
  while (!stopping.signal.aborted) {
    const id = `${name}-${(commands += 1)}`;
    const meter_id = `m${Math.floor(random() * METERS)}`;
    const { recordedAt: seen } = await app.status();
    for (;;) {
      try {
        const outcome = await app.execute(read, { meter_id }, { id });
        const { time: decidedAt, recordedAt } = outcome.events[0]!;
        const timed: Timed = { seen, decidedAt, recordedAt };
        say('acknowledged', { ...acknowledged(id, outcome), ...timed });
        times.push(recordedAt);
        break;
      } catch (error) {
        if (!(error instanceof ClockAhead)) throw error;
        say('refused', { id });
        if (stopping.signal.aborted) break;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
    await travel();
  }
}

/** Reads a document as it was. Only before the newest time: at that very millisecond more may still be recorded. */
async function travel(): Promise<void> {
  const { recordedAt } = await app.status();
  const picked = times[Math.floor(random() * times.length)] ?? recordedAt;
  const time = Math.min(recordedAt - 1, picked + Math.floor(random() * 3) - 1);
  const meter = `m${Math.floor(random() * METERS)}`;
  const { version, state } = await app.get(meters, meter, { time });
  const travelled: Travelled = { meter, time, version, readings: state.readings };
  say('travelled', travelled);
}

const callers = Promise.all(Array.from({ length: CALLERS }, caller));
for (;;) {
  const told = await hear<'mend' | 'stop'>();
  if (told === 'mend') mended = true;
  else break;
}
stopping.abort();
await callers;
say('done');
