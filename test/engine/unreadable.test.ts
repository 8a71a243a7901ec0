/** Events that this code can't read: what rests on them says which they are; what was decided stands all the same. */
import { domain, event, failure, open, type, type Upcast } from 'tidemark';
import { expect, test } from 'vitest';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';

const decide = (_: unknown, given: { item_id: string; cents: number }) => [
  { type: 'NOTED' as const, item_id: given.item_id },
  { type: 'PRICED' as const, ...given },
];

const thrown = (doing: Promise<unknown>): Promise<Error & { code: string; details: object }> =>
  doing.then(
    () => expect.unreachable(),
    (error: unknown) => error as never,
  );

/** The shop as a release has it. `upcast` makes the newest shape of the first one. */
function release(version: 1 | 2, upcast: Upcast = (old) => old) {
  const schema = type<{ item_id: string; cents: number }>();
  const shop = domain({
    events: {
      PRICED: version === 1 ? schema : event(schema, { version, upcast: { 1: upcast } }),
      NOTED: type<{ item_id: string }>(),
    },
  });
  const items = shop.collection('items', {
    key: 'item_id',
    initial: { cents: 0 },
    reduce: { PRICED: (_, { cents }) => ({ cents }) },
  });
  const input = type<{ item_id: string; cents: number }>();
  const reads = ({ item_id }: { item_id: string }) => ({ item: items.ref(item_id) });
  const price = shop.command('PRICE', { input, decide });
  const reprice = shop.command('REPRICE', { input, reads, decide });
  const quote = shop.command('QUOTE', { input, prepare: () => Promise.resolve(), reads, decide });
  const refuse = shop.command('REFUSE', { input, reads, decide: () => failure('NO', { because: 'so' }) });
  const commands = [price, reprice, quote, refuse] as const;
  return {
    items,
    commands,
    refuse,
    parts: { collections: [items], commands, logger: keepingLogger(), reduction: 'off' },
  } as const;
}

onLocalStores('events that this code can’t read', (makeStore) => {
  const input = { item_id: 'i1', cents: 5 };
  const broken = release(2, () => {
    throw new RangeError('no such price');
  });

  test.each([
    ['newer than the code', release(2), release(1), 'DomainOutdated'],
    ['of which an upcast fails', release(1), broken, 'UpcastFailed'],
  ])('law 1: %s: a command sent again gets its outcome, without its events', async (_, before, now, code) => {
    const store = makeStore();
    await using wrote = await open({ store, ...before.parts });
    const outcomes = [];
    for (const command of before.commands) outcomes.push(await wrote.execute(command, input, { id: command.name }));
    // Also a server that has nothing in its cache.
    for (let server = 0; server < 2; server += 1) {
      await using app = await open({ store, ...now.parts });
      for (const [index, command] of now.commands.entries()) {
        const { events, ...first } = outcomes[index]!;
        const again = await app.execute(command, input, { id: command.name });
        const outcome = await app.outcome(command.name);
        expect(outcome).toEqual(again);
        // The second event of each is the one; a failure is read as it was.
        const details = expect.objectContaining({ type: 'PRICED', position: first.position });
        const unread = { events: [], unreadable: expect.objectContaining({ code, details }) };
        expect(again).toEqual({ ...first, replayed: true, ...(command === now.refuse ? { events } : unread) });
        expect('unreadable' in again).toBe(command !== now.refuse);
        expect(JSON.parse(JSON.stringify(again)).unreadable?.code).toBe(command === now.refuse ? undefined : code);
      }
      await expect(app.execute(now.commands[0], { ...input, cents: 6 }, { id: 'PRICE' })).rejects.toMatchObject({
        code: 'CommandIdReused',
      });
    }
  });

  test.each([
    ['newer than the code', release(2), release(1), 'DomainOutdated'],
    ['of which an upcast fails', release(1), broken, 'UpcastFailed'],
  ])('%s: whatever reads them says where they are, and of which document', async (_, before, now, code) => {
    const store = makeStore();
    await using wrote = await open({ store, ...before.parts });
    await wrote.execute(before.commands[0], { item_id: 'sound', cents: 1 }, { id: 'a' });
    await using app = await open({ store, ...now.parts });
    await wrote.execute(before.commands[0], input, { id: 'b' });
    const document = { collection: 'items', id: 'i1', version: 2 };
    const readings = {
      get: () => app.get(now.items, 'i1'),
      // What fails of the user's own code is recorded.
      ...(code === 'DomainOutdated' && { execute: () => app.execute(now.commands[1], input) }),
      history: () => collect(app.history(now.items, 'i1')),
      events: () => collect(app.events({ after: 2 })),
    };
    for (const [name, reading] of Object.entries(readings)) {
      const error = await thrown(reading());
      expect([name, error.code]).toEqual([name, code]);
      expect(error.details).toMatchObject({ type: 'PRICED', position: 4 });
      expect(error.message).toContain('position 4');
      expect(error.message).toContain('items "i1"');
      expect(error.details).toMatchObject(document);
    }
    // It meets another first.
    const { problems } = await app.verify().catch((error: { message: string }) => ({ problems: [error] }));
    expect(problems[0]!.message).toMatch(/position 2 .*items "sound"/);
  });
});
