/** The queue: in order, bounded, and each step costs the same however many wait. */
import { expect, test } from 'vitest';
import { seeded } from '../../../test/support/seed.ts';
import { DEFAULT_LIMITS } from '../../limits.ts';
import { Entry } from './entry.ts';
import type { Outcome } from './outcome.ts';
import { CommandQueue } from './queue.ts';
import type { Request } from './request.ts';

const entry = (id: string, bytes = 1, fingerprint = 'f', actor?: string): Entry => {
  const facts = { id, fingerprint, name: 'DO', actor };
  const made = new Entry({ command: {}, facts, bytes } as unknown as Request, undefined);
  made.promise.catch(() => undefined);
  return made;
};
const ids = (entries: readonly Entry[]): string[] => entries.map(({ id }) => id);
const outcome = (retryable?: boolean): Outcome =>
  ({ status: 'succeeded', recorded: true, replayed: false, retryable }) as unknown as Outcome;
const limited = (limits: Partial<typeof DEFAULT_LIMITS> = {}): CommandQueue =>
  new CommandQueue({ ...DEFAULT_LIMITS, ...limits });

test('takes in order, and what is given back comes first', () => {
  const queue = limited();
  for (const id of ['a', 'b', 'c', 'd', 'e']) queue.add(entry(id), undefined);
  const first = queue.take(3);
  expect(ids(first)).toEqual(['a', 'b', 'c']);
  expect(queue).toMatchObject({ waiting: 2, bytes: 2, isEmpty: false });
  queue.giveBack(first.slice(1));
  expect(ids(queue.take(10))).toEqual(['b', 'c', 'd', 'e']);
  expect(queue).toMatchObject({ waiting: 0, bytes: 0, isEmpty: true });
});

test('says which limit is in the way; a single command is let in whatever it weighs', () => {
  const queue = limited({ queueCommandsMax: 3, queueBytesMax: 10 });
  queue.add(entry('a', 20), undefined);
  expect(() => queue.add(entry('b'), undefined)).toThrow('limits.queueBytesMax');
  queue.over(queue.take(1)[0]!);
  for (const id of ['a', 'b', 'c']) queue.add(entry(id), undefined);
  expect(() => queue.add(entry('d'), undefined)).toThrow('limits.queueCommandsMax');
});

test('whoever gives up makes room at once, and nothing is kept of it', async () => {
  const queue = limited({ queueCommandsMax: 3, queueBytesMax: 3 });
  const controller = new AbortController();
  queue.add(entry('a'), undefined);
  const gaveUp = entry('b');
  queue.add(gaveUp, controller.signal);
  queue.add(entry('b'), undefined);
  controller.abort();
  await gaveUp.ended;
  expect(queue).toMatchObject({ waiting: 2, bytes: 2 });
  queue.add(entry('c'), undefined);
  expect(ids(queue.take(10))).toEqual(['a', 'b', 'c']);
  // One that was taken may be stored: it has no room to make any more.
  const taken = entry('d');
  const late = new AbortController();
  queue.add(taken, late.signal);
  queue.take(1);
  late.abort();
  expect(queue).toMatchObject({ waiting: 0, bytes: 0 });
});

test('an id that is sent again waits for what comes of it', async () => {
  const queue = limited();
  const sends = Array.from({ length: 5 }, (_, n) => entry('a', 1, n === 3 ? 'another' : 'f'));
  for (const send of sends) queue.add(send, undefined);
  const [lead, second, third, another, fifth] = sends as [Entry, Entry, Entry, Entry, Entry];
  expect(ids(queue.take(10))).toEqual(['a']);
  expect(queue.find('a')).toBe(lead);
  // What isn't final is nobody else's.
  lead.resolve(outcome(true));
  expect(queue.find('a')).toBe(second);
  expect(queue.over(lead)).toEqual([]);
  expect(queue.take(10)).toEqual([second]);
  second.resolve(outcome());
  expect(queue.over(second)).toEqual([third, fifth]);
  expect(await third.promise).toMatchObject({ replayed: true });
  // Another command by the same id is told so by the ledger.
  expect(queue.take(10)).toEqual([another]);
  another.reject(new Error('used before'));
  queue.over(another);
  expect(queue.find('a')).toBeUndefined();
  expect(queue).toMatchObject({ waiting: 0, bytes: 0, isEmpty: true });
});

