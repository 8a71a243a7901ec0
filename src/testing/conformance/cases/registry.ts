/**
 * The registry: keyings, definitions and indexes, which all servers find in the log alike. What may be in it is no matter of a
 * store: it keeps what `judge` says, all of it or nothing, and judges by what is there then.
 */
import assert from 'node:assert/strict';
import type { Definition, Index, Keying, LogFacts, Registry, RegistryChange, Session } from '../../../store/store.ts';
import { COLLECTIONS, commit, event, GENESIS, handling, range, START, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { ConformanceCase } from '../case.ts';
import { soon } from '../patience.ts';
import { each, same } from '../plain.ts';
import { register, registering, type CollectionEntry } from '../registered.ts';

const EMPTY: Registry = { generation: 0, last: 0, keyings: [], definitions: [], indexes: [] };

const entry = (name: string, definition = 1, handled: readonly string[] = []): CollectionEntry => ({
  name,
  definition,
  key: { fields: ['id'] },
  handled,
});
const keying = (name: string, facts: Partial<Keying> = {}): Keying => ({
  name,
  collection: name.split('\u001f')[0]!,
  key: { fields: ['id'] },
  state: 'live',
  filled: 0,
  ...facts,
});
const definition = (id: number, name: string, facts: Partial<Definition> = {}): Definition => ({
  id,
  collection: name,
  definition: 1,
  handled: [],
  keying: name,
  set: id + 1,
  usedAt: START,
  ...facts,
});
const index = (number: number, set: number, facts: Partial<Index> = {}): Index => ({
  number,
  set,
  fields: ['price'],
  state: 'filling',
  usedAt: START,
  ...facts,
});

/** Changes the registry, whatever is in it. */
function change(session: Session, { last = 0, ...rest }: Partial<RegistryChange>): Promise<Registry> {
  return session.change((registry) => ({ raises: true, ...rest, last: Math.max(last, registry.last) }));
}

/** What `judge` is told of the log, each time that it is asked. */
async function factsOf(session: Session, types: readonly string[]): Promise<unknown> {
  let told: unknown;
  await session.change((_, { isEmpty, firstOf }: LogFacts) => {
    told = [isEmpty, ...types.map((type) => firstOf(type))];
    return undefined;
  });
  return told;
}

class Refused extends Error {}

export const registryCases: readonly ConformanceCase[] = [
  {
    law: 4,
    name: 'a new log has generation 0 and nothing registered',
    async run(makeStore) {
      const session = await (await makeStore({})).open();
      try {
        same(await session.registry(), EMPTY);
        same(await session.change(() => undefined), EMPTY);
        // A log without collections can be written to.
        const commits = [commit('c1', event('NOTED'))];
        const sent = { seen: GENESIS, generation: 0, handled: handling({}), reads: [], commits };
        same([(await session.append(sent)).status, await session.registry()], ['stored', EMPTY]);
      } finally {
        await session.close();
      }
    },
  },

  onLog(4, 'each change that raises the generation does so by one, and no other does', async (log) => {
    const { session, generation } = log;
    const raised = await change(session, { keyings: [keying('a'), keying('b')], definitions: [definition(11, 'a')] });
    same(raised.generation, generation + 1);
    same(await session.registry(), raised);
    const used = { definitions: [definition(11, 'a', { usedAt: START + 86_400_000 })] };
    same(await change(session, { raises: false, ...used }), {
      ...raised,
      definitions: [...log.registry.definitions, ...used.definitions],
    });
    same((await change(session, { raises: false, indexes: [index(13, 12)] })).generation, generation + 1);
    same((await change(session, { removed: [13] })).generation, generation + 2);
    // What is raised may be all of the change.
    same((await change(session, {})).generation, generation + 3);
    // Nothing to be changed: not even under the lock.
    const before = await session.registry();
    same(await log.unchangedBy(() => session.change(() => undefined)), before);
    same(await register(session, COLLECTIONS), before);
  }),

  onLog(4, 'what is registered comes back as it was declared, in the order of bytes and numbers', async (log) => {
    const keyings = [
      keying('ﬀ', { key: { fields: ['b', 'a'] }, state: 'filling', filled: 7 }),
      keying('\u{1F30A}', { key: { types: { PLACED: ['lines[].sku', 'id'], Ünïcode: ['é'], MOVED: ['a'] } } }),
      keying('Z', { key: { types: { COMPUTED: 'function' } }, definition: 21 }),
      keying('é', { key: { fields: ['"', '\\', '%'] } }),
      keying('Z\u001f30', { state: 'retired', filled: 2 ** 31 - 1 }),
    ];
    const handled = ['"', 'A', 'B', '__proto__', 'toString', 'é', 'ﬀ', '\u{1F30A}'];
    const definitions = [
      definition(23, 'é', { definition: 2 ** 31 - 1, handled }),
      definition(21, 'Z', { rebuilt: 40, rebuildNote: '{"é":1}', usedAt: 1_900_000_000_123 }),
    ];
    const indexes = [
      index(32, 22, { fields: ['b', 'a'], state: 'live' }),
      index(31, 24, { fields: ['é', 'a.b', '"', 'ﬀ'], filled: 'user \u{1F30A} "1"' }),
    ];
    const registered = await change(log.session, { last: 40, keyings, definitions, indexes });
    const [ff, wave, Z, e, Z30] = keyings;
    same(registered, {
      generation: log.generation + 1,
      last: 40,
      keyings: [Z, Z30, ...log.registry.keyings, e, ff, wave],
      definitions: [...log.registry.definitions, ...definitions.toReversed()],
      indexes: indexes.toReversed(),
    });
    const other = await log.open();
    const read = await other.registry();
    same(read, registered);
    // The text of a declaration is its identity, so the order of its fields is kept.
    const text = JSON.stringify(wave!.key);
    same(JSON.stringify(read.keyings.find(({ name }) => name === wave!.name)?.key), text);
    let told = '';
    await other.change(({ keyings: all }) => void (told = JSON.stringify(all.at(-1)?.key)));
    same(told, text);
  }),

  onLog(4, 'what has the name, id or number of something takes its place, and what is removed is gone', async (log) => {
    const { session } = log;
    await change(session, {
      last: 30,
      keyings: [keying('a', { state: 'filling', filled: 3 }), keying('b')],
      definitions: [definition(11, 'a', { rebuilt: 15, rebuildNote: 'x' }), definition(13, 'b')],
      indexes: [index(21, 12, { filled: 'x' }), index(22, 14)],
    });
    const replaced = {
      keyings: [keying('a', { key: { fields: ['other'] }, filled: 9 })],
      definitions: [definition(11, 'a', { set: 15, definition: 2, handled: ['A'] })],
      indexes: [index(21, 15, { state: 'live', fields: ['b', 'c'] })],
    };
    same(await change(session, { ...replaced, removed: [13, 22] }), {
      generation: log.generation + 2,
      last: 30,
      keyings: [...replaced.keyings, keying('b'), ...log.registry.keyings],
      definitions: [...log.registry.definitions, ...replaced.definitions],
      indexes: replaced.indexes,
    });
    // What isn't there needn't be removed.
    const before = await session.registry();
    same(await change(session, { removed: [13, 999] }), { ...before, generation: before.generation + 1 });
    same(await session.check(), []);
  }),

  onLog(4, 'the last number only moves as a change says, also without anything else', async (log) => {
    same((await change(log.session, { raises: false, last: 2 ** 31 - 1 })).last, 2 ** 31 - 1);
    const other = await log.open();
    same(await other.registry(), { ...log.registry, last: 2 ** 31 - 1 });
  }),

  onLog('contract', 'what judge throws reaches the caller as it is, and nothing is changed', async (log) => {
    const thrown: readonly unknown[] = [new Refused('not this one'), new TypeError('a defect'), 'a text', undefined];
    for (const what of thrown) {
      const caught = await log.unchangedBy(() =>
        log.session
          .change(() => {
            throw what;
          })
          .then(
            () => assert.fail('what judge has thrown was swallowed'),
            (reason: unknown) => ({ reason }),
          ),
      );
      assert.strictEqual(caught.reason, what);
    }
    // The lock is free again, and a session that was told no goes on.
    same((await change(log.session, { keyings: [keying('a')] })).generation, log.generation + 1);
  }),

  onLog('contract', 'what judge throws under the lock reaches the caller too, and nothing is changed', async (log) => {
    const [session, other] = await log.sessions(2);
    const refusal = new Refused('somebody was faster');
    let changing: Promise<unknown> | undefined;
    await session!.exclusive(async (by) => {
      const asked = Promise.withResolvers<void>();
      changing = other!
        .change((_, { isEmpty }) => {
          asked.resolve();
          if (!isEmpty) throw refusal;
          return { raises: true, last: 50, keyings: [keying('a')] };
        })
        .catch((reason: unknown) => reason);
      // First without the lock.
      await soon('judge is asked', asked.promise);
      await log.append(commit('c1', event('NOTED')), { by });
    });
    assert.strictEqual(await changing, refusal);
    same(await session!.registry(), log.registry);
    same((await change(other!, {})).generation, log.generation + 1);
  }),

  onLog(
    4,
    'judge is told whether the log is empty, and where a type came first, whatever became of it',
    async (log) => {
      const [session, other] = await log.sessions(2);
      const types = ['FREE', 'ATTACHED', 'REFUSED', 'TRIED', 'DO_IT', 'users', 'toString', 'free'];
      const none = types.map(() => undefined);
      same(await factsOf(session!, types), [true, ...none]);
      await log.append([
        commit('c1', [event('FREE'), event('ATTACHED', user('u1')), event('FREE')]),
        commit('c2', event('REFUSED'), { outcome: 'failed', reason: 'NO' }),
        commit('c3', event('TRIED'), { outcome: 'failed', final: false, reason: 'NOT YET' }),
      ]);
      // However long ago.
      const notes = range(1, 40).map(() => event('NOTED'));
      for (const n of range(1, 30)) await log.append(commit(`more-${n}`, notes));
      await log.append(commit('again', [event('REFUSED'), event('FREE')]));
      const expected = [false, 1, 2, 4, 5, ...none.slice(4)];
      for (const by of [session!, other!]) same(await factsOf(by, types), expected);
      // Under the lock as well.
      let told: unknown;
      await other!.change((registry, { isEmpty, firstOf }) => {
        told = [isEmpty, ...types.map((type) => firstOf(type))];
        return registering([entry('late')])(registry, { isEmpty, firstOf });
      });
      same(told, expected);
    },
  ),

  onLog(4, 'judge isn’t told of what isn’t stored yet, nor of what was undone', async (log) => {
    const [session, other] = await log.sessions(2);
    const undone = session!.exclusive(async (by) => {
      await log.append(commit('c1', event('A')), { by });
      same(await factsOf(other!, ['A']), [true, undefined]);
      throw new Refused('given up');
    });
    await assert.rejects(undone, Refused);
    log.end = GENESIS;
    for (const by of [session!, other!]) same(await factsOf(by, ['A']), [true, undefined]);
    await log.append(commit('c2', [event('B'), event('A')]));
    for (const by of [session!, other!]) same(await factsOf(by, ['A', 'B']), [false, 2, 1]);
  }),

  onLog(4, 'two servers that register the same at once end with one registry', async (log) => {
    const [first, second] = await log.sessions(2);
    const both = await Promise.all([register(first!, [entry('a')]), register(second!, [entry('a')])]);
    same(each(both, 'generation'), [log.generation + 1, log.generation + 1]);
    await Promise.all([register(first!, [entry('b'), entry('c')]), register(second!, [entry('d'), entry('c')])]);
    const registry = await first!.registry();
    same(registry.generation, log.generation + 3);
    same(each(registry.keyings, 'name'), ['a', 'b', 'c', 'd', 'orders', 'services', 'users']);
    same(await second!.registry(), registry);
  }),

  onLog(4, 'of servers that change at once, each judges by what those before it have changed', async (log) => {
    const sessions = await log.sessions(3);
    for (const round of range(1, 10)) {
      const before = await log.session.registry();
      const answers = await Promise.all(
        sessions.map((session, server) =>
          session.change(({ last }) => {
            const added = definition(last + 1, `c${round}-${server}`);
            return { raises: true, last: last + 2, definitions: [added], keyings: [keying(added.collection)] };
          }),
        ),
      );
      const after = await log.session.registry();
      same([after.generation, after.last], [before.generation + 3, before.last + 6], `round ${round}`);
      // Nobody was given a number that another has.
      const added = after.definitions.slice(before.definitions.length);
      same(
        each(added, 'id'),
        [1, 3, 5].map((n) => before.last + n),
      );
      same(new Set(each(added, 'collection')), new Set(sessions.map((_, server) => `c${round}-${server}`)));
      // And each was told its own state of it.
      const generations = each(answers, 'generation').sort((a, b) => a - b);
      same(
        generations,
        [1, 2, 3].map((n) => before.generation + n),
      );
    }
  }),

  onLog(4, 'nobody stores a type by an old registry while the type is being registered', async (log) => {
    const [registrar, ...writers] = await log.sessions(3);
    const users = COLLECTIONS.find(({ name }) => name === 'users')!;
    const types = [...users.handled];
    let generation = log.generation;
    for (const round of range(1, 20)) {
      const type = `T${round}`;
      const sends = writers.map(async (by, n) => {
        for (let turn = 0; turn < (round + n) % 4; turn++) await by.load([]);
        return log.send(commit(`c${round}-${n}`, event(type)), { by, generation, seen: GENESIS });
      });
      // As the engine judges: what the log holds already isn't registered.
      const changing = registrar!
        .change((registry, facts) => {
          if (facts.firstOf(type) !== undefined) throw new Refused('held already');
          return registering([{ ...users, handled: [...types, type] }])(registry, facts);
        })
        .then(
          () => true,
          () => false,
        );
      const [isRegistered, ...answers] = await Promise.all([changing, ...sends]);
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
    const { generation } = await register(other, [entry('late')]);
    const batch = commit('c1', event('NOTED', { collection: 'late', id: 'x' }));
    same((await log.send(batch)).status, 'behind');
    same((await log.append(batch, { generation })).versions, [1]);
    same(await log.head({ collection: 'late', id: 'x' }, other), 1);
  }),

  onLog(4, 'a change that raises nothing leaves nobody behind', async (log) => {
    const other = await log.open();
    await change(other, { raises: false, definitions: [definition(11, 'users')] });
    same((await log.append(commit('c1', event('NOTED', user('u1'))))).versions, [1]);
  }),

  onLog(2, 'what is loaded carries the generation', async (log) => {
    const [session, other] = await log.sessions(2);
    same((await other!.load([])).generation, log.generation);
    await change(session!, {});
    for (const by of [session!, other!]) same((await by.load([])).generation, log.generation + 1);
    await session!.exclusive(async (by) => same((await by.load([])).generation, log.generation + 1));
  }),
];
