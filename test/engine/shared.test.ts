/**
 * An event that many documents share is read once, however many of them are asked for: what is counted here is what it
 * costs in work, which grows with events plus documents, not with their product.
 */
import { domain, open, type, type Store } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { describe, expect, test, vi } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { testDatabase } from '../support/postgres.ts';
import { Proxy } from '../support/proxy.ts';
import { onLocalStores } from '../support/stores.ts';

const DOCUMENTS = 1_000;
const TEXT = 2 ** 20 - 16 * DOCUMENTS;
const IDS = Array.from({ length: DOCUMENTS }, (_, n) => `d${n}`);

const tagging = domain({ events: { TAGGED: type<{ ids: readonly string[]; text: string }>() } });
const things = tagging.collection('things', {
  key: 'ids',
  initial: { tags: 0 },
  reduce: { TAGGED: ({ tags }) => ({ tags: tags + 1 }) },
});
const tag = tagging.command('TAG', {
  input: type<{ length: number }>(),
  decide: (_, { length }) => ({ type: 'TAGGED', ids: IDS, text: 'x'.repeat(length) }),
});
const readAll = tagging.command('READ_ALL', {
  input: type<object>(),
  reads: () => ({ all: IDS.map((id) => things.ref(id)) }),
  decide: ({ all }) => ({ type: 'TAGGED', ids: [], text: String(all.reduce((sum, { state }) => sum + state.tags, 0)) }),
});
/** Without stored documents, whose states would be read in place of events. */
const parts = { collections: [things], commands: [tag, readAll], reduction: 'off' } as const;

/** How many characters of event text were parsed meanwhile. */
async function parsed(work: () => Promise<unknown>): Promise<number> {
  const parse = vi.spyOn(JSON, 'parse');
  try {
    await work();
    return parse.mock.calls.reduce((sum, [text]) => sum + (text.length >= TEXT ? text.length : 0), 0);
  } finally {
    parse.mockRestore();
  }
}

onLocalStores('an event of 1 MiB on 1,000 documents', (makeStore) => {
  test('is loaded once for all of them, and parsed once', async () => {
    const store = makeStore();
    await using writer = await open({ store, ...parts });
    await writer.execute(tag, { length: TEXT });
    let loads = 0;
    const counted = changedStore(store, (session) => ({
      load: (requests, options) => {
        if (requests.length > 0) loads += 1;
        return session.load(requests, options);
      },
    }));
    await using app = await open({ store: counted, ...parts });
    const got = await parsed(async () => {
      const documents = await app.get(things, IDS);
      expect(documents.map(({ state, version }) => ({ state, version }))).toEqual(
        IDS.map(() => ({ state: { tags: 1 }, version: 1 })),
      );
    });
    expect(loads).toBe(1);
    expect(got).toBeLessThan(2 * TEXT);

    // A batch that is refused for all of them is told of it once, too (in PostgreSQL within a text that is parsed itself).
    await writer.execute(tag, { length: TEXT });
    const refused = await parsed(async () => {
      const { events } = await app.execute(readAll, {});
      expect(events[0]!.event).toMatchObject({ text: String(2 * DOCUMENTS) });
    });
    expect((await app.status()).counters.conflicts).toBe(1);
    expect(refused).toBeLessThan(3 * TEXT);
  });

  test('is verified with as much reading as its pages of documents need', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await app.execute(tag, { length: TEXT });
    const PAGES = DOCUMENTS / 200;
    const read = await parsed(async () => {
      const { ok, documents } = await app.verify();
      expect({ ok, documents }).toEqual({ ok: true, documents: DOCUMENTS });
    });
    expect(read).toBeLessThan((PAGES + 2) * TEXT * 1.1);
  });
});

describe('over the network (postgres)', () => {
  const database = testDatabase();

  test('the text is sent once', async () => {
    const schema = 'shared';
    const url = new URL(database.url);
    const proxy = await Proxy.to(Number(url.port));
    let sent = 0;
    proxy.rewrite = (bytes) => {
      sent += bytes.length;
      return bytes;
    };
    url.port = String(proxy.port);
    const through = (): Store => postgres(url.href, { schema });
    await using writer = await open({ store: postgres(database.url, { schema }), ...parts });
    await writer.execute(tag, { length: TEXT });
    {
      await using app = await open({ store: through(), ...parts });
      sent = 0;
      await app.get(things, IDS);
      expect(sent).toBeGreaterThan(TEXT);
      expect(sent).toBeLessThan(1.5 * TEXT);

      await writer.execute(tag, { length: TEXT });
      sent = 0;
      await app.execute(readAll, {});
      expect(sent).toBeGreaterThan(TEXT);
      expect(sent).toBeLessThan(1.5 * TEXT);
    }
    await proxy.close();
  });
});
