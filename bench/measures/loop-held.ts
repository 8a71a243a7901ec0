/**
 * How long the event loop is held in one piece by what is long: a cold document, a fold, a verify, opening, a large write-ahead
 * log; and by commands that are as large as the limits allow.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { domain, failure, open, type, type App as AppOf } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import type { Bench, Figure } from '../bench.ts';

const shop = domain({
  events: { PUT: type<{ item_id: string; pad: string }>(), TAGGED: type<{ tag_ids: readonly string[] }>() },
});
const items = shop.collection('items', {
  key: 'item_id',
  initial: { puts: 0 },
  reduce: { PUT: ({ puts }) => ({ puts: puts + 1 }) },
});
const fill = shop.command('FILL', {
  input: type<{ ids: readonly string[]; pad: string }>(),
  decide: (_, { ids, pad }) => ids.map((item_id) => ({ type: 'PUT' as const, item_id, pad })),
});
const refuse = shop.command('REFUSE', { input: type<{ item_id: string }>(), decide: () => failure('SOLD_OUT') });
const tags = shop.collection('tags', {
  key: 'tag_ids',
  initial: { n: 0 },
  reduce: { TAGGED: ({ n }) => ({ n: n + 1 }) },
});
const wide = shop.command('WIDE', {
  input: type<{ item_id: string; from: number }>(),
  reads: ({ from }) => ({
    all: Array.from({ length: DEFAULT_LIMITS.commandReadsMax }, (_, n) => items.ref(`w${from + n}`)),
  }),
  decide: (_, { item_id }) => ({ type: 'PUT', item_id, pad: '' }),
});
const tag = shop.command('TAG', {
  input: type<{ lists: readonly (readonly string[])[] }>(),
  decide: (_, { lists }) => lists.map((tag_ids) => ({ type: 'TAGGED' as const, tag_ids })),
});
const parts = { collections: [items, tags], commands: [fill, refuse, wide, tag] } as const;

type App = AppOf<(typeof parts.commands)[number], (typeof parts.collections)[number]>;

/** Events of the log, and refusals that are attached to one document. */
const SIZE = { full: 100_000, quick: 10_000 };
const BATCH = 1_000;
const WAL_BYTES = 2 ** 28;

/** The longest that a timer of 1 ms was late by, in milliseconds, while `work` ran. */
async function held(name: string, work: () => Promise<unknown>): Promise<Figure> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await sleep(20);
  delay.enable();
  await sleep(20);
  await work();
  await sleep(20);
  delay.disable();
  return { name: `longest hold, ${name}: ms`, ours: Math.max(0, delay.max / 1e6 - 1) };
}

export async function loopHeld({ fresh, quick }: Bench): Promise<Figure[]> {
  const size = quick ? SIZE.quick : SIZE.full;
  const file = fresh();
  const store = sqlite(file, { synchronous: 'normal' });
  let app = await open({ store, ...parts, reduction: 'off' });
  await fillUp(app, size);
  await app.close();
  const figures = [
    await held('opening', async () => (app = await open({ store, ...parts, reduction: 'off' }))),
    await held(`a cold document with ${size} refusals`, () => app.get(items, 'hot')),
    await held(`fold of ${2 * size} events`, () => app.fold(items)),
    await held(`verify of ${2 * size} events`, () => app.verify()),
  ];
  const reader = new DatabaseSync(file, { readOnly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM events').get();
  const pad = 'x'.repeat(10_000);
  const write = () => app.execute(fill, { ids: Array.from({ length: 50 }, (_, n) => `i${n}`), pad });
  for (let bytes = 0; bytes < (quick ? WAL_BYTES / 4 : WAL_BYTES); bytes += 50 * pad.length) await write();
  reader.close();
  figures.push(
    await held('commits after a reader who kept 256 MiB back', async () => {
      for (let n = 0; n < 100; n += 1) await write();
    }),
  );
  figures.push(...(await atTheLimits(app)));
  await app.close();
  const inMemory = await open({ store: memory(), ...parts, reduction: 'off' });
  await fillUp(inMemory, size);
  figures.push(await held(`in memory, verify of ${2 * size} events`, () => inMemory.verify()));
  await inMemory.close();
  return figures;
}

async function fillUp(app: App, size: number): Promise<void> {
  for (let n = 0; n < size; n += BATCH) {
    const ids = Array.from({ length: BATCH }, (_, index) => `i${(n + index) % (size / 2)}`);
    await app.execute(fill, { ids, pad: 'x'.repeat(100) });
    await Promise.all(Array.from({ length: BATCH }, () => app.execute(refuse, { item_id: 'hot' })));
  }
}

async function atTheLimits(app: App): Promise<Figure[]> {
  const { inputBytesMax, batchBytesMax, commitAttachmentsMax, eventAttachmentsMax } = DEFAULT_LIMITS;
  const lists = Array.from({ length: commitAttachmentsMax / eventAttachmentsMax }, (_, list) =>
    Array.from({ length: eventAttachmentsMax }, (_, n) => `t${list}-${n}`),
  );
  const pad = 'x'.repeat(10_000);
  const large = Array.from({ length: Math.floor(batchBytesMax / pad.length) }, (_, n) => ({ ids: [`l${n}`], pad }));
  const whole = { ids: ['l'], pad: 'x'.repeat(inputBytesMax - 100) };
  return [
    await held('100 commands that read 1,000 documents each', () =>
      Promise.all(Array.from({ length: 100 }, (_, n) => app.execute(wide, { item_id: `x${n}`, from: n * 1_000 }))),
    ),
    await held(`a commit of ${commitAttachmentsMax} attachments`, () => app.execute(tag, { lists })),
    await held('a batch of as many bytes as there may be', () =>
      Promise.all(large.map((input) => app.execute(fill, input))),
    ),
    await held('an input as large as one may be', () => app.execute(fill, whole)),
  ];
}
