/** What the user's code may do that nobody expects: contained, named, recorded, and no neighbour harmed. */
import { domain, failure, open, type } from 'tidemark';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepingLogger, onLocalStores } from '../support/stores.ts';

const unhandled: unknown[] = [];
const keep = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', keep);
});
afterEach(async () => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off('unhandledRejection', keep);
  if (unhandled.length > 0) throw new AggregateError(unhandled, 'promises were left unhandled');
});

const lab = domain({
  events: { DONE: type<{ thing_id: string; next?: string }>(), ODD: type<{ thing_id: string }>() },
});
let oddAbout: unknown;
let oddState: () => unknown = () => ({});
const things = lab.collection('things', {
  key: 'thing_id',
  initial: { next: '', list: [] as number[] },
  reduce: {
    DONE: (thing, { next = '' }) => ({ ...thing, next }),
    ODD: () => oddState() as { next: string; list: number[] },
  },
});
const input = type<{ thing_id: string }>();
const late = async (): Promise<never> => Promise.reject(new Error('late'));
const unstringable: unknown = Object.create(null);
const numbered = Object.assign(new Error('x'), { name: 7, message: { odd: true } });

const commands = {
  add: lab.command('ADD', {
    input: type<{ thing_id: string; next?: string }>(),
    decide: (_, given) => ({ type: 'DONE', ...given }),
  }),
  odd: lab.command('ODD', {
    input,
    reads: (i) => ({ thing: things.ref(i.thing_id) }),
    decide: (_, i) => ({ type: 'ODD', ...i }),
  }),
  blind: lab.command('BLIND', { input, decide: (_, i) => ({ type: 'ODD', ...i }) }),
  read: lab.command('READ', {
    input,
    reads: (i) => ({ thing: things.ref(i.thing_id) }),
    decide: () => failure('READ'),
  }),
  asyncReads: lab.command('ASYNC_READS', { input, reads: late as never, decide: () => failure('NO') }),
  asyncReadsOfRefs: lab.command('ASYNC_REFS', {
    input,
    reads: (async () => ({ thing: things.ref('t') })) as never,
    decide: () => failure('NO'),
  }),
  asyncGenerator: lab.command('ASYNC_GENERATOR', {
    input,
    reads: async function* () {
      yield [things.ref('t')];
    } as never,
    decide: () => failure('NO'),
  }),
  mapReads: lab.command('MAP_READS', {
    input,
    reads: (() => new Map([['thing', things.ref('t')]])) as never,
    decide: () => failure('NO'),
  }),
  asyncAbout: lab.command('ASYNC_ABOUT', { input, decide: () => failure('WHY'), about: late as never }),
  about: lab.command('ABOUT', { input, decide: () => failure('WHY'), about: () => oddAbout as never }),
  walk: lab.command('WALK', {
    input,
    *reads(i) {
      let thing = yield* things.ref(i.thing_id);
      while (thing.state.next) thing = yield* things.ref(thing.state.next);
      return { thing };
    },
    decide: () => failure('END'),
  }),
  throwsNothing: lab.command('THROWS_NOTHING', {
    input,
    decide: () => {
      throw undefined;
    },
  }),
  throwsOdd: lab.command('THROWS_ODD', {
    input,
    decide: () => {
      throw unstringable;
    },
  }),
  throwsNumbered: lab.command('THROWS_NUMBERED', {
    input,
    decide: () => {
      throw numbered;
    },
  }),
};
const parts = { collections: [things], commands: Object.values(commands) };