/** So many of an actor's, by name and number. */
const flood = (actor: string, count: number, bytes = 1): Entry[] =>
  Array.from({ length: count }, (_, n) => entry(`${actor}${n}`, bytes, 'f', actor));

test('actors take turns where more wait than are taken, and otherwise all come in their order', () => {
  const queue = limited();
  for (const one of [...flood('a', 100), ...flood('b', 2), ...flood('c', 1)]) queue.add(one, undefined);
  const first = queue.take(6);
  expect(ids(first)).toEqual(['a0', 'b0', 'c0', 'a1', 'b1', 'a2']);
  queue.giveBack(first.slice(3));
  queue.add(entry('b9', 1, 'f', 'b'), undefined);
  expect(ids(queue.take(4))).toEqual(['a1', 'b1', 'a2', 'b9']);
  queue.add(entry('z', 1, 'f', 'c'), undefined);
  expect(ids(queue.take(1_000))).toEqual([...Array.from({ length: 97 }, (_, n) => `a${n + 3}`), 'z']);
  expect(queue).toMatchObject({ waiting: 0, bytes: 0, isEmpty: true });
});

test.each([
  ['commands', { queueCommandsMax: 10 }, 1],
  ['bytes', { queueBytesMax: 1_000 }, 100],
])(
  'of a queue that is full in %s, who holds most of it makes room for others, up to an even share',
  async (_, limits, bytes) => {
    const queue = limited(limits);
    const many = flood('a', 10, bytes);
    for (const one of many) queue.add(one, undefined);
    expect(() => queue.add(entry('more', bytes, 'f', 'a'), undefined)).toThrow('waiting already');
    for (const one of flood('b', 5, bytes)) queue.add(one, undefined);
    expect(() => queue.add(entry('b9', bytes, 'f', 'b'), undefined)).toThrow('waiting already');
    for (const one of many.slice(5)) await expect(one.promise).rejects.toMatchObject({ code: 'Overloaded' });
    expect(queue).toMatchObject({ waiting: 10, bytes: 10 * bytes });
    expect(ids(queue.take(10))).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b0', 'b1', 'b2', 'b3', 'b4']);
  },
);

test('what came back doesn’t keep others out', () => {
  const queue = limited({ queueCommandsMax: 300 });
  for (const one of flood('rude', 300)) queue.add(one, undefined);
  const taken = queue.take(200);
  for (const one of flood('more', 200)) queue.add(one, undefined);
  queue.giveBack(taken);
  expect(queue.waiting).toBe(500);
  for (const one of flood('honest', 5)) queue.add(one, undefined);
  expect(queue.waiting).toBe(500);
  expect(() => queue.add(entry('r', 1, 'f', 'rude'), undefined)).toThrow('waiting already');
});

test('among thousands of others too, who holds most makes room', async () => {
  const queue = limited({ queueCommandsMax: 3_000 });
  const many = flood('rude', 1_000);
  for (const one of many) queue.add(one, undefined);
  for (let n = 0; n < 2_000; n += 1) queue.add(entry(`h${n}`, 1, 'f', `actor${n}`), undefined);
  queue.add(entry('h', 1, 'f', 'another'), undefined);
  await expect(many.at(-1)!.promise).rejects.toMatchObject({ code: 'Overloaded' });
  expect(queue.waiting).toBe(3_000);
});

test('random callers: nobody is lost, and none comes twice', () => {
  const random = seeded();
  const below = (max: number): number => Math.floor(random() * max);
  const queue = limited({ queueCommandsMax: 200, batchCommitsMax: 50 });
  const [standing, taken] = [new Set<Entry>(), new Set<Entry>()];
  for (let step = 0; step < 20_000; step += 1) {
    const kind = below(10);
    if (kind < 5 && queue.waiting < 200) {
      const one = entry(`c${step}`, 1, 'f', `actor${below(step % 2_000 < 1_000 ? 5 : 10_000)}`);
      queue.add(one, undefined);
      standing.add(one);
    } else if (kind < 8) {
      for (const one of queue.take(1 + below(20), { inOrder: below(4) === 0 })) {
        if (!standing.delete(one)) throw new Error(`${one.id} came twice`);
        taken.add(one);
      }
    } else {
      const back = [...taken].filter(() => below(3) === 0);
      for (const one of taken) one.batchPart = below(5) / 10;
      queue.giveBack(back);
      for (const one of back) standing.add(one);
      for (const one of taken) if (!back.includes(one)) queue.over(one);
      taken.clear();
    }
    expect([queue.waiting, queue.isEmpty]).toEqual([standing.size, standing.size === 0]);
  }
  const rest: Entry[] = [];
  while (!queue.isEmpty) rest.push(...queue.take(7, { inOrder: false }));
  expect(new Set(rest)).toEqual(standing);
});

