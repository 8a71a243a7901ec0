/** What `check` finds in the lists inline with events, and that its work grows with them, not with their square. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../../test/support/stores.ts';
import { COLLECTIONS, commit, event, GENESIS, HANDLED, range, service } from '../../../testing/conformance/batches.ts';
import { register } from '../../../testing/conformance/registered.ts';
import { sqlite } from '../index.ts';

const folder = temporaryFolder();

/** One look for each item in the text of its list took 70 s for this event; a minute is all that a test has. */
const WIDE = 100_000;

function said(position: number, version: number, document: number): string {
  return `The event at position ${position} says that it is version ${version} of document ${document}, the index doesn't.`;
}

test('an event on 100,000 documents is checked, and a row that the last of its list doesn’t have is found', async () => {
  const file = join(folder, 'wide.db');
  const session = await sqlite(file).open();
  const { generation } = await register(session, COLLECTIONS);
  const wide = event('CREATED', ...range(1, WIDE).map((n) => service(`s${n}`)));
  const batch = { generation, handled: HANDLED, reads: [], seen: GENESIS };
  const { end } = (await session.append({ ...batch, commits: [commit('c1', wide)] })) as { end: typeof GENESIS };
  const narrow = range(1, 3).map((n) => event('BOUGHT', service(`s${n}`)));
  await session.append({ ...batch, seen: end, commits: [commit('c2', narrow)] });
  expect(await session.check()).toEqual([]);

  const database = new DatabaseSync(file);
  database.exec(`UPDATE attachments SET position = 4 WHERE document = ${WIDE}`);
  expect(await session.check()).toContain(said(1, 1, WIDE));
  database.exec(`UPDATE attachments SET position = 1 WHERE document = ${WIDE}`);
  database.exec('UPDATE attachments SET type = type + 1 WHERE document = 3 AND version = 2');
  expect(await session.check()).toContain(said(4, 2, 3));
  database.close();
  await session.close();
});
