/**
 * Copies of the package side by side, as a monorepo or a test framework gets them: `other` is the same version, `newer` says
 * that it is 9.9.9. Throws if they don't go together as they should.
 */
import assert from 'node:assert/strict';
import { domain, failure, InvalidDefinition, open, type } from 'tidemark';
import { memory } from 'tidemark/memory';
import { at, given } from 'tidemark/testing';
import * as newer from './newer/tidemark/dist/index.js';
import * as other from './other/tidemark/dist/index.js';
import { memory as otherMemory } from './other/tidemark/dist/store/memory/index.js';
import { at as otherAt } from './other/tidemark/dist/testing/index.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** A small application, made by the copies that are given. */
function parts(make, refuse = failure) {
  const shop = make.domain({ events: { PUT: make.type() } });
  const items = shop.collection('items', { key: 'item_id', initial: { n: 0 }, reduce: { PUT: (_, { n }) => ({ n }) } });
  const put = shop.command('PUT_IT', {
    input: make.type(),
    reads: ({ item_id }) => ({ item: items.ref(item_id) }),
    decide: ({ item }, input) => (item.exists ? refuse('THERE') : { type: 'PUT', ...input }),
  });
  return { collections: [items], commands: [put], items, put };
}

// What another copy has made is as good as one's own; so are its errors: an append without an answer is sent again.
for (const [make, refuse, makeStore] of [
  [other, failure, otherMemory],
  [{ domain, type }, other.failure, memory],
]) {
  const { items, put, ...given } = parts(make, refuse);
  const store = makeStore();
  let lost = 0;
  const lossy = async () => {
    const session = await store.open();
    const append = session.append.bind(session);
    session.append = async (batch) => {
      const answer = await append(batch);
      if ((lost += 1) > 1) return answer;
      throw new other.StoreUnavailable('The answer was lost.', { unknown: true });
    };
    return session;
  };
  await using app = await open({ store: { name: 'lossy', open: lossy }, ...given, logger: quiet });
  const first = await app.execute(put, { item_id: 'i1', n: 1 }, { id: 'one' });
  assert.deepEqual([first.status, first.replayed, first.position], ['succeeded', false, 1]);
  assert.equal((await app.execute(put, { item_id: 'i1', n: 2 })).reason, 'THERE');
  assert.equal((await app.get(items, 'i1')).state.n, 1);
  assert.equal((await app.verify()).ok, true);
}
const { items, put } = parts(other, other.failure);
for (const timed of [at, otherAt]) {
  given([items], [timed(5, { type: 'PUT', item_id: 'i1', n: 1 })])
    .when(put, { item_id: 'i1', n: 1 })
    .expect(failure('THERE'));
}

// Of another version nothing is taken for one's own, and it is said which two there are.
const both = (error) => {
  assert(error instanceof InvalidDefinition, String(error));
  assert.match(error.message, /0\.1\.0/);
  assert.match(error.message, /9\.9\.9/);
  assert.deepEqual([error.details.made, error.details.used], ['9.9.9', '0.1.0']);
  return true;
};
const late = parts(newer, newer.failure);
await assert.rejects(open({ store: memory(), collections: late.collections, commands: [] }), both);
await assert.rejects(open({ store: memory(), collections: [], commands: late.commands }), both);
const mixed = parts({ domain, type }, newer.failure);
await using app = await open({
  store: memory(),
  collections: mixed.collections,
  commands: mixed.commands,
  logger: quiet,
});
await assert.rejects(app.execute(late.put, { item_id: 'i1', n: 1 }), both);
await assert.rejects(app.get(late.items, 'i1'), both);
assert.throws(() => given([late.items], []), both);
await app.execute(mixed.put, { item_id: 'i1', n: 1 });
const { reason, details } = await app.execute(mixed.put, { item_id: 'i1', n: 1 });
assert.equal(reason, 'ERROR');
assert.match(details.message, /9\.9\.9.*0\.1\.0/);
console.log('copies go together');
