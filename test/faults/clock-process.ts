/**
 * A process that executes one command after the other as it is told to, by whatever clock it is told: that of the whole
 * process. Says `open`, and of each command `stored` or `refused`.
 */
import { open, TidemarkError } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { hear, say } from './test-process.ts';
import { parts, read } from './readings.ts';

export interface ClockProcessArgs {
  readonly store: 'sqlite' | 'postgres';
  readonly where: string;
  readonly offMs: number;
  readonly clockMayJump?: boolean;
}

/** How far its clock is off from here on; a number of milliseconds for a command, undefined for the end. */
export type ClockStep = { readonly offMs: number } | 'end';

const { store, where, offMs, clockMayJump } = JSON.parse(process.argv[2]!) as ClockProcessArgs;
let off = offMs;
const { now } = Date;
Date.now = () => now() + off;

const app = await open({ store: store === 'sqlite' ? sqlite(where, { clockMayJump }) : postgres(where), ...parts });
say('open');
for (let asked = await hear<ClockStep>(); asked !== 'end'; asked = await hear<ClockStep>()) {
  off = asked.offMs;
  try {
    const { events } = await app.execute(read, { meter_id: 'm1' });
    const { time, recordedAt } = events[0]!;
    say('stored', { time: time - now(), recordedAt: recordedAt - now() });
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    const { code, message } = error;
    say('refused', { code, message });
  }
}
await app.close();
process.exit();
