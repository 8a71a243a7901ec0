/** A server whose log was taken away under it: what no try can mend is told as that, once and for all who wait. */
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { expect, test } from 'vitest';
import { createService, parts, services, viewService } from '../support/market.ts';
import { collect, keepingLogger, temporaryFolder } from '../support/stores.ts';

const folder = temporaryFolder();
/** Longer than SQLite's reads go on without a look at whether the file is still in place, in milliseconds. */
const LOOK_AGAIN_MS = 20;

test('law 9: a file that was replaced is no store to try again on: callers are told, and followers end', async () => {
  const file = join(folder, 'market.db');
  const logger = keepingLogger();
  const app = await open({ store: sqlite(file), ...parts, logger });
  await app.execute(createService, { service_id: 's1' });
  const following = collect(app.events({ follow: true })).catch((error: unknown) => error);
  const history = collect(app.history(services, 's1', { follow: true })).catch((error: unknown) => error);
  await sleep(LOOK_AGAIN_MS);
  // As an atomic restore does it.
  copyFileSync(file, `${file}.copy`);
  renameSync(`${file}.copy`, file);
  const told = { code: 'StoreUnavailable', retryable: false, message: expect.stringContaining('open the log again') };
  for (const id of ['one', 'one', 'another']) {
    await expect(app.execute(viewService, { service_id: 's1' }, { id })).rejects.toMatchObject(told);
  }
  await sleep(LOOK_AGAIN_MS);
  await expect(app.get(services, 's1')).rejects.toMatchObject(told);
  await expect(app.status()).rejects.toMatchObject(told);
  await expect(app.verify()).rejects.toMatchObject(told);
  expect(await following).toMatchObject(told);
  expect(await history).toMatchObject(told);
  // Nobody waits for it, so nobody says that he does.
  expect(logger.lines.filter(({ message }) => message.includes('waits'))).toEqual([]);
  await app.close();
});
