/**
 * The options of every public function, with anything in them: what is wrong is named as an error of ours where it is
 * passed; nothing else is thrown, and what is let through works.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { domain, event, failure, open, TidemarkError, type, type App } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { at, given } from 'tidemark/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buyService, createService, market, parts, services } from '../support/market.ts';
import { collect, keepingLogger } from '../support/stores.ts';
import { hostile, SPECIAL, type Make } from './hostile.ts';
import { drawn } from './seed.ts';

const directory = mkdtempSync(join(tmpdir(), 'tidemark-options-'));
let app: App<typeof createService | typeof buyService, typeof services>;
const was = process.cwd();
let fresh = 0;

beforeAll(async () => {
  process.chdir(directory);
  app = await open({ store: memory(), ...parts, logger: keepingLogger() });
  await app.execute(createService, { service_id: 's1', quantity: 3 });
});
afterAll(async () => {
  process.chdir(was);
  rmSync(directory, { recursive: true, force: true });
  await app.close();
});

const plausible: fc.Arbitrary<Make> = fc
  .constantFrom<unknown>(
    0,
    1,
    -1,
    1.5,
    2 ** 53,
    1e300,
    '',
    'x',
    's1',
    'SERVICE_CREATED',
    true,
    false,
    null,
    [],
    {},
    [''],
    ['s1'],
    [['s1']],
    services,
    createService,
    buyService,
    market,
    [services],
    [createService],
    type(),
    [undefined],
    { version: 1 },
    { open: 1 },
    AbortSignal.abort(new TypeError('the caller’s own')),
    { position: 1, hash: 'a'.repeat(64) },
    { position: 0 },
  )
  .map((value) => Object.assign(() => value, { toString: () => String(JSON.stringify(value)) }));
// Options are the programmer's own: what would fill all memory when it is shown in a message is for inputs and events.
const bearable = (make: Make): boolean => !/unfolding|huge sparse/.test(String(make));
const value = fc.oneof(plausible, hostile.filter(bearable));

/** What a call is given: anything, by chance; or one value, in each place in turn. */
interface Given {
  readonly any: fc.Arbitrary<Make>;
  readonly places: (make: Make) => readonly Make[];
}

function named(name: string, make: Make, right: Readonly<Record<string, unknown>> = {}): Make {
  return Object.assign(() => ({ ...right, [name]: make() }), { toString: () => `${name}: ${String(make)}` });
}

const anything: Given = { any: value, places: (make) => [make] };

/** An object of some of these options, each of them anything; or anything in place of the object. */
function options(...names: readonly string[]): Given {
  const entries = fc.array(fc.tuple(fc.constantFrom(...names, 'unknown'), value), { maxLength: 3 });
  const object = entries.map((list): Make =>
    Object.assign(() => Object.fromEntries(list.map(([name, make]) => [name, make()])), {
      toString: () => list.map(([name, make]) => `${name}: ${String(make)}`).join(', '),
    }),
  );
  return {
    any: fc.oneof({ weight: 5, arbitrary: object }, { weight: 1, arbitrary: value }),
    places: (make) => [make, ...names.map((name) => named(name, make))],
  };
}

/** Right options, of which one is anything. */
function oneOf(right: Readonly<Record<string, unknown>>, ...more: readonly string[]): Given {
  const names = [...Object.keys(right), ...more];
  return {
    any: fc.tuple(fc.constantFrom(...names), value).map(([name, make]) => named(name, make, right)),
    places: (make) => names.map((name) => named(name, make, right)),
  };
}

// eslint-disable-next-line typescript/no-explicit-any -- passed on purpose as what it is not
type Any = any;

/** What is there to be read by now: who follows would wait for ever. */
async function beginning<T>(items: AsyncIterableIterator<T>): Promise<void> {
  const reading = collect(items);
  let turns = 0;
  const over = reading.then(
    () => (turns = Infinity),
    () => (turns = Infinity),
  );
  while ((turns += 1) < 10) await new Promise((resolve) => void setImmediate(resolve));
  await items.return?.();
  await over;
  await reading;
}

