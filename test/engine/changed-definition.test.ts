/** A definition that changed in code while the log kept what the old one had stored. */
import { DefinitionChanged, domain, DomainOutdated, failure, open, RebuildRequired, type, type Logger } from 'tidemark';
import { expect, test } from 'vitest';
import { keepingLogger, onLocalStores } from '../support/stores.ts';

type Account = { account_id: string; cents: number };

interface Code {
  /** The types that the domain has, and each one's part in the reducers. */
  readonly types: readonly string[];
  readonly handled?: readonly string[];
  readonly key?: unknown;
  readonly definition?: number;
}

/** A bank whose accounts know some types; `put` stores an event of any type that the domain has. */
function bank({ types, handled = types, key = 'account_id', definition = 1 }: Code) {
  const made = domain({ events: Object.fromEntries(types.map((name) => [name, type<Account>()])) });
  const accounts = made.collection('accounts', {
    key: key as 'account_id',
    initial: { cents: 0 },
    definition,
    reduce: Object.fromEntries(
      handled.map((name) => [
        name,
        (state: { cents: number }, event: Account) => ({ cents: state.cents + event.cents }),
      ]),
    ),
  } as never);
  const put = made.command('PUT', {
    input: type<Account & { type: string }>(),
    decide: (_, input) => input as never,
  });
  const refuse = made.command('REFUSE', {
    input: type<{ account_id: string }>(),
    decide: () => failure('NO'),
    // Declared by nobody as long as no release has made an event of it.
    failureType: types.includes('CLOSED') ? 'NOT_CLOSED' : 'CLOSED',
  });
  return { accounts, put, refuse, parts: { collections: [accounts], commands: [put, refuse] } };
}

const opening = { account_id: 'a1', cents: 900 };
const map = (...types: string[]) => Object.fromEntries(types.map((name) => [name, 'account_id']));

async function refusal(promise: Promise<unknown>): Promise<Error & { code: string; details: object }> {
  return promise.then(
    () => expect.fail('it opened'),
    (error: unknown) => error as Error & { code: string; details: object },
  );
}

onLocalStores('a renamed event type', (makeStore) => {
  test.each([
    ['with a plain field for a key', 'account_id', 'account_id'],
    ['named by the key', map('ACCOUNT_OPENED'), map('ACCOUNT_STARTED')],
  ])('%s: open refuses it by name, says which types and what to do, and changes nothing', async (_, before, after) => {
    const store = makeStore();
    const old = bank({ types: ['ACCOUNT_OPENED'], key: before });
    await using app = await open({ store, ...old.parts });
    await app.execute(old.put, { type: 'ACCOUNT_OPENED', ...opening });
    const error = await refusal(open({ store, ...bank({ types: ['ACCOUNT_STARTED'], key: after }).parts }));
    expect(error).toBeInstanceOf(DefinitionChanged);
    expect(error.message).toMatch(/accounts.*ACCOUNT_OPENED.*ACCOUNT_STARTED/s);
    expect(error.message).toMatch(/formerly: \['ACCOUNT_OPENED'\].*raise definition to 2/s);
    expect(error.details).toMatchObject({
      collection: 'accounts',
      gone: ['ACCOUNT_OPENED'],
      added: ['ACCOUNT_STARTED'],
    });
    // What is stored can still be read by the code that stored it.
    await using again = await open({ store, ...old.parts });
    expect((await again.get(old.accounts, 'a1')).state).toEqual({ cents: 900 });
    expect((await again.status()).generation).toBe(1);
  });

  test('also before anything is stored: the log is not empty for whoever writes next', async () => {
    const store = makeStore();
    await using _ = await open({ store, ...bank({ types: ['ACCOUNT_OPENED'] }).parts });
    await expect(open({ store, ...bank({ types: ['ACCOUNT_STARTED'] }).parts })).rejects.toThrow(DefinitionChanged);
  });

  test('both names kept in the code: it opens, and both are folded', async () => {
    const store = makeStore();
    const old = bank({ types: ['ACCOUNT_OPENED'] });
    await using app = await open({ store, ...old.parts });
    await app.execute(old.put, { type: 'ACCOUNT_OPENED', ...opening });
    const both = bank({ types: ['ACCOUNT_OPENED', 'ACCOUNT_STARTED'] });
    await using now = await open({ store, ...both.parts });
    await now.execute(both.put, { type: 'ACCOUNT_STARTED', ...opening });
    expect((await now.get(both.accounts, 'a1')).state).toEqual({ cents: 1_800 });
    expect((await now.verify()).problems).toEqual([]);
  });
});

