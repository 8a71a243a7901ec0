/** All kinds of writers at once, in random order: none waits for another for ever, and nothing is damaged. */
import { expect, it } from 'vitest';
import { seedOfRun } from '../../../../test/support/seed.ts';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { commit, event, range, service, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { Chance } from '../../../testing/conformance/random.ts';
import { definitionOf } from '../../../testing/conformance/registered.ts';
import { document, entry, gone, pointOf } from '../../../testing/conformance/sets.ts';
import type { Registry, Session } from '../../store.ts';
import { postgres } from '../index.ts';

const database = testDatabase();

const SESSIONS = 4;
const ROUNDS = 40;
const DOCUMENTS = 30;

type Work = (by: Session, chance: Chance) => Promise<unknown>;

/** The key that an entry has. */
const keyOf = ({ id, version }: { readonly id: string; readonly version: number }) => `${version % 7} ${id}`;

/** A step to the end of the log, of some documents, whose keys in all indexes change. */
const step: Work = async (by, chance) => {
  const registry = await by.registry();
  const { set } = definitionOf(registry, chance.pick(['users', 'services']));
  const ids = chance.sample(range(1, DOCUMENTS), 10).map((n) => `d${n}`);
  const page = await by.stored({ set, ids });
  if (!page) return undefined;
  const { end } = await by.load([]);
  const versions = new Map(page.documents.map(({ id, version }) => [id, version]));
  const numbers = registry.indexes.filter((index) => index.set === set).map(({ number }) => number);
  const keyed = ids.flatMap((id) => numbers.map((index) => ({ index, id, version: versions.get(id) ?? 0 })));
  return by.advance({
    set,
    generation: registry.generation,
    from: page.place,
    to: pointOf(end),
    seen: end,
    documents: ids.map((id) => document(id, (versions.get(id) ?? 0) + 1)),
    dropped: keyed.map(({ index, id, version }) => gone(index, `${version % 7} ${id}`)),
    added: keyed.map(({ index, id, version }) => entry(index, `${(version + 1) % 7} ${id}`, id)),
  });
};

/** The next page of an index that is being filled. */
const fill: Work = async (by, chance) => {
  const filling = (await by.registry()).indexes.filter(({ state }) => state === 'filling');
  if (filling.length === 0) return undefined;
  const { number: index, set } = chance.pick(filling);
  return by.exclusive(async (locked) => {
    const known = (await locked.registry()).indexes.find(({ number }) => number === index);
    if (known?.state !== 'filling') return undefined;
    const from = known.filled;
    const page = await locked.stored({ set, limit: 7, ...(from !== undefined && { from: Buffer.from(`${from}\0`) }) });
    if (!page) return undefined;
    const entries = page.documents.map(({ id, version }) => entry(index, `${version % 7} ${id}`, id));
    const to = page.documents.at(-1)?.id ?? from;
    return locked.fillIndex({ index, from, to, entries, live: !page.more });
  });
};

const append: Work = async (by, chance) => {
  const [{ generation }, { end }] = [await by.registry(), await by.load([])];
  const attached = event('BOUGHT', user(`d${chance.below(DOCUMENTS)}`), service(`d${chance.below(DOCUMENTS)}`));
  const commits = [commit(`c${chance.below(2 ** 32)}`, attached)];
  return by.append({ seen: pointOf(end), generation, handled: new Map(), reads: [], commits });
};

/** Adds an index or removes one; now and then all of a definition is made anew, and swept. */
const change: Work = async (by, chance) => {
  const isNew = chance.once(4);
  await by.change((registry: Registry) => {
    const number = registry.last + 1;
    const one = definitionOf(registry, 'users');
    if (isNew) return { raises: true, last: number, definitions: [{ ...one, set: number }] };
    const index = { number, set: one.set, fields: [`f${number}`], state: 'filling', usedAt: 0 } as const;
    const old = registry.indexes.filter(({ set }) => set !== one.set).map((other) => other.number);
    return { raises: true, last: number, indexes: [index], removed: old };
  });
  return by.sweep();
};

it('steps, changes, filling, appends and sweeps of several servers do no harm to each other', async () => {
  const chance = new Chance(seedOfRun());
  const log = await TestLog.on(postgres(database.url, { schema: 'together', lockTimeoutMs: 4_000 }));
  const sessions = await log.sessions(SESSIONS);
  const done: Record<string, number> = {};
  const kinds = { step, fill, append, change };
  await Promise.all(
    sessions.map(async (by) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const kind = chance.pick(['step', 'step', 'step', 'fill', 'fill', 'append', 'append', 'change'] as const);
        const answer = await kinds[kind](by, chance).catch((error: unknown) => {
          throw new Error(`${kind}: TIDEMARK_SEED=${chance.seed}`, { cause: error });
        });
        const told = `${kind} ${typeof answer === 'object' ? (answer as { status: string }).status : String(answer)}`;
        done[told] = (done[told] ?? 0) + 1;
      }
    }),
  );
  process.stdout.write(`together: ${JSON.stringify(done)}\n`);
  expect(await log.session.check()).toEqual([]);
  // Each live index has each document once, by the key of what is stored.
  const { indexes, definitions } = await log.session.registry();
  for (const { number: index, set } of indexes.filter(({ state }) => state === 'live')) {
    if (!definitions.some((one) => one.set === set)) continue;
    const all = (await log.session.stored({ set, limit: 1_000 }))!.documents;
    const found = (await log.session.stored({ set, index, limit: 1_000 }))!.documents;
    expect([`TIDEMARK_SEED=${chance.seed}`, ...found.map(keyOf)]).toEqual([
      `TIDEMARK_SEED=${chance.seed}`,
      ...all.map(keyOf).toSorted(),
    ]);
  }
  await log.close();
});
