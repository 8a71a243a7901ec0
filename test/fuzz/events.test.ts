/**
 * Whatever the user's code returns or throws, and whatever is passed as input: an outcome or a named error, never a crash;
 * what was stored is read back as JSON has it, frozen deeply.
 */
/* eslint-disable unicorn/consistent-function-scoping -- beside its use */
/* eslint-disable vitest/no-conditional-expect -- which is expected depends on what was drawn */
import fc from 'fast-check';
import { domain, failure, open, TidemarkError, type, type App, type Outcome, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { afterAll, describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/model/json.ts';
import { keepingLogger } from '../support/stores.ts';
import { hostile, isFrozenDeeply, json, type Make } from './hostile.ts';
import { drawn } from './seed.ts';

// eslint-disable-next-line typescript/no-explicit-any -- what comes is of any kind
const anything = type<any>();
/** What the hooks below return, this time. */
let make: Make = () => undefined;

const lab = domain({ events: { ANY: anything, MARKED: anything, ODD: anything } });
const things = lab.collection('things', {
  key: { ANY: ['id', 'list[].id'], MARKED: 'id' },
  initial: { n: 0 },
  reduce: { ANY: ({ n }) => ({ n: n + 1 }), MARKED: (thing) => thing },
});
/** Its key, initial state and reducer are hostile too. */
const odd = lab.collection('odd', {
  key: { ODD: ({ by }) => (by === 'key' ? (make() as string) : 'o') },
  initial: (id): unknown => (id === 'hostile' ? make() : 0),
  reduce: { ODD: (state: unknown, { by }) => (by === 'reduce' ? make() : state) },
});

const input = anything;
const commands = {
  returned: lab.command('RETURNED', { input, decide: () => make() as never }),
  spread: lab.command('SPREAD', {
    input,
    decide: () => ({ ...(make() as object), type: 'ANY' }) as never,
  }),
  field: lab.command('FIELD', { input, decide: () => ({ type: 'ANY', id: 't', field: make() }) }),
  several: lab.command('SEVERAL', { input, decide: () => [{ type: 'MARKED' }, { type: 'ANY', list: make() }] }),
  thrown: lab.command('THROWN', {
    input,
    decide: (): never => {
      throw make();
    },
  }),
  details: lab.command('DETAILS', { input, decide: () => failure('NO', make() as object) as never }),
  reason: lab.command('REASON', { input, decide: () => failure(make() as string) as never }),
  about: lab.command('ABOUT', { input, about: () => make() as never, decide: () => failure('NO') }),
  reads: lab.command('READS', { input, reads: () => make() as never, decide: () => ({ type: 'ANY' }) as never }),
  yields: lab.command('YIELDS', {
    input,
    *reads() {
      return (yield make() as never) as unknown;
    },
    decide: () => ({ type: 'ANY' }) as never,
  }),
  refs: lab.command('REFS', {
    input,
    reads: () => ({ thing: things.ref(make() as string) }),
    decide: () => ({ type: 'MARKED', id: 'x' }),
  }),
  key: lab.command('KEY', { input, decide: () => ({ type: 'ODD', by: 'key' }) }),
  reduce: lab.command('REDUCE', { input, decide: () => ({ type: 'ODD', by: 'reduce' }) }),
  reduceRead: lab.command('REDUCE_READ', {
    input,
    reads: () => ({ it: odd.ref('o') }),
    decide: () => ({ type: 'ODD', by: 'reduce' }),
  }),
  initial: lab.command('INITIAL', {
    input,
    reads: () => ({ it: odd.ref('hostile') }),
    decide: () => ({ type: 'MARKED' }),
  }),
  prepared: lab.command('PREPARED', { input, prepare: () => make(), decide: () => ({ type: 'MARKED' }) }),
  prepareThrows: lab.command('PREPARE_THROWS', {
    input,
    prepare: (): never => {
      throw new TypeError('prepare');
    },
    decide: () => ({ type: 'MARKED' }),
  }),
  echo: lab.command('ECHO', { input, decide: (_, given) => ({ type: 'ANY', given: given as unknown }) }),
};

type Lab = App<(typeof commands)[keyof typeof commands], typeof things | typeof odd>;

async function openLab(store: Store = memory()): Promise<{ app: Lab; store: Store }> {
  const app = await open({
    store,
    collections: [things, odd],
    commands: Object.values(commands),
    logger: keepingLogger(),
  });
  return { app: app as Lab, store };
}

const unhandled: unknown[] = [];
const keep = (error: unknown): void => void unhandled.push(error);
process.on('unhandledRejection', keep);
afterAll(async () => {
  await new Promise((resolve) => void setImmediate(resolve));
  process.off('unhandledRejection', keep);
});

/** An outcome, or an error of ours; anything else is what the test is about. */
async function outcomeOf(call: () => Promise<unknown>): Promise<Outcome | undefined> {
  try {
    return (await call()) as Outcome;
  } catch (error) {
    if (error instanceof TidemarkError) return undefined;
    throw error;
  }
}

/** What is stored at the outcome's positions is what the outcome says, and what is read back. */
async function assertStored({ app, store }: Awaited<ReturnType<typeof openLab>>, outcome: Outcome): Promise<void> {
  expect(outcome.events.length).toBeGreaterThan(0);
  const session = await store.open();
  for (const { event, position } of outcome.events) {
    const [stored] = (await session.read({ after: position - 1, limit: 1 })).events;
    const parsed = { type: stored!.type, ...(JSON.parse(stored!.json) as object) };
    expect(event).toStrictEqual(parsed);
    expect(JSON.stringify(JSON.parse(stored!.json))).toBe(stored!.json);
    expect(isFrozenDeeply(event)).toBe(true);
    expect(isFrozenDeeply(outcome.details)).toBe(true);
    for await (const again of app.events({ after: position - 1, limit: 1 })) {
      expect(again.event).toStrictEqual(parsed);
      expect(isFrozenDeeply(again.event)).toBe(true);
    }
  }
}

describe('law 1: whatever a command’s code does, its execution ends with an event or a named error', () => {
  test.each(Object.keys(commands) as (keyof typeof commands)[])('%s', async (name) => {
    await fc.assert(
      fc.asyncProperty(hostile, async (value) => {
        const here = await openLab();
        make = value;
        const command = commands[name];
        const call = (): Promise<unknown> =>
          here.app.execute(command, name === 'echo' ? (value() as never) : {}, { id: 'c' });
        if (name === 'prepareThrows') {
          await expect(call()).rejects.toThrow(TypeError);
          return;
        }
        // What `prepare` throws, or its promise is rejected with, is the caller's own.
        const outcome = await (name === 'prepared' ? outcomeOf(call).catch(() => undefined) : outcomeOf(call));
        if (outcome) await assertStored(here, outcome);
        const { position } = await here.app.status();
        expect(position > 0).toBe(outcome !== undefined);
        // Whoever reads afterwards is answered, or told what is wrong.
        for (const id of ['o', 'hostile', 't']) {
          await outcomeOf(() => here.app.get(odd, id));
          await outcomeOf(() => here.app.get(things, id));
        }
        const { problems } = await here.app.verify();
        expect(problems.filter(({ code }) => code !== 'Document' && code !== 'Attachments')).toEqual([]);
        await here.app.close();
      }),
      drawn(20, 40),
    );
    await new Promise((resolve) => void setImmediate(resolve));
    expect(unhandled.filter((error) => !String(error).includes('nobody waits for this'))).toEqual([]);
  });
});

test('plain JSON comes back as JSON has it, whichever way it goes in', async () => {
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      const here = await openLab();
      const outcome = await here.app.execute(commands.echo, value(), {});
      expect(outcome.status).toBe('succeeded');
      const expected: unknown = JSON.parse(JSON.stringify(value()));
      expect(outcome.events[0]!.event).toStrictEqual({ type: 'ANY', given: expected });
      await assertStored(here, outcome as Outcome);
      await here.app.close();
    }),
    drawn(50, 120),
  );
});