test('nobody is refused in vain for one who needs more room than that', async () => {
  const queue = limited({ queueBytesMax: 1_000 });
  const many = flood('rude', 100, 10);
  for (const one of many) queue.add(one, undefined);
  expect(() => queue.add(entry('large', 999, 'f', 'other'), undefined)).toThrow('limits.queueBytesMax');
  expect(queue.waiting).toBe(100);
  queue.add(entry('small', 95, 'f', 'other'), undefined);
  expect(queue).toMatchObject({ waiting: 91, bytes: 995 });
  await expect(many[99]!.promise).rejects.toMatchObject({ code: 'Overloaded' });
});

test('who sends one id over and over makes room for others as well', async () => {
  const queue = limited({ queueCommandsMax: 10 });
  const sends = Array.from({ length: 10 }, () => entry('a', 1, 'f', 'rude'));
  queue.add(sends[0]!, undefined);
  const [lead] = queue.take(1);
  for (const one of sends.slice(1)) queue.add(one, undefined);
  queue.giveBack([lead!]);
  lead!.tries = 1;
  for (const one of flood('honest', 5)) queue.add(one, undefined);
  for (const one of sends.slice(5)) await expect(one.promise).rejects.toMatchObject({ code: 'Overloaded' });
  expect(queue.waiting).toBe(10);
  expect(ids(queue.take(10))).toEqual(['a', 'honest0', 'honest1', 'honest2', 'honest3', 'honest4']);
});

test('who costs much has fewer turns, and loses none for what didn’t fit', () => {
  const queue = limited({ batchCommitsMax: 100 });
  for (const one of [...flood('wide', 10), ...flood('a', 10), ...flood('b', 10)]) queue.add(one, undefined);
  const first = queue.take(3, { inOrder: false });
  expect(ids(first)).toEqual(['wide0', 'a0', 'b0']);
  first[0]!.batchPart = 0.05;
  queue.over(first[0]!);
  queue.giveBack(first.slice(1));
  // Their turn comes before those of others; as many rounds are the others' as 0.05 of a batch are commands.
  expect(ids(queue.take(8, { inOrder: false }))).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
  expect(ids(queue.take(4, { inOrder: false }))).toContain('wide1');
  // Where nobody else waits, it goes on at once.
  const alone = limited();
  for (const one of flood('wide', 3)) alone.add(one, undefined);
  const [wide] = alone.take(1);
  wide!.batchPart = 1;
  alone.over(wide!);
  expect(ids(alone.take(2, { inOrder: false }))).toEqual(['wide1', 'wide2']);
});

test('those whose commands are costly have batches of their own, in turn with the others', () => {
  const queue = limited({ batchCommitsMax: 100 });
  const settle = (taken: readonly Entry[], part: number): string[] => {
    for (const one of taken) {
      one.batchPart = part;
      queue.over(one);
    }
    return ids(taken);
  };
  for (const one of flood('wide', 8)) queue.add(one, undefined);
  // Before they are known they are taken like others, all that stand there; one of them is executed at a time.
  for (const name of ['wide0', 'wide1']) {
    const [first, ...rest] = queue.take(10);
    queue.giveBack(rest);
    expect(settle([first!], 0.5)).toEqual([name]);
  }
  for (const one of [...flood('a', 2), ...flood('b', 2)]) queue.add(one, undefined);
  expect([settle(queue.take(10, { costlyMax: 1 }), 0.5), queue.lanes.isCostly, queue.waiting]).toEqual([
    ['wide2'],
    true,
    9,
  ]);
  expect([settle(queue.take(10, { costlyMax: 1 }), 0.001), queue.lanes.isCostly]).toEqual([
    ['a0', 'b0', 'a1', 'b1'],
    false,
  ]);
  // Others were there lately: they have a part of a batch.
  expect([settle(queue.take(10, { costlyMax: 1 }), 0.5), queue.lanes.isCostly, queue.lanes.part]).toEqual([
    ['wide3'],
    true,
    0.25,
  ]);
  // Some that cost little, and it is like others again.
  for (const name of ['wide4', 'wide5', 'wide6'])
    expect(settle(queue.take(10, { costlyMax: 1 }), 0.001)).toEqual([name]);
  expect([settle(queue.take(10, { costlyMax: 1 }), 0.001), queue.lanes.isCostly]).toEqual([['wide7'], false]);
});