const collectionOptions = { key: 'service_id', initial: {}, reduce: {} };
const commandOptions = { input: type(), decide: () => failure('NO') };
const lab = (): Any => domain({ events: { A: type<{ service_id: string }>(), 'B b': type() } } as Any);

const calls: Readonly<Record<string, readonly [Given, (given: Any) => unknown]>> = {
  'execute: command': [anything, (given) => app.execute(given, { service_id: 's9' } as Any)],
  'execute: input': [anything, (given) => app.execute(createService, given)],
  'execute: input fields': [oneOf({ service_id: 's1', quantity: 1 }), (given) => app.execute(createService, given)],
  'execute: options': [
    options('id', 'actor', 'correlation', 'causation', 'signal', 'unchanged'),
    (given) => app.execute(createService, { service_id: `n${(fresh += 1)}` }, given),
  ],
  'execute: unchanged': [
    oneOf({ collection: 'services', id: 's1', version: 1 }),
    (given) => app.execute(createService, { service_id: `n${(fresh += 1)}` }, { unchanged: [given] }),
  ],
  'get: collection': [anything, (given) => app.get(given, 's1')],
  'get: id': [anything, (given) => app.get(services, given)],
  'get: ids': [anything, (given) => app.get(services, ['s1', given])],
  'get: at': [options('version', 'position', 'time'), (given) => app.get(services, 's1', given)],
  'get: at, of several': [options('version', 'position', 'time'), (given) => app.get(services, ['s1', 's2'], given)],
  'fold: collection': [anything, (given) => app.fold(given)],
  'fold: collections': [anything, (given) => app.fold([services, given])],
  'history: collection': [anything, (given) => collect(app.history(given, 's1'))],
  'history: id': [anything, (given) => collect(app.history(services, given))],
  'history: options': [
    options('after', 'limit', 'follow', 'signal'),
    (given) => beginning(app.history(services, 's1', given)),
  ],
  events: [
    options('after', 'before', 'types', 'limit', 'reverse', 'follow', 'signal'),
    (given) => beginning(app.events(given)),
  ],
  'events: following': [
    oneOf({ follow: true, limit: 1 }, 'after', 'before', 'types', 'reverse', 'signal'),
    (given) => beginning(app.events(given)),
  ],
  outcome: [anything, (given) => app.outcome(given)],
  verify: [options('expect'), (given) => app.verify(given)],
  'verify: expect': [oneOf({ position: 1, hash: 'a'.repeat(64) }), (given) => app.verify({ expect: given })],
  open: [
    oneOf({ store: memory(), ...parts, logger: keepingLogger() }, 'clock', 'limits'),
    async (given) => {
      const opened = await open(given);
      await opened.close();
    },
  ],
  'open: options': [options('store', 'collections', 'commands', 'logger', 'clock', 'limits'), (given) => open(given)],
  'open: limits': [
    options('queueCommandsMax', 'batchCommitsMax', 'cacheEntriesMax', 'triesMax', 'eventBytesMax'),
    (limits) => open({ store: memory(), ...parts, limits }).then((opened) => opened.close()),
  ],
  'open: clock': [
    anything,
    async (make) => {
      const opened = await open({ store: memory(), ...parts, logger: keepingLogger(), clock: () => make });
      await opened.execute(createService, { service_id: 'x' }).finally(() => opened.close());
    },
  ],
  'sqlite: file': [anything, (given) => sqlite(given)],
  'sqlite: options': [
    options('synchronous', 'lockTimeoutMs', 'clock', 'clockAheadMs', 'clockMayJump'),
    (given) => sqlite('x.db', given),
  ],
  'sqlite: clock': [
    anything,
    async (make) => {
      const store = sqlite(join(directory, `${(fresh += 1)}.db`), { clock: () => make });
      const opened = await open({ store, ...parts, logger: keepingLogger() });
      await opened.execute(createService, { service_id: 'x' }).finally(() => opened.close());
    },
  ],
  memory: [options('clock', 'clockAheadMs'), (given) => (memory as Any)(given)],
  domain: [options('events'), (given) => domain(given)],
  'domain: events': [options('A', 'B', '$C', ''), (events) => domain({ events })],
  'event: schema': [anything, (given) => event(given, { version: 1, upcast: {} } as Any)],
  'event: options': [options('version', 'upcast'), (given) => domain({ events: { A: event(type(), given) } } as Any)],
  'collection: name': [anything, (given) => lab().collection(given, collectionOptions)],
  'collection: options': [oneOf(collectionOptions, 'definition'), (given) => lab().collection('c', given)],
  'collection: anything': [options('key', 'initial', 'reduce', 'definition'), (given) => lab().collection('c', given)],
  'collection: key of types': [options('A', 'B b'), (key) => lab().collection('c', { ...collectionOptions, key })],
  'collection: reducers': [options('A', 'B b'), (reduce) => lab().collection('c', { ...collectionOptions, reduce })],
  ref: [anything, (given) => services.ref(given)],
  'command: name': [anything, (given) => lab().command(given, commandOptions)],
  'command: options': [
    oneOf(commandOptions, 'prepare', 'reads', 'about', 'failureType'),
    (given) => lab().command('C', given),
  ],
  'command: anything': [options('input', 'decide', 'reads'), (given) => lab().command('C', given)],
  'given: parts': [anything, (parts) => given(parts)],
  'given: parts of open': [oneOf({ collections: [services], commands: [createService] }), (parts) => given(parts)],
  'given: events': [anything, (events) => given([services], events)],
  'given: an event': [anything, (one) => given([services], [one])],
  'given: at': [anything, (one) => given([services], [at(one, { type: 'SERVICE_VIEWED', service_id: 's' })])],
  'when: command': [anything, (command) => given([services]).when(command, {} as Any)],
  'when: input': [anything, (input) => given([services, createService]).when(createService, input)],
  'when: options': [
    options('time', 'actor', 'prepared', 'id'),
    (more) => given([services]).when(createService, { service_id: 's' }, more),
  ],
};

