/**
 * Documents with a large state, to which each event adds an entry: a cold `get`, next to the bare reducer loop over parsed events.
 * And the longest wait of the event loop for its turn, in this and in a verify.
 *
 * All is counted in CPU time of the thread: time in which the machine runs others is no fault of what is measured.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { domain, open, type, type App, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { median } from '../workload.ts';

const ENTRIES = { full: 20_000, quick: 2_000 };
/** An object with 20,000 fields costs a bare loop a minute and a half. */
const FIELDS = { full: 2_000, quick: 500 };
const VERIFIED = { full: 200_000, quick: 20_000 };
const BATCH = 1_000;

interface Entry {
  readonly id: string;
  readonly n: number;
}
type Added = { readonly cart_id: string; readonly entry: Entry };
type ListOf<Item> = { readonly entries: readonly Item[] };

const REDUCERS = {
  objects: (cart: ListOf<Entry>, { entry }: Added): ListOf<Entry> => ({ ...cart, entries: [...cart.entries, entry] }),
  texts: (cart: ListOf<string>, { entry }: Added): ListOf<string> => ({
    ...cart,
    entries: [...cart.entries, entry.id],
  }),
  fields: (cart: { readonly byId: Readonly<Record<string, Entry>> }, { entry }: Added) => ({
    ...cart,
    byId: { ...cart.byId, [entry.id]: entry },
  }),
};

const shop = domain({
  events: { ADDED: type<Added>(), FIELD: type<Added>(), PUT: type<{ item_id: string; n: number }>() },
});
const objects = shop.collection('objects', {
  key: { ADDED: 'cart_id' },
  initial: { entries: [] } as ListOf<Entry>,
  reduce: { ADDED: REDUCERS.objects },
});
const texts = shop.collection('texts', {
  key: { ADDED: 'cart_id' },
  initial: { entries: [] } as ListOf<string>,
  reduce: { ADDED: REDUCERS.texts },
});
const fields = shop.collection('fields', {
  key: { FIELD: 'cart_id' },
  initial: { byId: {} as Record<string, Entry> },
  reduce: { FIELD: REDUCERS.fields },
});
const items = shop.collection('items', {
  key: { PUT: 'item_id' },
  initial: { n: 0 },
  reduce: { PUT: (_, { n }) => ({ n }) },
});
const add = shop.command('ADD', {
  input: type<{ from: number; count: number; type: 'ADDED' | 'FIELD' }>(),
  decide: (_, { from, count, type }) =>
    Array.from({ length: count }, (_, n) => ({ type, cart_id: 'c1', entry: entryOf(from + n) })),
});
const put = shop.command('PUT', {
  input: type<{ from: number }>(),
  // In no order: a store that sorts documents has something to do.
  decide: (_, { from }) =>
    Array.from({ length: BATCH }, (_, n) => ({ type: 'PUT' as const, item_id: `i${((from + n) * 7_919) % 1e6}`, n })),
});
/** Nothing is stored of documents, or a cold `get` would begin there; and nothing else takes the thread's time. */
const parts = { collections: [objects, texts, fields, items], commands: [add, put], reduction: 'off' } as const;
type Shop = App<(typeof parts.commands)[number], (typeof parts.collections)[number]>;

function entryOf(n: number): Entry {
  return { id: `entry ${n}`, n };
}

export async function largeStates({ fresh, quick, rounds }: Bench): Promise<Figure[]> {
  const size = quick ? 'quick' : 'full';
  const store = memory();
  {
    await using app = await open({ store, ...parts });
    for (const [type, entries] of [
      ['ADDED', ENTRIES[size]],
      ['FIELD', FIELDS[size]],
    ] as const) {
      for (let from = 0; from < entries; from += BATCH) {
        await app.execute(add, { from, count: Math.min(BATCH, entries - from), type });
      }
    }
  }
  const lists = { of: ENTRIES[size], rounds, limit: LIMITS.largeStateMax };
  const record = { of: FIELDS[size], rounds, limit: undefined };
  const bare = { objects: loop(REDUCERS.objects, { entries: [] }), texts: loop(REDUCERS.texts, { entries: [] }) };
  return [
    ...(await folded(store, (app) => app.get(objects, 'c1'), bare.objects, { ...lists, name: 'a list of objects' })),
    ...(await folded(store, (app) => app.get(texts, 'c1'), bare.texts, { ...lists, name: 'a list of texts' })),
    ...(await folded(store, (app) => app.get(fields, 'c1'), loop(REDUCERS.fields, { byId: {} }), {
      ...record,
      name: 'an object',
    })),
    await verified(memory(), 'memory', VERIFIED[size]),
    await verified(sqlite(fresh(), { synchronous: 'normal' }), 'SQLite', VERIFIED[size]),
  ];
}

type Loop = (events: readonly Added[]) => void;

function loop<State>(reducer: (state: State, event: Added) => State, initial: State): Loop {
  return (events) => {
    let state = initial;
    for (const event of events) state = reducer(state, event);
  };
}

interface Compared {
  readonly name: string;
  readonly of: number;
  readonly rounds: number;
  readonly limit: number | undefined;
}

/** A cold `get` and the bare loop, in turns. */
async function folded(
  store: Store,
  get: (app: Shop) => Promise<unknown>,
  bare: Loop,
  { name, of, rounds, limit }: Compared,
): Promise<Figure[]> {
  const text = JSON.stringify(Array.from({ length: of }, (_, n) => ({ cart_id: 'c1', entry: entryOf(n) })));
  const events = JSON.parse(text) as Added[];
  const made: { ours: number; bare: number; longest: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const started = cpuMs();
    bare(events);
    const bareMs = cpuMs() - started;
    await using app = await open({ store, ...parts });
    const { ms, longest } = await waited(() => get(app));
    made.push({ ours: ms, bare: bareMs, longest });
  }
  const what = `${name} of ${of} entries`;
  return [
    {
      name: `cold get, ${what}: CPU ms`,
      ours: median(made.map(({ ours }) => ours)),
      bare: median(made.map(({ bare }) => bare)),
      ratio: median(made.map(({ ours, bare }) => ours / bare)),
      atMost: limit,
    },
    { name: `longest wait, ${what}: CPU ms`, ours: median(made.map((one) => one.longest)), atMost: LIMITS.turnMaxMs },
  ];
}

async function verified(store: Store, name: string, events: number): Promise<Figure> {
  await using app = await open({ store, ...parts });
  for (let from = 0; from < events; from += BATCH) await app.execute(put, { from });
  const { longest } = await waited(() => app.verify());
  return {
    name: `longest wait, ${name}, verify of ${events} events: CPU ms`,
    ours: longest,
    atMost: LIMITS.turnMaxMs,
  };
}

/** The CPU time of the work, and the most that lay between two turns of the event loop. */
async function waited(work: () => Promise<unknown>): Promise<{ readonly ms: number; readonly longest: number }> {
  let longest = 0;
  const watch = { going: true };
  const started = cpuMs();
  const watched = (async () => {
    for (let last = started; watch.going;) {
      await turn();
      const now = cpuMs();
      longest = Math.max(longest, now - last);
      last = now;
    }
  })();
  await work();
  const ms = cpuMs() - started;
  watch.going = false;
  await watched;
  return { ms, longest };
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
