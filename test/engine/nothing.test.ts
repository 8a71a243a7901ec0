/** Nothing to do: a success that is in the ledger, or one that asks in so many words not to be (law 1). */
import { domain, failure, nothing, open, type } from 'tidemark';
import { given } from 'tidemark/testing';
import { describe, expect, test } from 'vitest';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';
import { UNHURRIED } from '../support/unhurried.ts';

const house = domain({ events: { SWITCHED: type<{ lamp_id: string; on: boolean }>() } });
const lamps = house.collection('lamps', {
  key: 'lamp_id',
  initial: { on: false },
  reduce: { SWITCHED: (_, { on }) => ({ on }) },
});
const input = type<{ lamp_id: string; on: boolean; record?: boolean }>();
const switchTo = house.command('SWITCH', {
  input,
  reads: ({ lamp_id }) => ({ lamp: lamps.ref(lamp_id) }),
  decide: ({ lamp }, { lamp_id, on, record = true }) =>
    lamp.state.on === on ? nothing({ record }) : { type: 'SWITCHED', lamp_id, on },
});
const blink = house.command('BLINK', {
  input: type<{ lamp_id: string }>(),
  reads: ({ lamp_id }) => ({ lamp: lamps.ref(lamp_id) }),
  decide: ({ lamp }, { lamp_id }) => ({ type: 'SWITCHED', lamp_id, on: !lamp.state.on }),
});
const parts = { collections: [lamps], commands: [switchTo, blink] } as const;
const off = { lamp_id: 'a', on: false } as const;
const unrecorded = { ...off, record: false } as const;

