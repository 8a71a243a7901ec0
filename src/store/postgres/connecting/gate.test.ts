/** Who gets a connection, and in which order. */
import { expect, it, onTestFinished } from 'vitest';
import { Gate, type Leave } from './gate.ts';

const PATIENCE = { connectTimeoutMs: 10_000, callsWaitingMax: 10, place: 'a place' };

/** Enters in this order, and notes who was let in. At the test's end all leave: whoever still waited would fail later, elsewhere. */
function entering(gate: Gate, ...purposes: string[]): { readonly inside: string[]; readonly leave: Leave[] } {
  const inside: string[] = [];
  const leave: Leave[] = [];
  let isOver = false;
  const entered = purposes.map(async (purpose) => {
    const out = await gate.enter(purpose, PATIENCE);
    if (isOver) return out();
    inside.push(purpose);
    let isOut = false;
    leave.push(() => {
      if (!isOut) out();
      isOut = true;
    });
  });
  onTestFinished(async () => {
    isOver = true;
    for (const out of leave) out();
    await Promise.all(entered);
  });
  return { inside, leave };
}

const busy = (waiting: number) =>
  expect.objectContaining({ code: 'ConnectionsBusy', retryable: true, details: expect.objectContaining({ waiting }) });

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

it('reads leave a connection to a write, and writes one to a read', async () => {
  for (const [many, one] of [
    ['load', 'write'],
    ['write', 'load'],
  ] as const) {
    const { inside } = entering(new Gate(3), many, many, many, many, one);
    await turn();
    expect(inside).toEqual([many, many, one]);
  }
});

it('a pool of two has one for each', async () => {
  const { inside, leave } = entering(new Gate(2), 'load', 'load', 'write', 'write');
  await turn();
  expect(inside).toEqual(['load', 'write']);
  leave[1]!();
  await turn();
  expect(inside).toEqual(['load', 'write', 'write']);
});

it('kinds of reads take turns, each first come, first served; a write goes before them', async () => {
  const gate = new Gate(2);
  const first = await gate.enter('load', PATIENCE);
  const { inside, leave } = entering(gate, 'read', 'read', 'read', 'read', 'load', 'load', 'ledger', 'write', 'write');
  await turn();
  first();
  for (let n = 0; n < 9; n += 1) {
    await turn();
    leave[n]!();
  }
  await turn();
  expect(inside.filter((purpose) => purpose !== 'write')).toEqual([
    'read',
    'load',
    'ledger',
    'read',
    'load',
    'read',
    'read',
  ]);
  expect(inside.filter((purpose) => purpose === 'write')).toHaveLength(2);
});

it('whoever waits too long is told so, and so is one too many, at once; the others are let in', async () => {
  const gate = new Gate(2);
  const leave = await gate.enter('load', PATIENCE);
  const short = gate.enter('load', { ...PATIENCE, connectTimeoutMs: 20 });
  await expect(short).rejects.toThrow(busy(1));
  const patient = gate.enter('load', PATIENCE);
  await expect(gate.enter('load', { ...PATIENCE, callsWaitingMax: 1 })).rejects.toThrow(busy(1));
  // Of another kind there is room.
  const other = gate.enter('read', { ...PATIENCE, callsWaitingMax: 1 });
  leave();
  (await patient)();
  (await other)();
  (await gate.enter('load', PATIENCE))();
});

it('lets whoever pages through the log in, and leaves connections to those who don’t', async () => {
  const gate = new Gate(4);
  const { inside } = entering(gate, 'scan', 'check', 'documents', 'read', 'read', 'load', 'load');
  await turn();
  // What walks the whole log leaves one to other pages, too.
  expect(inside).toEqual(['scan', 'read', 'load']);
  const many = ['scan', 'check', 'documents', 'scan', 'check', 'read', 'read', 'read', 'read', 'read', 'load', 'load'];
  const { inside: ten } = entering(new Gate(10), ...many);
  await turn();
  expect(ten).toEqual(['scan', 'check', 'documents', 'scan', 'read', 'read', 'read', 'read', 'load']);
  const { inside: two } = entering(new Gate(2), 'scan', 'read', 'write');
  await turn();
  expect(two).toEqual(['scan', 'write']);
});
