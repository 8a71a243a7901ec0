/**
 * What must go as well where `Object`, `Error` and `Uint8Array` aren't those of Node's own modules: each throws if it
 * doesn't. Run by Jest, by vitest and in a bare context (realms.test.ts), in a project that has the package installed.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { transferableAbortController } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { domain, event, failure, open, type } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { at, given } from 'tidemark/testing';

/** A copy whose objects are of the realm of Node's modules, as `structuredClone` and a message port make them. */
const clone = (value) => deserialize(serialize(value));

const shop = domain({
  events: {
    PUT: event(type(), { version: 2, upcast: { 1: (old) => clone(old) } }),
    LABELLED: type(),
  },
});
const items = shop.collection('items', {
  key: 'item_id',
  initial: clone({ n: 0, tags: [] }),
  reduce: {
    PUT: (state, { n, tags = [] }) => clone({ n: state.n + n, tags }),
    LABELLED: (state, { tags }) => ({ ...state, tags: clone(tags) }),
  },
});
const put = shop.command('PUT_IT', {
  input: type(),
  reads: ({ item_id }) => clone({ none: undefined }) && { item: items.ref(item_id), others: [items.ref('other')] },
  decide: ({ item }, input) =>
    item.state.n > 10 ? failure('FULL', clone({ n: item.state.n })) : clone({ type: 'PUT', ...input }),
});
const label = shop.command('LABEL', {
  input: type(),
  prepare: async (_, { signal }) => (signal.throwIfAborted(), clone({ tags: ['a'] })),
  decide: (_, { item_id }, { prepared }) => [{ type: 'LABELLED', item_id, tags: prepared.tags }],
});
const broken = shop.command('BROKEN', {
  input: type(),
  decide: () => {
    throw new TypeError('of this realm');
  },
});
const parts = { collections: [items], commands: [put, label, broken] };
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const fresh = () => join(mkdtempSync(join(tmpdir(), 'tidemark-realm-')), 'log.db');
const codeOf = (promise) =>
  promise.then(
    () => undefined,
    ({ code }) => code,
  );

/** Begins a write in another process, which gives it up after a while. */
async function lockFor(ms, file) {
  const program = `
    import { DatabaseSync } from 'node:sqlite';
    const database = new DatabaseSync(${JSON.stringify(file)});
    database.exec('BEGIN IMMEDIATE');
    process.stdout.write('held');
    setTimeout(() => database.close(), ${ms});`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program]);
  await once(child.stdout, 'data');
  return { ended: once(child, 'exit') };
}

/** All that an application does, on a store. */
async function everything(store) {
  await using app = await open({ store, ...parts, logger: quiet });
  const first = await app.execute(put, clone({ item_id: 'i1', n: 20, tags: ['x'] }), { id: 'one' });
  assert.equal(first.status, 'succeeded');
  const again = await app.execute(put, { item_id: 'i1', n: 20, tags: ['x'] }, clone({ id: 'one' }));
  assert.deepEqual([again.status, again.replayed, again.position], ['succeeded', true, first.position]);
  assert.equal(await codeOf(app.execute(put, { item_id: 'i1', n: 1 }, { id: 'one' })), 'CommandIdReused');
  const full = await app.execute(put, { item_id: 'i1', n: 1 });
  assert.deepEqual([full.reason, full.details.n], ['FULL', 20]);
  assert.equal((await app.execute(label, { item_id: 'i1' }, { id: 'two' })).status, 'succeeded');
  const errored = await app.execute(broken, {});
  assert.deepEqual([errored.reason, errored.details.name], ['ERROR', 'TypeError']);
  assert.deepEqual(JSON.parse(JSON.stringify((await app.get(items, 'i1')).state)), { n: 20, tags: ['a'] });
  assert.equal((await app.fold(items)).get('i1').state.n, 20);
  assert.equal((await app.outcome('two')).status, 'succeeded');

  for (const value of [
    new Date(),
    new Map(),
    new (class Odd {
      n = 1;
    })(),
    Object(1),
    clone(new Date()),
    clone(new Map()),
  ]) {
    assert.equal(await codeOf(app.execute(put, { item_id: 'i2', n: 1, value })), 'InvalidInput');
  }
  const controller = transferableAbortController();
  const seen = [];
  const following = (async () => {
    for await (const { event } of app.events({ follow: true, signal: controller.signal })) seen.push(event.type);
  })();
  await app.execute(put, { item_id: 'i3', n: 1 }, { signal: controller.signal });
  while (seen.length < 5) await app.status();
  controller.abort(new Error('enough'));
  await assert.rejects(following, { message: 'enough' });
  const { ok, problems } = await app.verify();
  assert.deepEqual([ok, ...problems], [true]);
}

export const cases = {
  'memory: all that an application does': () => everything(memory()),
  'sqlite: all that an application does': () => everything(sqlite(fresh())),
  'sqlite: a write lock that another process holds for a while is waited for': async () => {
    const file = fresh();
    await using app = await open({ store: sqlite(file), ...parts });
    const lock = await lockFor(200, file);
    assert.equal((await app.execute(put, { item_id: 'i1', n: 1 })).status, 'succeeded');
    await lock.ended;
  },
  'sqlite: a text file is no log': async () => {
    const file = fresh();
    writeFileSync(file, 'hello');
    assert.equal(await codeOf(open({ store: sqlite(file), ...parts })), 'NotALog');
  },
  'sqlite: a damaged log is told as one': async () => {
    const file = fresh();
    await using app = await open({ store: sqlite(file), ...parts });
    await app.execute(put, { item_id: 'i1', n: 1 });
    const side = new DatabaseSync(file);
    side.exec("UPDATE commits SET hash = x'00'");
    side.close();
    assert.equal(await codeOf(app.status()), 'LogCorrupt');
  },
  'given, when, expect': () => {
    given([items], [at(5, clone({ type: 'PUT', item_id: 'i1', n: 11 }))])
      .when(put, clone({ item_id: 'i1', n: 1 }))
      .expect(failure('FULL', { n: 11 }));
  },
};
