/** A log that a later release brings to a format that breaks with this one's, while applications of this one have it open. */
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { open, type Store } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createService, parts, services } from '../support/market.ts';
import { testDatabase } from '../support/postgres.ts';
import { collect, temporaryFolder } from '../support/stores.ts';

function refusesAll(store: () => Store, raiseFormat: () => Promise<unknown>): void {
  test('nothing is read or written any more, and whoever follows is told', async () => {
    const app = await open({ store: store(), ...parts });
    onTestFinished(() => app.close());
    const service = { service_id: 's1' };
    await app.execute(createService, service, { id: 'c1' });
    const following = collect(app.events({ follow: true })).catch((error: unknown) => error);
    const followingOne = collect(app.history(services, 's1', { follow: true })).catch((error: unknown) => error);
    await app.get(services, 's1');
    await raiseFormat();

    const told = expect.objectContaining({ code: 'FormatTooNew', retryable: false });
    expect(await Promise.all([following, followingOne])).toEqual([told, told]);
    const asked: Record<string, () => Promise<unknown>> = {
      get: () => app.get(services, 's1'),
      'get at a position': () => app.get(services, 's1', { position: 1 }),
      fold: () => app.fold(services),
      events: () => collect(app.events()),
      history: () => collect(app.history(services, 's1')),
      outcome: () => app.outcome('c1'),
      'the same command': () => app.execute(createService, service, { id: 'c1' }),
      'another command': () => app.execute(createService, { ...service, service_id: 's2' }),
      verify: () => app.verify(),
      status: () => app.status(),
    };
    for (const [name, ask] of Object.entries(asked)) {
      expect([name, await ask().catch((error: unknown) => error)]).toEqual([name, told]);
    }
  });
}

describe('sqlite', () => {
  const file = join(temporaryFolder(), 'market.db');
  refusesAll(
    () => sqlite(file),
    async () => {
      const later = new DatabaseSync(file);
      const { user_version: format } = later.prepare('PRAGMA user_version').get() as { user_version: number };
      later.exec(`PRAGMA user_version = ${format + 1}`);
      later.close();
    },
  );
});

describe('postgres', () => {
  const database = testDatabase();
  refusesAll(
    () => database.store({ schema: 'market' }),
    () => database.run('INSERT INTO market.migrations SELECT max(format) + 1, true, now() FROM market.migrations'),
  );
});
