/**
 * The code in README.md, ARCHITECTURE.md, docs/ and the examples of doc comments: type-checked as it stands and run, and
 * what it says that it prints is printed. Run elsewhere: what needs PostgreSQL (test/docs/on-postgres.test.ts), the tutorial
 * (test/docs/tutorial.test.ts), and what needs modules that are loaded again (reloading.test.ts).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocksOf, commentBlocks, isCode, PAGES, promisesOf } from './docs/pages.ts';
import type { Ran } from './docs/run-pages.ts';
import { WrittenPages } from './docs/written.ts';

const comments = commentBlocks();
const onPages = PAGES.flatMap((page) => blocksOf(page)).filter(isCode);
const all = [...onPages, ...comments];
const elsewhere = new Set([
  'docs/tutorial.md',
  'docs/how-to/hot-reload.md',
  ...onPages.filter(({ code }) => code.includes('DATABASE_URL')).map(({ page }) => page),
]);
const here = all.filter(({ page }) => !elsewhere.has(page));

const written = new WrittenPages('readme');
beforeAll(() => written.write(all));
afterAll(() => written.remove());

test('there is code in all of them', () => {
  expect(onPages.filter(({ page }) => page === 'README.md')).toHaveLength(1);
  expect(new Set(onPages.map(({ page }) => page)).size).toBeGreaterThan(15);
  expect(comments.length).toBeGreaterThan(5);
  expect(here.flatMap(promisesOf).length).toBeGreaterThan(20);
});

test('it type-checks', () => {
  expect(written.typeErrors()).toBe('');
});

describe('it runs, and prints what it says', () => {
  let ran: Map<string, Ran>;
  beforeAll(() => void (ran = written.run(here)), 120_000);

  test.each(here)('$page: $file', (block) => {
    expect(written.faultsOf(block, ran)).toEqual({ error: undefined, missing: [] });
  });

  test('control: a promise that isn’t kept, and an error, are found', () => {
    const broken = blocksOf(
      'broken.md',
      "```ts\nconsole.log(1 + 1); // 3\n```\n```ts\nthrow new Error('this one');\n```\n```ts\nvoid Promise.reject(new Error('late'));\nawait new Promise((done) => setTimeout(done, 50));\n```\n",
    );
    written.write(broken);
    const found = written.run(broken);
    const faults = broken.map((block) => written.faultsOf(block, found));
    expect(faults[0]!.missing).toContain('3');
    expect(faults.map(({ error }) => error?.match(/this one|late/)?.[0])).toEqual([undefined, 'this one', 'late']);
  });
});
