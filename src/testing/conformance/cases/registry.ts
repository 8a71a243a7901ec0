/**
 * The registry: which collections events are attached to, and which types they handle. So no server leaves a collection out,
 * and all servers find the same documents in the log.
 */
import type { CollectionEntry, Registry, Session } from '../../../store/store.ts';
import { COLLECTIONS, commit, event, GENESIS, handling, range, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { ConformanceCase } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same, throwsCode } from '../plain.ts';

const KEY: CollectionEntry['key'] = { fields: ['id'] };
const entry = (name: string, definition = 1, key: CollectionEntry['key'] = KEY): CollectionEntry => ({
  name,
  definition,
  key,
  handled: [],
});
const users = COLLECTIONS.find(({ name }) => name === 'users')!;
const [ORDERS, SERVICES] = COLLECTIONS as [CollectionEntry, CollectionEntry];

/** A collection with a key map, in which the key of each type is the field `id`. */
const mapped = (types: readonly string[], handled: readonly string[] = []): CollectionEntry => ({
  name: 'mapped',
  definition: 1,
  key: { types: Object.fromEntries(types.map((type) => [type, ['id']])) },
  handled,
});
const handles = (...types: readonly string[]): CollectionEntry => ({ ...users, handled: types });

async function entryOf(session: Session, name: string): Promise<CollectionEntry | undefined> {
  return (await session.registry()).collections.find((one) => one.name === name);
}

/** Registering throws this code about this collection, and changes nothing. */
async function refused(
  log: TestLog,
  code: string,
  collection: string,
  given: readonly CollectionEntry[],
): Promise<void> {
  await log.unchangedBy(async () => {
    const registering = log.session.register(given);
    await throwsCode(code, registering);
    const error = (await registering.catch((reason: unknown) => reason)) as { details?: object };
    same({ ...error.details, collection }, error.details, 'the details name the collection');
  });
}

