/**
 * Mistakes that other systems made, each a real defect of a well-known one, and where a test shows that it isn't ours.
 * The numbers stand in the titles of the tests.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const LESSONS: Readonly<Record<number, string>> = {
  1: 'The version that guards a decision is captured after the events were read.',
  2: 'Check and write are not one atomic step.',
  3: 'Positions become visible out of order, and a reader’s checkpoint passes one that commits late.',
  4: 'A page that ends on an invisible row is taken for the end.',
  5: 'Writers of different objects conflict.',
  6: 'An unconditional append slips past a conditional one.',
  7: '“Must not exist” is taken for “no check”.',
  8: 'A repeated key is reported as a generic error, or every error as a conflict.',
  9: 'Reading the same document twice in one unit of work conflicts with itself.',
  10: 'A retry after a lost connection stores the command twice.',
  14: 'A poison event blocks everybody, or is skipped without a word.',
  16: 'A default in-memory database loses commits silently.',
  17: 'Speed is measured on storage that was not flushed.',
  18: 'A busy handler with growing sleeps starves one of two processes on a SQLite file.',
  19: '`SET synchronous_commit` on a function is undone before the commit: durable in the test, not in life.',
  20: 'A flag computed by the writer’s code is wrong as soon as two versions of it run side by side.',
  21: 'A failed command creates the object it failed on.',
  22: 'A store that went back in time is not noticed.',
  23: 'A retry that finds “not in the ledger” answers “failed”, and the first try commits a moment later.',
  24: 'Crash tests pass without any sync, since the page cache survives the process.',
  25: 'A demonstration of a race in which the racers take turns.',
  26: 'The barrier comes after the fetch, so that the first mistake can’t be seen.',
  27: 'An argument is read again after an await; the caller has changed it meanwhile.',
  28: 'What arrives frozen is taken for checked.',
  29: 'The name of a schema is baked into functions; a rename mixes two logs.',
  30: 'Two clocks that are one clock: a bound on a server’s clock that asks the same server.',
  31: 'A reader behind the end of a restored log waits, and skips what is written next.',
  32: 'A default name meets a declared one: a refusal becomes a business fact.',
  33: 'A whole batch is refused for one stale document: each server added makes all slower.',
  40: '`structuredClone`, Jest and `vm` contexts: `instanceof` across realms.',
};

/** What there is no place for yet, and why. */
const NOT_YET: Readonly<Record<number, string>> = {
  11: 'There are no snapshots.',
  12: 'Nothing is removed.',
  13: 'Nothing is removed.',
  15: 'There are no leases.',
  34: 'There are no stored documents.',
  35: 'There are no bases.',
  36: 'There are no owners of filters.',
  37: 'There are no deadlines.',
  38: 'Nothing is sent.',
  39: 'Every driver that is used tells what came of a write.',
};

const root = join(import.meta.dirname, '..');
const texts = ['test', 'src', 'simulation', 'demo', 'examples']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(root, folder, path)),
  )
  .filter((path) => /\.test\.ts$|conformance\/cases\/.*\.ts$/.test(path) && path !== import.meta.filename)
  .map((path) => readFileSync(path, 'utf8'));

/** The lessons that a title names: `lesson 4`, `lessons 1, 2 and 26`. */
const named = new Set(
  texts.flatMap((text) =>
    [...text.matchAll(/['`][^'`\n]*\blessons? ([\d, and]+)/g)].flatMap(([, list = '']) =>
      (list.match(/\d+/g) ?? []).map(Number),
    ),
  ),
);

test.each(Object.entries(LESSONS))('lesson %s has a test that names it: %s', (number) => {
  expect(named).toContain(Number(number));
});

test('each lesson is either tested or has no place yet, and none is both', () => {
  const all = [...Object.keys(LESSONS), ...Object.keys(NOT_YET)].map(Number).sort((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  expect([...named].filter((number) => number in NOT_YET)).toEqual([]);
});