const swallow = (): void => undefined;
process.on('unhandledRejection', swallow);
afterAll(() => void process.off('unhandledRejection', swallow));

/** Throws on what isn't an error of ours. */
async function passes(call: (given: Any) => unknown, make: Make): Promise<void> {
  try {
    await call(make());
  } catch (error) {
    // What a caller aborts with is the caller's own.
    if (error instanceof TidemarkError || String(error).includes('the caller’s own')) return;
    throw error;
  }
}

describe('anything as', () => {
  test.each(Object.keys(calls))('%s', async (name) => {
    const [{ any }, call] = calls[name]!;
    await fc.assert(
      fc.asyncProperty(any, (make) => passes(call, make)),
      drawn(50, 150),
    );
  });
});

describe('each special value as', () => {
  test.each(Object.keys(calls))('%s', async (name) => {
    const [{ places }, call] = calls[name]!;
    const faults: string[] = [];
    for (const make of SPECIAL.filter(bearable).flatMap(places)) {
      await passes(call, make).catch((error: unknown) => faults.push(`${String(make)}: ${String(error)}`));
    }
    expect(faults).toEqual([]);
  });
});

test('control: what is right is let through, and an error that isn’t ours is thrown on', async () => {
  expect(await app.execute(createService, { service_id: 'right' }, { id: 'right', actor: 'a' })).toMatchObject({
    status: 'succeeded',
  });
  expect((await app.verify()).ok).toBe(true);
  expect(() => at(1, null as Any)).not.toThrow(TidemarkError);
});
