/**
 * A server whose system calls are being watched. Each acknowledgement is a write to standard output, so that the trace
 * shows it in its place among the writes and syncs of the log.
 *
 * Its arguments are one JSON text, {@link Task}.
 */
import { DatabaseSync } from 'node:sqlite';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { hasty } from './hasty.ts';
import { order, orderOf, parts } from './orders.ts';
import { hear, say } from './test-process.ts';
import { randomOf } from '../support/seed.ts';

export interface Task {
  readonly file: string;
  readonly callers: number;
  readonly commands: number;
  readonly synchronous: 'full' | 'normal' | 'off';
  /** Acknowledge so many milliseconds before the commit, if not 0. */
  readonly hastyMs: number;
  /** Bytes of each line of an order. */
  readonly textLength: number;
  /** After so many commands a checkpoint is asked for; if 0 there are those that the store makes by itself. */
  readonly checkpointEvery: number;
}

const { file, callers, commands, synchronous, hastyMs, textLength, checkpointEvery } = JSON.parse(
  process.argv[2]!,
) as Task;
const store = sqlite(file, { synchronous });
const app = await open({ store: hastyMs > 0 ? hasty(store, hastyMs) : store, ...parts });
const side = new DatabaseSync(file);
side.exec(`PRAGMA synchronous = ${synchronous}`);
const random = randomOf(1);
let sent = 0;

async function caller(): Promise<void> {
  while (sent < commands) {
    const id = `order-${String((sent += 1)).padStart(6, '0')}`;
    await app.execute(order, orderOf(id, random, textLength), { id });
    say('acknowledged', { id });
    // Durability must hold across these too; the next commit begins the write-ahead log anew.
    if (checkpointEvery > 0 && sent % checkpointEvery === 0) side.exec('PRAGMA wal_checkpoint(RESTART)');
  }
}

await Promise.all(Array.from({ length: callers }, caller));
say('done', { counters: (await app.status()).counters });
// Not closed: what closing syncs counts for nothing that was acknowledged.
await hear();
process.exit(0);