onLocalStores('more types', (makeStore) => {
  test.each([
    ['with a plain field for a key', () => 'account_id'],
    ['in a key map', (...types: string[]) => map(...types)],
  ])('%s: registered where the log has never held them, and the generation rises', async (_, key) => {
    const store = makeStore();
    const old = bank({ types: ['A', 'B'], handled: ['A'], key: key('A') });
    await using before = await open({ store, ...old.parts });
    await before.execute(old.put, { type: 'A', ...opening });
    const grown = bank({ types: ['A', 'B'], key: key('A', 'B') });
    await using after = await open({ store, ...grown.parts });
    expect((await after.status()).generation).toBe(2);
    // The older server, which doesn't handle it, attaches what it stores from now on by the grown key.
    const { events } = await before.execute(old.put, { type: 'B', ...opening });
    expect(events[0]?.attachments).toEqual([{ collection: 'accounts', id: 'a1', version: 2 }]);
    expect((await before.status()).generation).toBe(2);
    expect((await before.get(old.accounts, 'a1')).state).toEqual({ cents: 900 });
    expect((await after.get(grown.accounts, 'a1')).state).toEqual({ cents: 1_800 });
    for (const app of [before, after]) expect((await app.verify()).problems).toEqual([]);
  });

  test.each([
    ['of a command that succeeded', 'A', ['B'] as const],
    ['of a failure that nobody had declared', 'A', ['CLOSED'] as const],
  ])('that the log has held: refused by name: an event %s', async (_, first, [second]) => {
    const store = makeStore();
    const old = bank({ types: ['A', 'B'], handled: ['A'] });
    await using app = await open({ store, ...old.parts });
    await app.execute(old.put, { type: first, ...opening });
    if (second === 'B') await app.execute(old.put, { type: 'B', ...opening });
    else await app.execute(old.refuse, { account_id: 'a1' });
    const error = await refusal(
      open({ store, ...bank({ types: ['A', 'B', 'CLOSED'], handled: ['A', second] }).parts }),
    );
    expect(error).toBeInstanceOf(DefinitionChanged);
    expect(error.message).toMatch(new RegExp(`accounts.*${second}.*position 2.*raise definition to 2`, 's'));
    expect(error.details).toMatchObject({ collection: 'accounts', held: [{ type: second, position: 2 }] });
    expect((await app.status()).generation).toBe(1);
  });

  test('two that grow apart: the first is registered, the other refused by name, and can be merged', async () => {
    const store = makeStore();
    await using _ = await open({ store, ...bank({ types: ['A', 'B', 'C'], handled: ['A'] }).parts });
    const tried = await Promise.allSettled([
      open({ store, ...bank({ types: ['A', 'B', 'C'], handled: ['A', 'B'] }).parts }),
      open({ store, ...bank({ types: ['A', 'B', 'C'], handled: ['A', 'C'] }).parts }),
    ]);
    const opened = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const refused = tried.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
    expect([opened.length, refused.length]).toEqual([1, 1]);
    expect(refused[0]).toBeInstanceOf(DefinitionChanged);
    await using merged = await open({ store, ...bank({ types: ['A', 'B', 'C'] }).parts });
    expect((await merged.status()).generation).toBe(3);
    await opened[0]!.close();
  });
});

onLocalStores('fewer types: an older release beside a newer one', (makeStore) => {
  test.each([
    ['with a plain field for a key', () => 'account_id'],
    ['in a key map', (...types: string[]) => map(...types)],
  ])('%s: it opens with one warning that names what it does not know, and changes nothing', async (_, key) => {
    const store = makeStore();
    const now = bank({ types: ['A', 'B', 'C'], key: key('A', 'B', 'C') });
    await using newer = await open({ store, ...now.parts });
    await newer.execute(now.put, { type: 'B', ...opening });
    const logger = keepingLogger();
    const old = bank({ types: ['A'], key: key('A') });
    await using older = await open({ store, ...old.parts, logger });
    expect(logger.lines).toEqual([
      {
        level: 'warn',
        details: { collections: [{ collection: 'accounts', types: ['B', 'C'] }] },
        message: expect.stringMatching(/accounts \(B, C\)/),
      },
    ]);
    expect((await older.status()).generation).toBe(1);
    await older.execute(old.put, { type: 'A', ...opening });
    expect((await older.get(old.accounts, 'a1')).state).toEqual({ cents: 900 });
    expect((await newer.get(now.accounts, 'a1')).state).toEqual({ cents: 1_800 });
    expect((await newer.verify()).problems).toEqual([]);
  });

  test('a server of an older release stops where the key of a new type is a function: it has no code for that', async () => {
    const store = makeStore();
    const old = bank({ types: ['A'], key: map('A') });
    await using before = await open({ store, ...old.parts });
    await before.execute(old.put, { type: 'A', ...opening });
    const key = { ...map('A'), B: ({ account_id }: Account) => account_id };
    await using after = await open({ store, ...bank({ types: ['A', 'B'], key }).parts });
    await expect(before.execute(old.put, { type: 'A', ...opening })).rejects.toThrow(DomainOutdated);
    await expect(open({ store, ...old.parts })).rejects.toThrow(DomainOutdated);
    expect((await after.status()).position).toBe(1);
  });

  test('no warning where nothing is unknown, however often it is opened', async () => {
    const store = makeStore();
    const logger = keepingLogger();
    for (const types of [['A'], ['A', 'B'], ['A', 'B']]) {
      const app = await open({ store, ...bank({ types }).parts, logger });
      await app.close();
    }
    expect(logger.lines).toEqual([]);
  });
});

