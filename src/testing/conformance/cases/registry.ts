/**
 * The registry: which collections are attached, so that no server leaves one out.
 */
import type { CollectionEntry } from '../../../store/store.ts';
import { COLLECTIONS, commit, event, GENESIS, handling, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { ConformanceCase } from '../case.ts';
import { same, throwsCode } from '../plain.ts';

const KEY: CollectionEntry['key'] = { fields: ['id'] };
const entry = (name: string, definition = 1, key: CollectionEntry['key'] = KEY): CollectionEntry => ({
  name,
  definition,
  key,
  handled: [],
});
const users = COLLECTIONS.find(({ name }) => name === 'users')!;

export const registryCases: readonly ConformanceCase[] = [
  {
    law: 4,
    name: 'a new log has generation 0 and no collections',
    async run(makeStore) {
      const session = await (await makeStore({})).open();
      try {
        same(await session.registry(), { generation: 0, collections: [] });
        same(await session.register([]), { generation: 0, collections: [] });
        // Without collections it can be written to all the same.
        const commits = [commit('c1', event('NOTED'))];
        const answer = await session.append({
          seen: GENESIS,
          generation: 0,
          handled: handling({}),
          reads: [],
          commits,
        });
        same([answer.status, await session.registry()], ['stored', { generation: 0, collections: [] }]);
      } finally {
        await session.close();
      }
    },
  },

  onLog(4, 'each call that adds something raises the generation by one, and no other does', async (log) => {
    const { session, generation } = log;
    const added = await session.register([entry('b'), entry('a'), ...COLLECTIONS]);
    same(added.generation, generation + 1);
    same(await session.register([entry('a'), entry('b')]), added);
    same(await session.register([]), added);
    same(await session.registry(), added);
    same((await session.register([entry('c')])).generation, generation + 2);
  }),

  onLog(4, 'collections are ordered by the bytes of their names, and come back as they were declared', async (log) => {
    const declared = [
      entry('ﬀ', 3, { fields: ['b', 'a'] }),
      entry('\u{1F30A}', 1, { types: { PLACED: ['lines[].sku', 'id'], Ünïcode: ['é'], MOVED: 'function' } }),
      entry('Z', 2, { types: { COMPUTED: 'function' } }),
      entry('é', 1, { fields: ['"', '\\', '%'] }),
    ];
    const expected = [declared[2], ...COLLECTIONS, declared[3], declared[0], declared[1]];
    same((await log.session.register(declared)).collections, expected);
    const other = await log.open();
    const { collections } = await other.registry();
    same(collections, expected);
    // The text of a declaration is its identity, so the order of its fields is kept.
    same(JSON.stringify(collections[0]?.key), JSON.stringify(declared[2]?.key));
    same(await other.register(declared), await log.session.registry());
  }),

  onLog(4, 'another definition or key under a registered name needs a rebuild, and changes nothing', async (log) => {
    const changes = [
      { ...users, definition: 2 },
      { ...users, key: KEY },
      { ...users, key: { types: { REGISTERED: ['user_id'] } } },
    ];
    for (const changed of changes) {
      await log.unchangedBy(() => throwsCode('RebuildRequired', log.session.register([changed])));
      // Nor is anything added on the way to it, or after it.
      const mixed = [entry('a'), changed, entry('zz')];
      await log.unchangedBy(() => throwsCode('RebuildRequired', log.session.register(mixed)));
    }
    await log.append(commit('c1', event('NOTED')));
    for (const changed of changes) {
      await log.unchangedBy(() => throwsCode('RebuildRequired', log.session.register([changed])));
    }
  }),

  onLog(4, 'a new collection on a log that isn’t empty needs a rebuild, and changes nothing', async (log) => {
    await log.append(commit('c1', event('NOTED', user('u1'))));
    const registered = await log.session.registry();
    await log.unchangedBy(() => throwsCode('RebuildRequired', log.session.register([entry('late')])));
    await log.unchangedBy(() => throwsCode('RebuildRequired', log.session.register([users, entry('late')])));
    // What is known may be registered again at any time, and in part: a script with half of the collections.
    same(await log.session.register([users]), registered);
    same(await log.session.register(COLLECTIONS), registered);
  }),

  onLog(4, 'two servers that register at once end with one registry', async (log) => {
    const [first, second] = await log.sessions(2);
    const same1 = await Promise.all([first!.register([entry('a')]), second!.register([entry('a')])]);
    same(
      same1.map(({ generation }) => generation),
      [log.generation + 1, log.generation + 1],
    );
    await Promise.all([first!.register([entry('b'), entry('c')]), second!.register([entry('d'), entry('c')])]);
    const { generation, collections } = await first!.registry();
    same(generation, log.generation + 3);
    same(
      collections.map(({ name }) => name),
      ['a', 'b', 'c', 'd', 'orders', 'services', 'users'],
    );
    same(await second!.registry(), { generation, collections });
  }),

  onLog(4, 'a server that has not seen a new collection is behind until it has', async (log) => {
    const other = await log.open();
    const { generation } = await other.register([entry('late')]);
    const batch = commit('c1', event('NOTED', { collection: 'late', id: 'x' }));
    same((await log.send(batch)).status, 'behind');
    same((await log.append(batch, { generation })).versions, [1]);
    same(await log.head({ collection: 'late', id: 'x' }, other), 1);
  }),
];