test('a lane is known as costly after a pause, and with cheap commands in between; alone it has whole batches', () => {
  const queue = limited({ batchCommitsMax: 100 });
  const one = (id: string, part: number): boolean => {
    queue.add(entry(id, 1, 'f', 'wide'), undefined);
    const [taken] = queue.take(100);
    taken!.batchPart = part;
    queue.over(taken!);
    return queue.lanes.isCostly;
  };
  for (let n = 0; n < 3; n += 1) one(`c${n}`, 0.5);
  // Somebody else's batch in between: nobody of the lane waits.
  queue.add(entry('x', 1, 'f', 'other'), undefined);
  queue.over(queue.take(100)[0]!);
  expect(one('c4', 0.001)).toBe(true);
  for (let n = 5; n < 200; n += 1) expect(one(`c${n}`, n % 2 === 0 ? 0.001 : 0.5)).toBe(true);
  expect(queue.lanes.part).toBe(1);
});

test('what a lane owes it owes whatever the costly ones do', () => {
  const queue = limited({ batchCommitsMax: 1_000 });
  const taken = { m: 0, h: 0 };
  for (const one of [...flood('m', 4_000), ...flood('h', 4_000), ...flood('x', 100)]) queue.add(one, undefined);
  for (let n = 0; n < 120; n += 1) {
    for (const one of queue.take(40, { costlyMax: 1, inOrder: false })) {
      const { actor } = one.request.facts;
      if (actor !== 'x') taken[actor as 'm' | 'h'] += 1;
      one.batchPart = actor === 'x' ? 0.5 : actor === 'm' ? 0.03 : 0.0005;
      queue.over(one);
    }
  }
  expect(taken.h / taken.m).toBeGreaterThan(5);
});

test('a lane that becomes costly takes turns with those that were so before it, however long it had been like others', () => {
  const queue = limited({ batchCommitsMax: 100 });
  const costs = new Map([
    ['x', 0.05],
    ['y', 0],
  ]);
  const batch = (): string[] => {
    const taken = queue.take(4, { costlyMax: 1, inOrder: false });
    for (const one of taken) {
      one.batchPart = costs.get(one.request.facts.actor!) ?? 0;
      queue.over(one);
    }
    return taken.map(({ request }) => request.facts.actor!);
  };
  for (const one of [...flood('x', 1_000), ...flood('y', 2_000), ...flood('h', 2_000)]) queue.add(one, undefined);
  for (let n = 0; n < 300; n += 1) batch();
  costs.set('y', 0.05);
  const taken = Array.from({ length: 100 }, batch).filter((batchOf) => !batchOf.includes('h'));
  expect(taken.filter(([actor]) => actor === 'y').length).toBeGreaterThan(taken.length / 3);
  // And back: it owes what it would owe had it never been costly.
  costs.set('y', 0);
  costs.set('x', 0);
  for (let n = 0; n < 60; n += 1) batch();
  const all = Array.from({ length: 60 }, batch).flat();
  for (const actor of ['x', 'y', 'h']) expect(all.filter((one) => one === actor).length).toBeGreaterThan(60);
});

test('one lane has a quarter of a batch while others take turns, and all of it where it is alone', () => {
  const queue = limited({ batchCommitsMax: 100 });
  for (const one of flood('a', 300)) queue.add(one, undefined);
  expect(queue.take(100)).toHaveLength(100);
  for (const one of flood('b', 1)) queue.add(one, undefined);
  expect(queue.take(100)).toHaveLength(100);
  const taken = ids(queue.take(100));
  expect([taken.length, taken.filter((id) => id === 'b0').length]).toEqual([25, 0]);
});
