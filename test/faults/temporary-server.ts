/** Verifies a log in a file, and says what came of it: in a process of its own, as where SQLite puts its temporary files is a matter of the process. */
import { open, TidemarkError } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { say } from './test-process.ts';
import { order, parts } from './orders.ts';

const [file = ''] = process.argv.slice(2);
const app = await open({ store: sqlite(file), ...parts });
const { ok, problems } = await app.verify().catch((error: unknown) => {
  if (!(error instanceof TidemarkError)) throw error;
  return { ok: error.code, problems: [error.message] };
});
// And it goes on: what was thrown was no reason to give the log up.
const { status } = await app.execute(order, { order_id: 'o1', customer_id: 'c1', skus: ['a'], text: '' }, { id: 'o1' });
say('verified', { ok, problems, status });
await app.close();
process.exit();