onLocalStores('the user’s code', (makeStore) => {
  test.each([
    'asyncReads',
    'asyncReadsOfRefs',
    'asyncGenerator',
    'mapReads',
    'throwsNothing',
    'throwsOdd',
    'throwsNumbered',
  ] as const)('%s is recorded as $ERRORED, and its neighbour is stored', async (name) => {
    await using app = await open({ store: makeStore(), ...parts, logger: keepingLogger() });
    const [wrong, fine] = await Promise.all([
      app.execute(commands[name], { thing_id: 't' }),
      app.execute(commands.add, { thing_id: 'u' }),
    ]);
    expect(wrong).toMatchObject({ status: 'failed', reason: 'ERROR', events: [{ event: { type: '$ERRORED' } }] });
    expect(fine.status).toBe('succeeded');
  });

  test('about that is asynchronous: the failure is kept, without ids', async () => {
    await using app = await open({ store: makeStore(), ...parts, logger: keepingLogger() });
    expect(await app.execute(commands.asyncAbout, { thing_id: 't' })).toMatchObject({
      reason: 'WHY',
      events: [{ event: { type: '$FAILED' } }],
    });
  });

  test('about that gives anything but fields with ids: the failure is kept, without ids, and it is said', async () => {
    const logger = keepingLogger();
    await using app = await open({ store: makeStore(), ...parts, logger });
    const kept = { reason: 'WHY', events: [{ event: { type: '$FAILED', command: 'ABOUT', reason: 'WHY' } }] };
    const fields = 'must return a plain object';
    const odd: [unknown, string][] = [
      ['t', fields],
      [['t'], fields],
      [new Map([['thing_id', 't']]), fields],
      [
        new (class Thing {
          thing_id = 't';
        })(),
        fields,
      ],
      [null, fields],
      [undefined, fields],
      [5, fields],
      [{ thing_id: 't', reason: 'r' }, 'returned a field reason'],
      [{ details: 'd' }, 'returned a field details'],
      [{ type: 'DONE' }, 'returned a field type'],
    ];
    for (const [given, said] of odd) {
      oddAbout = given;
      logger.lines.length = 0;
      expect(await app.execute(commands.about, { thing_id: 't' })).toMatchObject(kept);
      expect(logger.lines).toMatchObject([{ level: 'error', details: { err: { code: 'InvalidDefinition' } } }]);
      expect(String((logger.lines[0]!.details as { err: unknown }).err)).toContain(said);
    }
    expect((await app.get(things, 't')).version).toBe(0);
    oddAbout = { thing_id: 't', reason: undefined, none: null };
    const { events } = await app.execute(commands.about, { thing_id: 'u' });
    expect(events[0]!.attachments).toEqual([{ collection: 'things', id: 't', version: 1 }]);
  });

  test('something on Object.prototype, as some libraries leave it there, changes nothing', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const prototype = Object.prototype as { helpers?: object };
    prototype.helpers = { on: true };
    try {
      const { events } = await app.execute(commands.add, { thing_id: 't', next: 'u' });
      expect(Object.keys(events[0]!.event)).toEqual(['type', 'thing_id', 'next']);
      expect(await app.execute(commands.read, { thing_id: 't' })).toMatchObject({ reason: 'READ' });
      expect((await app.get(things, 't')).state).toEqual({ next: 'u', list: [] });
      expect((await app.verify()).problems).toEqual([]);
    } finally {
      delete prototype.helpers;
    }
  });

  test('what is called reason or details in an input is no failure’s id', async () => {
    const domainOfReasons = domain({ events: { CANCELLED: type<{ reason: string; details: string }>() } });
    const keyed = { key: { CANCELLED: ['reason', 'details'] }, initial: {}, reduce: {} } as const;
    const reasons = domainOfReasons.collection('reasons', keyed);
    const cancel = domainOfReasons.command('CANCEL', {
      input: type<{ reason: string; details: string; late?: boolean }>(),
      decide: (_, { reason, details, late: tooLate }) =>
        tooLate ? failure('TOO_LATE', { by: 5 }) : { type: 'CANCELLED', reason, details },
    });
    await using app = await open({ store: makeStore(), collections: [reasons], commands: [cancel] });
    const moved = { reason: 'moved', details: 'away' };
    const attached = [{ id: 'moved' }, { id: 'away' }].sort((one, other) => (one.id < other.id ? -1 : 1));
    expect((await app.execute(cancel, moved)).events[0]!.attachments).toMatchObject(attached);
    const { events } = await app.execute(cancel, { ...moved, late: true });
    expect(events).toMatchObject([
      { event: { type: 'CANCEL_FAILED', reason: 'TOO_LATE', details: { by: 5 } }, attachments: [] },
    ]);
  });

  test.each([
    ['a promise', (): unknown => late()],
    [
      'a shallowly frozen state with a date in it',
      (): unknown => Object.freeze({ next: '', list: [], at: new Date(0) }),
    ],
    [
      'a cycle',
      (): unknown => {
        const state: Record<string, unknown> = { next: '', list: [] };
        state['self'] = state;
        return state;
      },
    ],
    [
      'a thrown value that can’t be made a string',
      (): unknown => {
        throw unstringable;
      },
    ],
    [
      'an error with an odd name',
      (): unknown => {
        throw numbered;
      },
    ],
  ])('a reducer that gives %s', async (_, gives) => {
    oddState = gives;
    const logger = keepingLogger();
    await using app = await open({ store: makeStore(), ...parts, logger });
    const [wrong, fine] = await Promise.all([
      app.execute(commands.odd, { thing_id: 't' }),
      app.execute(commands.add, { thing_id: 'u' }),
    ]);
    expect(wrong).toMatchObject({ reason: 'ERROR', details: { name: 'ReducerFailed' } });
    expect(fine.status).toBe('succeeded');
    await app.execute(commands.blind, { thing_id: 'v' });
    await expect(app.get(things, 'v')).rejects.toMatchObject({ code: 'ReducerFailed' });
    expect((await app.verify()).problems).toMatchObject([{ code: 'Document', id: 'v' }]);
  });

  test('a state that was frozen on its surface is frozen below it too', async () => {
    oddState = () => Object.freeze({ next: '', list: [1, 2] });
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(commands.odd, { thing_id: 't' });
    const { state } = await app.get(things, 't');
    expect(() => (state.list as number[]).pop()).toThrow(TypeError);
  });

  test('reads that go round in a circle end at the limit, also when all is in memory', async () => {
    await using app = await open({
      store: makeStore(),
      ...parts,
      logger: keepingLogger(),
      limits: { commandReadsMax: 20 },
    });
    await app.execute(commands.add, { thing_id: 'a', next: 'b' });
    await app.execute(commands.add, { thing_id: 'b', next: 'a' });
    for (let n = 0; n < 3; n += 1) {
      expect(await app.execute(commands.walk, { thing_id: 'a' })).toMatchObject({
        reason: 'ERROR',
        details: { name: 'LimitExceeded' },
      });
    }
    expect(await app.execute(commands.walk, { thing_id: 'c' })).toMatchObject({ reason: 'END' });
  });

  test('what the system says about itself is stored whatever the limit of an event', async () => {
    await using app = await open({
      store: makeStore(),
      ...parts,
      logger: keepingLogger(),
      limits: { eventBytesMax: 60 },
    });
    expect(await app.execute(commands.add, { thing_id: 't'.repeat(60) })).toMatchObject({
      reason: 'ERROR',
      details: { name: 'LimitExceeded' },
    });
    expect((await app.execute(commands.add, { thing_id: 't' })).status).toBe('succeeded');
  });

  test('an initial state that throws concerns one document', async () => {
    const fragile = domain({ events: { A: type<{ a_id: string }>() } });
    const as = fragile.collection('as', {
      key: 'a_id',
      initial: (id): { n: number } => {
        if (id === 'bad') throw new RangeError('bad');
        return { n: 0 };
      },
      reduce: { A: ({ n }) => ({ n: n + 1 }) },
    });
    const act = fragile.command('ACT', { input: type<{ a_id: string }>(), decide: (_, i) => ({ type: 'A', ...i }) });
    const see = fragile.command('SEE', {
      input: type<{ a_id: string }>(),
      reads: (i) => ({ a: as.ref(i.a_id) }),
      decide: () => failure('SEEN'),
    });
    await using app = await open({
      store: makeStore(),
      collections: [as],
      commands: [act, see],
      logger: keepingLogger(),
    });
    for (const a_id of ['a', 'bad', 'c']) await app.execute(act, { a_id });
    await expect(app.get(as, 'bad')).rejects.toMatchObject({ code: 'ReducerFailed' });
    const outcomes = await Promise.all(['a', 'bad', 'c'].map((a_id) => app.execute(see, { a_id })));
    expect(outcomes.map(({ reason }) => reason)).toEqual(['SEEN', 'ERROR', 'SEEN']);
    const { documents, problems } = await app.verify();
    expect([documents, problems.map(({ id }) => id)]).toEqual([2, ['bad']]);
  });
});