onLocalStores('nothing to do', (makeStore) => {
  test('law 1: succeeds, and leaves the system’s event for the ledger, attached to nothing', async () => {
    const logger = keepingLogger();
    await using app = await open({ store: makeStore(), ...parts, logger });
    const outcome = await app.execute(switchTo, off, { id: 'c1' });
    expect(outcome).toMatchObject({ status: 'succeeded', recorded: true, replayed: false, position: 1 });
    expect(outcome.events).toMatchObject([{ event: { type: '$UNCHANGED', command: 'SWITCH' }, attachments: [] }]);
    await app.execute(switchTo, { ...off, on: true });
    // Sent again it is the answer that it was then, though there would be something to do now.
    expect(await app.execute(switchTo, off, { id: 'c1' })).toMatchObject({
      position: 1,
      replayed: true,
      recorded: true,
    });
    expect((await app.get(lamps, 'a')).state.on).toBe(true);
    expect(logger.lines).toEqual([]);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('unrecorded: leaves neither event nor ledger entry, and the outcome says so', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: UNHURRIED });
    await app.execute(switchTo, { lamp_id: 'b', on: true });
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) => app.execute(switchTo, unrecorded, { id: `c${n}` })),
    );
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'succeeded', recorded: false, replayed: false, events: [], position: 1 });
    }
    expect(await app.status()).toMatchObject({ position: 1, counters: { commands: 101, succeeded: 101, batches: 1 } });
    expect(await app.outcome('c1')).toBeUndefined();
    expect(await collect(app.history(lamps, 'a'))).toEqual([]);
    // Sent again it is decided again.
    await app.execute(blink, { lamp_id: 'a' });
    expect(await app.execute(switchTo, unrecorded, { id: 'c1' })).toMatchObject({ recorded: true, position: 3 });
  });

  test('law 1: an id that has an outcome is answered by that, though there is nothing to do now', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(blink, { lamp_id: 'a' });
    const first = await app.execute(switchTo, unrecorded, { id: 'c1' });
    expect(first).toMatchObject({ recorded: true, position: 2 });
    for (const neighbours of [[], [app.execute(blink, { lamp_id: 'b' })]]) {
      const again = app.execute(switchTo, unrecorded, { id: 'c1' });
      await Promise.all(neighbours);
      expect(await again).toEqual({ ...first, replayed: true });
    }
    const other = app.execute(switchTo, { ...unrecorded, lamp_id: 'x' }, { id: 'c1' });
    await expect(other).rejects.toMatchObject({ code: 'CommandIdReused' });
  });

  test('law 5: is not said on stale ground, alone or beside commands that are stored', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await using other = await open({ store, ...parts });
    await app.get(lamps, 'a');
    await other.execute(switchTo, { lamp_id: 'a', on: true });
    // This server still has the lamp in its cache as it was: off.
    expect(await app.execute(switchTo, unrecorded)).toMatchObject({
      recorded: true,
      events: [{ event: { on: false } }],
    });
    await other.execute(switchTo, { lamp_id: 'a', on: true });
    const outcomes = await Promise.all([
      app.execute(blink, { lamp_id: 'b' }),
      app.execute(switchTo, unrecorded),
      app.execute(blink, { lamp_id: 'c' }),
    ]);
    expect(outcomes).toMatchObject([{ recorded: true }, { recorded: true }, { recorded: true }]);
    expect((await app.get(lamps, 'a')).state.on).toBe(false);
  });

  test('law 5: what is unrecorded counts what came before it in its batch, and answers only once that is stored', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: UNHURRIED });
    const outcomes = await Promise.all([
      app.execute(blink, { lamp_id: 'a' }),
      app.execute(switchTo, { lamp_id: 'a', on: true, record: false }),
      app.execute(switchTo, unrecorded),
      app.execute(switchTo, unrecorded),
    ]);
    expect(outcomes).toMatchObject([{ recorded: true }, { recorded: false }, { recorded: true }, { recorded: false }]);
    // Each at a position where what it rests on was so.
    expect(outcomes.map(({ position }) => position)).toEqual([1, 1, 2, 2]);
    expect((await app.status()).counters.batches).toBe(1);
  });

  test('under the write lock too', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: { triesMax: 1 } });
    expect(await app.execute(switchTo, unrecorded)).toMatchObject({ recorded: false });
    const both = [app.execute(blink, { lamp_id: 'b' }), app.execute(switchTo, unrecorded)];
    expect(await Promise.all(both)).toMatchObject([{ recorded: true }, { recorded: false }]);
  });

  test('is refused where a document in unchanged has changed', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const seen = await app.get(lamps, 'a');
    await app.execute(blink, { lamp_id: 'a' });
    await app.execute(blink, { lamp_id: 'a' });
    const refused = app.execute(switchTo, unrecorded, { unchanged: [seen] });
    await expect(refused).rejects.toMatchObject({ code: 'Conflict' });
  });

  test('an empty array is an error that names what to return', async () => {
    const logger = keepingLogger();
    const silent = domain({ events: { A: type<{ a_id: string }>() } }).command('SILENT', {
      input: type<{ a_id: string }>(),
      // eslint-disable-next-line typescript/no-explicit-any
      decide: (): any => [],
    });
    await using app = await open({ store: makeStore(), collections: [], commands: [silent], logger });
    const outcome = await app.execute(silent, { a_id: 'a' });
    expect(outcome).toMatchObject({ status: 'failed', reason: 'ERROR', details: { name: 'InvalidDefinition' } });
    expect((outcome.details as { message: string }).message).toContain('nothing()');
  });
});

describe('given', () => {
  test('expects nothing, recorded or not', () => {
    given([lamps]).when(switchTo, off).expect(nothing());
    given([lamps])
      .when(switchTo, unrecorded)
      .expect(nothing({ record: false }));
    expect(() => given([lamps]).when(switchTo, unrecorded).expect(nothing())).toThrow('SWITCH');
    expect(() =>
      given([lamps])
        .when(switchTo, off)
        .expect(nothing({ record: false })),
    ).toThrow('SWITCH');
    expect(() => given([lamps]).when(blink, { lamp_id: 'a' }).expect(nothing())).toThrow('SWITCHED');
    expect(() => given([lamps]).when(switchTo, off).expect(failure('NO'))).toThrow('NO');
  });
});