describe('canonical JSON', () => {
  /** The same value with its fields given in another order. */
  function reordered(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(reordered);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .map(([name, inner]) => [name, reordered(inner)] as const)
        .toReversed(),
    );
  }

  /** Equal as JSON: by a comparison of its own. */
  function same(one: unknown, other: unknown): boolean {
    if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) return one === other;
    if (Array.isArray(one) !== Array.isArray(other)) return false;
    const fields = Object.keys(one);
    return (
      fields.length === Object.keys(other).length &&
      fields.every((name) => Object.hasOwn(other, name) && same(one[name as never], other[name as never]))
    );
  }

  test('doesn’t depend on the order of fields, and is JSON of the same value', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value());
        expect(canonicalJson(reordered(value()))).toBe(text);
        expect(same(JSON.parse(text), JSON.parse(JSON.stringify(value())))).toBe(true);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
      drawn(300, 600),
    );
  });

  test('is equal exactly where the values are', () => {
    const near = fc.tuple(json, json, fc.boolean());
    fc.assert(
      fc.property(near, ([one, other, wrapped]) => {
        const [a, b] = wrapped
          ? [
              { x: one(), y: 1 },
              { y: 1, x: one() },
            ]
          : [one(), other()];
        const equal = same(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));
        expect(canonicalJson(a) === canonicalJson(b)).toBe(equal);
      }),
      drawn(300, 600),
    );
  });
});

test('control: what isn’t of ours, and what isn’t frozen, is told from what is', async () => {
  await expect(outcomeOf(() => Promise.reject(new TypeError('not ours')))).rejects.toThrow(TypeError);
  expect(isFrozenDeeply(Object.freeze({ a: {} }))).toBe(false);
});