onLocalStores('what is told of a changed definition', (makeStore) => {
  const quiet: Logger = keepingLogger();
  test.each([
    ['another key', { key: ['account_id', 'cents'] }, DefinitionChanged, /another key.*\["account_id"\]/s],
    ['a map in place of a field', { key: map('A') }, DefinitionChanged, /another key/],
    ['a raised definition', { definition: 2 }, RebuildRequired, /definition 1.*definition 2.*'online'/s],
  ])('%s', async (_, changed, error, message) => {
    const store = makeStore();
    const old = bank({ types: ['A'] });
    await using app = await open({ store, ...old.parts, logger: quiet });
    await app.execute(old.put, { type: 'A', ...opening });
    const code = bank({ types: ['A'], ...changed });
    const told = await refusal(open({ store, ...code.parts, definitions: 'refuse' }));
    expect(told).toBeInstanceOf(error);
    expect(told.message).toMatch(message);
    expect(told.details).toMatchObject({ collection: 'accounts' });
    expect((await app.status()).generation).toBe(1);
  });

  test('a function in place of which the code has a field: the key changed, no newer code is missing', async () => {
    const store = makeStore();
    const byFunction = bank({ types: ['A'], key: { A: (event: Account) => event.account_id } });
    await using _ = await open({ store, ...byFunction.parts });
    await expect(open({ store, ...bank({ types: ['A'], key: map('A') }).parts })).rejects.toThrow(DefinitionChanged);
  });
});

onLocalStores('types that the code does not know', (makeStore) => {
  test('counted and named in status, and a finding of verify, with the first position', async () => {
    const store = makeStore();
    const old = bank({ types: ['A', 'LOST', 'GONE'], handled: ['A'] });
    await using before = await open({ store, ...old.parts });
    for (const name of ['A', 'LOST', 'GONE', 'LOST']) await before.execute(old.put, { type: name, ...opening });
    expect((await before.status()).unknownTypes).toEqual({ count: 0, names: [] });

    const now = bank({ types: ['A'] });
    await using after = await open({ store, ...now.parts });
    expect((await after.status()).unknownTypes).toEqual({ count: 2, names: ['LOST', 'GONE'] });
    const { ok, problems } = await after.verify();
    expect(ok).toBe(false);
    expect(problems).toEqual([
      { code: 'UnknownType', position: 2, message: expect.stringContaining('LOST') },
      { code: 'UnknownType', position: 3, message: expect.stringContaining('GONE') },
    ]);
  });

  test('nor the system’s own, nor failures of commands that this code does not have', async () => {
    const store = makeStore();
    const old = bank({ types: ['A', 'B'], handled: ['A'] });
    await using before = await open({ store, ...old.parts, logger: keepingLogger() });
    await before.execute(old.refuse, { account_id: 'a1' });
    await before.execute(old.put, { type: 'NO_SUCH_TYPE', ...opening });
    const now = bank({ types: ['A'] });
    await using after = await open({ store, ...now.parts });
    expect((await after.status()).unknownTypes).toEqual({ count: 0, names: [] });
    expect((await after.verify()).problems).toEqual([]);
  });

  test('a type that was a failure’s at first, and is an event’s now', async () => {
    const store = makeStore();
    const undeclared = bank({ types: ['A'] });
    await using first = await open({ store, ...undeclared.parts });
    await first.execute(undeclared.refuse, { account_id: 'a1' });
    const declared = bank({ types: ['A', 'CLOSED'], handled: ['A'] });
    await using second = await open({ store, ...declared.parts });
    await second.execute(declared.put, { type: 'CLOSED', ...opening });
    expect((await first.status()).unknownTypes).toEqual({ count: 1, names: ['CLOSED'] });
    expect((await first.verify()).problems).toMatchObject([{ code: 'UnknownType', position: 2 }]);
  });

  test('the list is bounded, the number is not', async () => {
    const store = makeStore();
    const names = Array.from({ length: 30 }, (_, n) => `T${n}`);
    const old = bank({ types: ['A', ...names], handled: ['A'] });
    await using before = await open({ store, ...old.parts });
    for (const name of names) await before.execute(old.put, { type: name, ...opening });
    await using after = await open({ store, ...bank({ types: ['A'] }).parts });
    const { unknownTypes } = await after.status();
    expect(unknownTypes.count).toBe(30);
    expect(unknownTypes.names).toEqual(names.slice(0, 20));
  });
});
