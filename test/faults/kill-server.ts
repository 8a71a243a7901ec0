/**
 * A server that is going to be killed. It waits to be told a file, opens it, and executes orders of its own making from
 * several callers at once, each acknowledged by a line; a second connection copies the write-ahead log into the file
 * every few commits, so that many a kill meets a checkpoint.
 *
 * Says: `standby`, `opening`, `open`, `sent`, `acknowledged`, `checkpoint`, `checkpointed`, `closing`, `closed`.
 */
import { DatabaseSync } from 'node:sqlite';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { acknowledged } from './acknowledged.ts';
import { hasty } from './hasty.ts';
import { order, orderOf, parts } from './orders.ts';
import { hear, say } from './test-process.ts';
import { randomOf } from '../support/seed.ts';

/** What a server is told. `hastyMs`: acknowledge so long before the commit (the control). */
export interface KillServerArgs {
  readonly file: string;
  readonly name: string;
  readonly seed: number;
  readonly hastyMs?: number;
}

const CALLERS = 6;
const COMMITS_BETWEEN_CHECKPOINTS = 12;

say('standby');
const { file, name, seed, hastyMs } = await hear<KillServerArgs>();
const random = randomOf(seed);
say('opening');
const store = sqlite(file);
const app = await open({ store: hastyMs === undefined ? store : hasty(store, hastyMs), ...parts });
say('open');
const side = new DatabaseSync(file);
const closing = new AbortController();
let executed = 0;

function checkpoint(): void {
  say('checkpoint');
  try {
    side.exec(`PRAGMA wal_checkpoint(${['PASSIVE', 'RESTART', 'TRUNCATE'][Math.floor(random() * 3)]})`);
  } catch {
    // The other server is at it.
  }
  say('checkpointed');
}

async function caller(): Promise<void> {
  while (!closing.signal.aborted) {
    const id = `${name}-${(executed += 1)}`;
    const input = orderOf(id, random);
    say('sent', { id, input });
    say('acknowledged', { ...acknowledged(id, await app.execute(order, input, { id })) });
    if (executed % COMMITS_BETWEEN_CHECKPOINTS === 0) checkpoint();
  }
}

const callers = Promise.all(Array.from({ length: CALLERS }, caller));
await Promise.race([hear(), callers]);
closing.abort();
say('closing');
await callers;
side.close();
await app.close();
say('closed');
process.exit(0);
