/**
 * Processes on a log on a disk that only some of them may write: `hold` waits, `write` executes as many orders as it is
 * told, `read` opens the log for reading.
 *
 * Say: `ready`; `written`; `read` with all that the log says, then `seen` with the position of each event that follows.
 */
import { existsSync } from 'node:fs';
import { open, type TidemarkError } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { customers, order, orderOf, parts } from './orders.ts';
import { hear, say } from './test-process.ts';
import { randomOf } from '../support/seed.ts';

const [role = '', file = ''] = process.argv.slice(2);
const told = (error: unknown): object => (error as TidemarkError).toJSON?.() ?? { code: String(error) };
/** Says nothing: what is looked for is thrown. */
const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

async function write(): Promise<void> {
  const app = await open({ store: sqlite(file), ...parts });
  say('ready');
  for (let n = 1; ;) {
    const { orders } = await hear<{ orders: number }>();
    if (orders === 0) return app.close();
    for (const last = n + orders; n < last; n += 1)
      await app.execute(order, orderOf(`o${n}`, randomOf(n)), { id: `o${n}` });
    say('written');
  }
}

async function read(): Promise<void> {
  const app = await open({ store: sqlite(file, { readOnly: true }), ...parts, logger });
  const { position, hash } = await app.status();
  const { ok, problems, commits } = await app.verify({ expect: { position, hash } });
  const refusal = await app.execute(order, orderOf('new', randomOf(0))).then(() => ({}), told);
  let orders = 0;
  for (const { state } of (await app.fold(customers)).values()) orders += state.orders;
  const { state } = await app.get(customers, 'c1');
  let history = 0;
  for await (const { event } of app.history(customers, 'c1')) if (event.type === 'ORDERED') history += 1;
  const outcome = await app.outcome('o1');
  const files = ['', '-wal', '-shm'].filter((suffix) => existsSync(file + suffix));
  const found = { position, ok, problems, commits, orders, c1: state.orders, history, outcome: outcome?.status };
  say('read', { ...found, refusal, files });
  for await (const event of app.events({ follow: true, after: position })) say('seen', { position: event.position });
}

if (role === 'hold') {
  say('ready');
  await hear();
} else await (role === 'write' ? write() : read()).catch((error: unknown) => say('refused', told(error)));
process.exit();
