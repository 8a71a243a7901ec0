/**
 * The file's own tables, with anything in them: whatever is asked of such a log ends, with an answer or with an error of
 * ours; and what has changed in it is found at opening or by verify (law 9).
 */
/* eslint-disable no-console -- the seed and what was met */
/* eslint-disable vitest/valid-expect -- a message */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { Chance } from '../../src/testing/conformance/random.ts';
import { foreignErrors } from '../damage/asking.ts';
import { openAndVerify } from '../damage/flips.ts';
import { changes, rowsOf, type Rows } from '../damage/rows.ts';
import { makeShopLog } from '../damage/shop-log.ts';
import { isAll } from '../support/setting.ts';
import { temporaryFolder } from '../support/stores.ts';
import { runs, SEED, drawn } from './seed.ts';
import { damage, damages, REMADE, type Damage } from './tables.ts';

const folder = temporaryFolder();
const sound = join(folder, 'sound.db');
const file = join(folder, 'damaged.db');
let before: Rows;

beforeAll(async () => {
  console.log(`tables: seed ${SEED}`);
  await makeShopLog(sound);
  before = rowsOf(sound);
});

function copied(): string {
  // Written over, it would be the same file for a connection that isn't closed yet, which SQLite shares its memory with.
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
  copyFileSync(sound, file);
  return file;
}

/** Whether any row differs; a file that plain SQL can't read any more differs too. */
function differs(): boolean {
  try {
    return changes(before, rowsOf(file)).length > 0;
  } catch {
    return true;
  }
}

/** SQL for whether a value is one of a count or a time. */
const inRange = (value: string): string => `typeof(${value}) = 'integer' AND ${value} BETWEEN 0 AND ${2 ** 53 - 1}`;

/** Settings that the registry may have had, as nothing else depends on them: counts, and when something was used. */
function possible({ table, column, made }: Damage): boolean {
  const isSetting = table === 'meta' && column === 'value';
  if (!isSetting && column !== 'used_at' && !(table === 'keyings' && column === 'filled')) return false;
  if (made !== 'as it is') return false;
  const database = new DatabaseSync(file, { readOnly: true });
  const sql = isSetting
    ? `SELECT min(${inRange('value')}) AND max(value) FILTER (WHERE name = 'last') >=
         (SELECT max(id, document_set) FROM definitions ORDER BY document_set DESC LIMIT 1) AS may_be FROM meta`
    : `SELECT min(${inRange(column)}) AS may_be FROM ${table}`;
  const row = database.prepare(sql).get();
  database.close();
  return row?.['may_be'] === 1;
}

const tally = { done: 0, found: 0 };

test('law 9: any value of any type in any column: found, and nothing but our errors surfaces', async () => {
  const broken = async (one: Damage): Promise<void> => {
    if (!damage(copied(), one)) return;
    const live = differs() && !possible(one);
    if (live) tally.done += 1;
    expect(await foreignErrors(file)).toEqual([]);
    if (!live) return;
    expect(damage(copied(), one)).toBe(true);
    const found = await openAndVerify(file);
    expect(found.length, 'nothing was found').toBeGreaterThan(0);
    tally.found += 1;
  };
  await fc.assert(fc.asyncProperty(damages, broken), drawn(40, 200));
  expect(tally.found).toBe(tally.done);
  expect(tally.done).toBeGreaterThan(runs(40, 200) / 4);
  console.log(`tables: ${JSON.stringify(tally)}`);
}, 600_000);

test('law 9: a position that comes back as another than it is doesn’t keep anybody looking for ever', async () => {
  // Bytes that are no UTF-8 are read as U+FFFD, which sorts before them.
  const one: Damage = { table: 'events', column: 'position', value: "CAST(x'ff' AS TEXT)", row: 145, made: 'loose' };
  expect(damage(copied(), one)).toBe(true);
  expect(await foreignErrors(file)).toEqual([]);
  expect(damage(copied(), one)).toBe(true);
  expect((await openAndVerify(file)).length).toBeGreaterThan(0);
});

test('law 9: a table that is missing, or was made otherwise, or is something else', async () => {
  const missed: string[] = [];
  // All of them, or as many as there is time for: others with each seed.
  const chance = new Chance(SEED);
  for (const sql of REMADE.filter(() => isAll || chance.once(4))) {
    const change = (): void => {
      const database = new DatabaseSync(copied());
      database.exec(sql);
      database.close();
    };
    change();
    const found = await openAndVerify(file);
    if (found.length === 0) missed.push(sql);
    change();
    expect(await foreignErrors(file), sql).toEqual([]);
  }
  expect(missed).toEqual([]);
});

test('control: a sound copy is answered in full, and a damage is told from none', async () => {
  copied();
  expect(differs()).toBe(false);
  expect(await openAndVerify(file)).toEqual([]);
  expect(damage(copied(), { table: 'events', column: 'json', value: `'{}'`, row: 3, made: 'as it is' })).toBe(true);
  expect(differs()).toBe(true);
});

test('law 9: a set of documents that the registry names and the store doesn’t have keeps nobody asking for ever', async () => {
  const one: Damage = { table: 'sets', column: 'number', value: '-624860031', row: undefined, made: 'bare' };
  expect(damage(copied(), one)).toBe(true);
  expect(await foreignErrors(file)).toEqual([]);
  expect(damage(copied(), one)).toBe(true);
  expect((await openAndVerify(file)).length).toBeGreaterThan(0);
});
