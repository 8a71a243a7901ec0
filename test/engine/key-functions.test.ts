/** Key functions over old events: only code can call them, so what they do there concerns other releases too. */
import { domain, DomainOutdated, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { keepingLogger, onLocalStores } from '../support/stores.ts';

interface Registered {
  readonly user_id: string;
  readonly email?: string;
}
type Find = (event: Registered) => string | undefined;

const lower: Find = ({ email }) => email!.toLowerCase();
const lenient: Find = ({ email }) => email?.toLowerCase();

const sold = ({ item_id }: { item_id: string }): string => item_id;

/** Users; and, where a release has them, mails that are found by a function. */
function users(find?: Find, definition = 1) {
  const made = domain({ events: { REGISTERED: type<Registered>() } });
  const reduce = { REGISTERED: ({ n }: { n: number }) => ({ n: n + 1 }) };
  const people = made.collection('users', { key: 'user_id', initial: { n: 0 }, reduce });
  const mails = made.collection('mails', {
    definition,
    key: { REGISTERED: find ?? lenient },
    initial: { n: 0 },
    reduce,
  });
  const register = made.command('REGISTER', {
    input: type<Registered>(),
    decide: (_, input) => ({ type: 'REGISTERED', ...input }),
  });
  const collections = find ? [people, mails] : [people];
  return { people, mails, register, parts: { collections, commands: [register] } };
}

const outdated = { code: 'DomainOutdated', details: { collection: 'mails' } };

/** Items whose key and number releases change. */
function shop(definition: number, key: object) {
  const made = domain({ events: { MADE: type<{ item_id: string }>(), SOLD: type<{ item_id: string }>() } });
  const reduce = { MADE: ({ n }: { n: number }) => ({ n: n + 1 }) };
  const items = made.collection('items', {
    definition,
    key: key as unknown as 'item_id',
    initial: { n: 0 },
    reduce,
  });
  const input = type<{ item_id: string }>();
  const make = made.command('MAKE', { input, decide: (_, fields) => ({ type: 'MADE', ...fields }) });
  return { items, make, parts: { collections: [items], commands: [make] } };
}

onLocalStores('a key function over old events', (makeStore) => {
  test('one that throws is named with its event, stops nobody, and can be mended', async () => {
    const store = makeStore();
    const logger = keepingLogger();
    const old = users();
    await using before = await open({ store, ...old.parts, logger });
    for (let n = 1; n <= 20; n += 1) {
      await before.execute(old.register, { user_id: `u${n}`, ...(n !== 8 && { email: `A@${n}` }) });
    }
    const options = { store, logger, definitions: 'before' } as const;
    await expect(open({ ...options, ...users(lower).parts })).rejects.toMatchObject({
      code: 'InvalidDefinition',
      message: expect.stringMatching(
        /collection mails for REGISTERED.*position 8: it threw TypeError: .*return undefined/s,
      ),
      details: { collection: 'mails', type: 'REGISTERED', position: 8 },
      cause: expect.any(TypeError),
    });
    // Nothing is attached by it yet: the old release goes on, and may be opened.
    expect((await before.execute(old.register, { user_id: 'u1' })).status).toBe('succeeded');
    const again = users();
    await using after = await open({ store, ...again.parts, logger });
    expect((await after.execute(again.register, { user_id: 'u1', email: 'B@1' })).status).toBe('succeeded');
    expect(await after.get(again.people, 'u1')).toMatchObject({ version: 3 });

    const mended = users(lenient);
    await using now = await open({ ...options, ...mended.parts });
    expect(await now.get(mended.mails, 'b@1')).toMatchObject({ version: 1 });
    expect(await now.count(mended.mails)).toBe(20);
    // From now on nothing may be stored without it.
    await expect(before.execute(old.register, { user_id: 'u1' })).rejects.toThrow(DomainOutdated);
    await expect(after.execute(again.register, { user_id: 'u1' })).rejects.toThrow(DomainOutdated);
    await expect(open({ store, ...users().parts, logger })).rejects.toMatchObject(outdated);
    expect((await now.verify()).problems).toEqual([]);
  });

  test('one that throws since it was attached by: verify says so, and goes on', async () => {
    const store = makeStore();
    const logger = keepingLogger();
    const old = users();
    await using before = await open({ store, ...old.parts, logger });
    await before.execute(old.register, { user_id: 'u1', email: 'A@1' });
    let isBroken = false;
    const found: Find = (event) => {
      if (isBroken) throw new RangeError('broken');
      return lenient(event);
    };
    await using app = await open({ store, ...users(found).parts, logger, definitions: 'before' });
    isBroken = true;
    const { problems } = await app.verify();
    const message = expect.stringContaining("the keys can't look into it: The key function of collection mails");
    expect(problems).toMatchObject([{ code: 'Attachments', position: 1, message }]);
  });

  test('where definitions share a keying with a function, all of them must go, and are named', async () => {
    const store = makeStore();
    const logger = keepingLogger();
    const declared = { MADE: 'item_id' };
    const one = shop(1, declared);
    await using first = await open({ store, ...one.parts, logger });
    await first.execute(one.make, { item_id: 'i1' });
    const same = shop(2, declared);
    await (await open({ store, ...same.parts, logger })).close();
    await (await open({ store, ...shop(2, { ...declared, SOLD: sold }).parts, logger })).close();

    const both = [1, 2].map((definition) => ({ collection: 'items', definition }));
    const told = both.map(({ definition }) => `{ collection: 'items', definition: ${definition} }`).join(', ');
    const three = shop(3, declared);
    const message = expect.stringContaining(`retired: [${told}]`);
    await expect(open({ store, ...three.parts, logger })).rejects.toMatchObject({ code: 'DomainOutdated', message });
    await using third = await open({ store, ...three.parts, logger, retired: both });
    expect(await third.get(three.items, 'i1')).toMatchObject({ version: 1 });
  });
});
