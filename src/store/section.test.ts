/** Law 2 in an exclusive section: after an append that threw, or once the transaction is lost, nothing runs any more. */
import { expect, test } from 'vitest';
import { Closed } from '../errors.ts';
import { Section, type Offered, type SectionRules } from './section.ts';
import type { Batch, Locked } from './store.ts';

/** A section whose first append fails, and what it was asked. */
function failing(rules: SectionRules = {}) {
  const asked: string[] = [];
  const offered = new Proxy({} as Offered, {
    get: (_, call: string) => () => {
      asked.push(call);
      if (call === 'append' || call === 'read') throw new Error(`the disk is full (${call})`);
      return undefined;
    },
  });
  return { asked, section: new Section(offered, rules) };
}

const caught = (doing: Promise<unknown>): Promise<unknown> => doing.catch((error: unknown) => error);
const batch = {} as Batch;

/** Reads, which fails, and goes on. */
async function goesOn(locked: Locked): Promise<unknown> {
  await caught(locked.read({ limit: 1 }));
  return locked.ledger([]);
}

test('law 2: after an append that threw nothing is asked of the store, and nothing is committed, also if the error was caught', async () => {
  const { asked, section } = failing();
  const told: unknown[] = [];
  const work = async (locked: Locked): Promise<string> => {
    told.push(await caught(locked.append(batch)), await caught(locked.append(batch)), await caught(locked.ledger([])));
    return 'done';
  };
  await expect(section.run(work)).rejects.toThrow('the disk is full (append)');
  expect(told.map(String)).toEqual(Array(3).fill('Error: the disk is full (append)'));
  expect(asked).toEqual(['append']);
});

test('law 2: so it is after a read by which the transaction was lost, and not after another', async () => {
  const lost = failing({ loses: () => true });
  await expect(lost.section.run(goesOn)).rejects.toThrow('the disk is full (read)');
  expect(lost.asked).toEqual(['read']);
  const kept = failing({ loses: () => false });
  await kept.section.run(goesOn);
  expect(kept.asked).toEqual(['read', 'ledger']);
});

test('a call that comes when it is over is refused', async () => {
  const { asked, section } = failing();
  let late: Locked | undefined;
  await section.run(async (locked) => void (late = locked));
  await expect(late!.ledger([])).rejects.toThrow(Closed);
  expect(asked).toEqual([]);
});
