/** Options that don't exist: refused by every public function, with the name that was meant. */
import { domain, event, failure, InvalidDefinition, InvalidInput, open, type, type App } from 'tidemark';
import { memory } from 'tidemark/memory';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { given, storeConformance } from 'tidemark/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect, keepingLogger } from '../support/stores.ts';
import { createService, parts, services } from '../support/market.ts';

// eslint-disable-next-line typescript/no-explicit-any -- what the types would refuse is what is tested
type Any = any;
let app: App<typeof createService, typeof services>;

beforeAll(async () => {
  app = await open({ store: memory(), ...parts, logger: keepingLogger() });
});
afterAll(() => app.close());

const shop = (): Any => domain({ events: { SOLD: type<{ item_id: string }>() } });
const collection = { key: 'item_id', initial: {}, reduce: {} };
const command = { input: type(), decide: () => failure('NO') };

/** Who asks or defines, with options; the right ones; one that is misspelt, and what was meant. */
const calls: Readonly<Record<string, readonly [(options: Any) => unknown, object, misspelt: string, meant: string]>> = {
  domain: [domain, { events: {} }, 'event', 'events'],
  collection: [(options) => shop().collection('items', options), collection, 'defintion', 'definition'],
  command: [(options) => shop().command('SELL', options), command, 'read', 'reads'],
  event: [(options) => event(type(), options), { version: 1 }, 'upcasts', 'upcast'],
  open: [(options) => open(options), { store: memory(), ...parts }, 'Clock', 'clock'],
  limits: [
    (limits) => open({ store: memory(), ...parts, limits }),
    { triesMax: 1 },
    'batchComitsMax',
    'batchCommitsMax',
  ],
  memory: [memory as Any, { clock: Date.now }, 'clok', 'clock'],
  sqlite: [(options) => sqlite('never.db', options), {}, 'lockTimeout', 'lockTimeoutMs'],
  postgres: [(options) => postgres('postgres://localhost/never', options), {}, 'scheme', 'schema'],
  given: [(options) => given(options), { collections: [services] }, 'comands', 'commands'],
  execute: [(options) => app.execute(createService, { service_id: 's' }, options), {}, 'unchangd', 'unchanged'],
  'get, one': [(at) => app.get(services, 's1', at), {}, 'verison', 'version'],
  'get, several': [(at) => app.get(services, ['s1'], at), {}, 'positon', 'position'],
  events: [(options) => collect(app.events(options)), { after: 0 }, 'folow', 'follow'],
  history: [(options) => collect(app.history(services, 's1', options)), {}, 'limits', 'limit'],
  verify: [(options) => app.verify(options), {}, 'expected', 'expect'],
  when: [(options) => given([services]).when(createService, { service_id: 's' }, options), {}, 'prepare', 'prepared'],
};
const asks = new Set(['execute', 'get, one', 'get, several', 'events', 'history', 'verify', 'when']);

test.each(Object.keys(calls))('%s', async (name) => {
  const [call, right, misspelt, meant] = calls[name]!;
  const thrown = async (options: unknown): Promise<Any> => {
    try {
      const made: Any = await call(options);
      if (typeof made?.close === 'function') await made.close();
      return undefined;
    } catch (error) {
      return error;
    }
  };
  expect(await thrown(right)).toBeUndefined();
  const kind = asks.has(name) ? InvalidInput : InvalidDefinition;
  const where = asks.has(name) ? 'path' : 'option';
  for (const value of [1, undefined]) {
    const error = await thrown({ ...right, [misspelt]: value });
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ code: kind.name, details: { [where]: misspelt } });
    expect(error.message).toContain(`there is no option "${misspelt}": did you mean ${meant}?`);
  }
  // What resembles nothing is told what there is.
  const error = await thrown({ ...right, somethingElse: 1 });
  expect(error).toBeInstanceOf(kind);
  expect(error.message).toMatch(/no option "somethingElse"\. There (are|is) \w/);
  expect(error.message).toContain(meant);
  for (const options of [null, 'text', 7, [], [1], new Map([[meant, 1]]), Promise.resolve(right), () => right]) {
    if (name === 'given' && Array.isArray(options)) continue;
    expect(await thrown(options)).toBeInstanceOf(kind);
  }
});

test('storeConformance is told that it is given no function before any test is registered', () => {
  for (const given of [undefined, {}, memory()])
    expect(() => storeConformance('memory', given as never)).toThrow(InvalidDefinition);
});

test('unchanged takes documents as they are, and expect whatever has a position and a hash', async () => {
  await app.execute(createService, { service_id: 'whole' });
  const document = await app.get(services, 'whole');
  const told = await app.execute(createService, { service_id: 'whole' }, { unchanged: [document] });
  expect(told).toMatchObject({ status: 'failed', reason: 'EXISTS' });
  expect((await app.verify({ expect: await app.status() })).ok).toBe(true);
});