export const registryCases: readonly ConformanceCase[] = [
  {
    law: 4,
    name: 'a new log has generation 0 and no collections',
    async run(makeStore) {
      const session = await (await makeStore({})).open();
      try {
        same(await session.registry(), { generation: 0, collections: [] });
        same(await session.register([]), { generation: 0, collections: [] });
        // A log without collections can be written to.
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

  {
    law: 9,
    name: 'a key that grew type by type is no damage',
    async run(makeStore) {
      const session = await (await makeStore({})).open();
      try {
        for (const types of [[], ['A'], ['A', 'B'], ['A', 'B', 'C']]) {
          const key = { types: Object.fromEntries(types.map((type) => [type, ['id']])) };
          await session.register([{ name: 'mapped', definition: 1, key, handled: [] }]);
        }
        same([(await session.registry()).generation, await session.check()], [4, []]);
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
    // New types of a known collection count, whatever else is registered with them.
    const more = [entry('a'), handles('BOUGHT', 'REGISTERED', 'RENAMED'), mapped(['A'])];
    same((await session.register(more)).generation, generation + 3);
    same((await session.register(more)).generation, generation + 3);
    same((await session.register([mapped(['A', 'B'])])).generation, generation + 4);
    same((await session.register([users, mapped(['A'])])).generation, generation + 4);
    same((await session.registry()).generation, generation + 4);
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

  onLog(4, 'what is handled is a set, told in the order of its bytes', async (log) => {
    const given = ['ﬀ', 'B', '\u{1F30A}', 'A', 'é', 'B', '"', 'toString', '__proto__'];
    const sorted = ['"', 'A', 'B', '__proto__', 'toString', 'é', 'ﬀ', '\u{1F30A}'];
    const { generation } = await log.session.register([{ ...entry('a'), handled: given }]);
    const other = await log.open();
    same((await entryOf(other, 'a'))?.handled, sorted);
    same((await other.register([{ ...entry('a'), handled: sorted.toReversed() }])).generation, generation);
  }),

  onLog(4, 'another definition under a registered name needs a rebuild, and changes nothing', async (log) => {
    const raised = { ...users, definition: 2 };
    for (const changed of [raised, { ...raised, key: KEY }, { ...raised, handled: ['OTHER'] }]) {
      await refused(log, 'RebuildRequired', 'users', [changed]);
      // Nothing before it or after it in the list is added.
      await refused(log, 'RebuildRequired', 'users', [entry('a'), changed, entry('zz')]);
    }
    await log.append(commit('c1', event('NOTED')));
    await refused(log, 'RebuildRequired', 'users', [raised]);
  }),

  onLog(4, 'another key under a registered name is a changed definition, and changes nothing', async (log) => {
    const both: CollectionEntry = { ...entry('both'), key: { types: { A: ['a', 'b'], B: 'function' } } };
    await log.session.register([both]);
    const changes: readonly CollectionEntry[] = [
      { ...users, key: KEY },
      { ...users, key: { fields: ['id', 'user_id'] } },
      { ...users, key: { types: { REGISTERED: ['user_id'] } } },
      { ...both, key: { types: { A: ['b', 'a'], B: 'function' } } },
      { ...both, key: { types: { A: ['a'], B: 'function' } } },
      { ...both, key: { types: { A: ['a', 'b'], B: ['b'] } } },
      { ...both, key: { types: { A: 'function', B: 'function' } } },
      // More or fewer types don't make the keys equal.
      { ...both, key: { types: { A: ['a'], B: 'function', C: ['c'] } } },
      { ...both, key: { types: { B: ['b'] } } },
      { ...both, key: { fields: ['a', 'b'] } },
    ];
    for (const changed of changes) {
      await refused(log, 'DefinitionChanged', changed.name, [changed]);
      await refused(log, 'DefinitionChanged', changed.name, [entry('a'), changed, entry('zz')]);
    }
    await log.append(commit('c1', event('NOTED')), { generation: log.generation + 1 });
    for (const changed of changes) await refused(log, 'DefinitionChanged', changed.name, [changed]);
  }),

  onLog(4, 'types gone and new at once are a changed definition, also on an empty log', async (log) => {
    await log.session.register([mapped(['A', 'B'], ['A'])]);
    const changes = [
      handles('BOUGHT', 'RENAMED'),
      handles('RENAMED'),
      mapped(['A', 'C'], ['A']),
      mapped(['A', 'B'], ['B']),
      mapped(['A', 'B', 'C'], []),
      mapped(['A'], ['A', 'B']),
    ];
    for (const changed of changes) await refused(log, 'DefinitionChanged', changed.name, [changed]);
    await log.append(commit('c1', event('NOTED')), { generation: log.generation + 1 });
    for (const changed of changes) await refused(log, 'DefinitionChanged', changed.name, [changed]);
  }),

  onLog(4, 'types that are gone change nothing: an older release beside a newer one', async (log) => {
    await log.session.register([mapped(['A', 'B', 'C'], ['A', 'B'])]);
    const registered = await log.session.registry();
    const older = [handles('BOUGHT'), handles(), mapped(['A', 'B', 'C'], ['B']), mapped(['B'], ['B']), mapped([], [])];
    for (const one of older) same(await log.unchangedBy(() => log.session.register([one])), registered);
    await log.append(commit('c1', [event('A'), event('BOUGHT')]), { generation: log.generation + 1 });
    for (const one of older) same(await log.unchangedBy(() => log.session.register([one, ORDERS])), registered);
  }),

  onLog(4, 'types that the log has never held are added, with their keys', async (log) => {
    await log.session.register([mapped(['A'], ['A'])]);
    await log.append(commit('c1', [event('A', { collection: 'mapped', id: 'x' }), event('BOUGHT', user('u1'))]), {
      generation: log.generation + 1,
    });
    const key = { types: { C: ['c', 'd'], A: ['id'], B: 'function' } } as const;
    const grown: CollectionEntry = { ...mapped([]), key, handled: ['C', 'A'] };
    // Names of commands and collections don't count as types.
    const renamed = handles('BOUGHT', 'DO_IT', 'REGISTERED', 'users');
    const { generation, collections } = await log.session.register([grown, renamed, SERVICES]);
    same(generation, log.generation + 2);
    same(collections, [{ ...grown, handled: ['A', 'C'] }, ORDERS, SERVICES, renamed]);
    same(JSON.stringify(collections[0]?.key), JSON.stringify(key));
    const other = await log.open();
    same(await other.registry(), { generation, collections });
    // The registry can grow further.
    same((await other.register([handles(...renamed.handled, 'D')])).generation, generation + 1);
  }),

  onLog(4, 'a type that the log has held isn’t added, whatever became of its commit, however long ago', async (log) => {
    await log.session.register([mapped(['A'])]);
    const sending = { generation: log.generation + 1 };
    const commits = [
      commit('c1', [event('FREE'), event('ATTACHED', user('u1'))]),
      commit('c2', event('REFUSED'), { outcome: 'failed', reason: 'NO' }),
      commit('c3', event('TRIED'), { outcome: 'failed', final: false, reason: 'NOT YET' }),
    ];
    await log.append(commits, sending);
    const notes = range(1, 40).map(() => event('NOTED'));
    for (const n of range(1, 30)) await log.append(commit(`more-${n}`, notes), sending);
    for (const type of ['FREE', 'ATTACHED', 'REFUSED', 'TRIED', 'NOTED']) {
      await refused(log, 'DefinitionChanged', 'users', [handles('BOUGHT', 'REGISTERED', type)]);
      await refused(log, 'DefinitionChanged', 'users', [handles('BOUGHT', 'REGISTERED', 'NEW', type)]);
      await refused(log, 'DefinitionChanged', 'mapped', [mapped(['A', type])]);
      const twice = [mapped(['A', 'NEW'], ['A']), mapped(['A', 'NEW', type], ['A'])];
      await refused(log, 'DefinitionChanged', 'mapped', twice);
    }
    // A type that only the key named can't become handled, and nothing that is given with it is registered.
    await log.append(commit('c4', event('A', { collection: 'mapped', id: 'x' })), sending);
    const grown = handles('BOUGHT', 'NEW', 'REGISTERED');
    await refused(log, 'DefinitionChanged', 'mapped', [grown, mapped(['A'], ['A'])]);
    same((await log.session.register([grown])).generation, log.generation + 2);
  }),

  onLog(4, 'a new collection on a log that isn’t empty needs a rebuild, and changes nothing', async (log) => {
    await log.append(commit('c1', event('NOTED', user('u1'))));
    const registered = await log.session.registry();
    await refused(log, 'RebuildRequired', 'late', [entry('late')]);
    await refused(log, 'RebuildRequired', 'late', [users, entry('late')]);
    // Known collections may be registered again at any time, also some of them: a script may know only half of them.
    same(await log.session.register([users]), registered);
    same(await log.session.register(COLLECTIONS), registered);
  }),

  onLog(4, 'collections are judged one after the other, in the order given', async (log) => {
    await log.append(commit('c1', event('HELD')));
    const late = entry('late');
    const raised = { ...ORDERS, definition: 2 };
    const keyed = { ...SERVICES, key: KEY };
    const held = handles('BOUGHT', 'HELD', 'REGISTERED');
    const wrong = [
      ['RebuildRequired', late],
      ['RebuildRequired', raised],
      ['DefinitionChanged', keyed],
      ['DefinitionChanged', held],
    ] as const;
    for (const [code, first] of wrong) {
      const others = wrong.map(([, one]) => one).filter((one) => one !== first);
      await refused(log, code, first.name, [handles('BOUGHT'), first, ...others]);
      await refused(log, code, first.name, [first, ...others.toReversed()]);
    }
    // If a call has the same collection twice, the second is compared with the first.
    const once = handles('BOUGHT', 'NEW', 'REGISTERED');
    await refused(log, 'DefinitionChanged', 'users', [once, handles('BOUGHT', 'OTHER', 'REGISTERED')]);
    same((await log.session.register([once, users, once])).generation, log.generation + 1);
    same((await entryOf(log.session, 'users'))?.handled, once.handled);
  }),

  onLog(4, 'two servers that register at once end with one registry', async (log) => {
    const [first, second] = await log.sessions(2);
    const same1 = await Promise.all([first!.register([entry('a')]), second!.register([entry('a')])]);
    same(each(same1, 'generation'), [log.generation + 1, log.generation + 1]);
    await Promise.all([first!.register([entry('b'), entry('c')]), second!.register([entry('d'), entry('c')])]);
    const { generation, collections } = await first!.registry();
    same(generation, log.generation + 3);
    same(each(collections, 'name'), ['a', 'b', 'c', 'd', 'orders', 'services', 'users']);
    same(await second!.registry(), { generation, collections });
  }),

  onLog(
    4,
    'of two servers that add different types at once, the first adds them and the other is told',
    async (log) => {
      const sessions = await log.sessions(2);
      const types = [...users.handled];
      for (const round of range(1, 10)) {
        const given = sessions.map((_, server) => handles(...types, `${round}-${server}`));
        const tried = await Promise.allSettled(sessions.map((session, server) => session.register([given[server]!])));
        const won = tried.findIndex(({ status }) => status === 'fulfilled');
        const lost = tried[1 - won] as PromiseRejectedResult;
        same([tried[won]?.status, lost?.status], ['fulfilled', 'rejected'], `round ${round}`);
        await throwsCode('DefinitionChanged', Promise.reject(lost.reason));
        const { generation } = (tried[won] as PromiseFulfilledResult<Registry>).value;
        same(generation, log.generation + round);
        types.push(`${round}-${won}`);
        same((await entryOf(sessions[1 - won]!, 'users'))?.handled.toSorted(), types.toSorted());
      }
      // Different collections may grow at once.
      const [first, second] = sessions;
      await Promise.all([
        first!.register([handles(...types, 'X'), ORDERS]),
        second!.register([handles(...types), { ...ORDERS, handled: ['PLACED', 'Y'] }]),
      ]);
      same((await first!.registry()).generation, log.generation + 12);
    },
  ),

  onLog(4, 'nobody stores a type by an old registry while the type is being registered', async (log) => {
    const [registrar, ...writers] = await log.sessions(3);
    const types = [...users.handled];
    let generation = log.generation;
    for (const round of range(1, 20)) {
      const type = `T${round}`;
      const sends = writers.map(async (by, n) => {
        for (let turn = 0; turn < (round + n) % 4; turn++) await by.load([]);
        return log.send(commit(`c${round}-${n}`, event(type)), { by, generation, seen: GENESIS });
      });
      const registering = registrar!.register([handles(...types, type)]).then(
        () => true,
        () => false,
      );
      const [isRegistered, ...answers] = await Promise.all([registering, ...sends]);
      const statuses = each(answers, 'status');
      same(statuses.includes('stored'), !isRegistered, `round ${round}: ${statuses.join(', ')}, ${isRegistered}`);
      if (!isRegistered) continue;
      generation += 1;
      types.push(type);
      same(statuses, ['behind', 'behind']);
    }
    same((await registrar!.registry()).generation, generation);
  }),

  onLog(4, 'a server that has not seen a new collection is behind until it has', async (log) => {
    const other = await log.open();
    const { generation } = await other.register([entry('late')]);
    const batch = commit('c1', event('NOTED', { collection: 'late', id: 'x' }));
    same((await log.send(batch)).status, 'behind');
    same((await log.append(batch, { generation })).versions, [1]);
    same(await log.head({ collection: 'late', id: 'x' }, other), 1);
  }),

  onLog(4, 'a server that has not seen new types of a collection is behind until it has', async (log) => {
    const other = await log.open();
    const { generation } = await other.register([mapped(['A'])]);
    const grown = await other.register([mapped(['A', 'B'])]);
    const batch = commit('c1', event('B', { collection: 'mapped', id: 'x' }));
    same((await log.send(batch, { generation })).status, 'behind');
    same((await log.append(batch, { generation: grown.generation })).versions, [1]);
  }),
];
