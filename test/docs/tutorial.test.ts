/** The tutorial, done as it says: its files are written, its programs are run in its order, and print what it says. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase } from '../support/postgres.ts';
import { blocksOf, folderFor, isCode } from './pages.ts';
import { ENV } from './written.ts';

const folder = folderFor('tutorial');
const database = testDatabase();
const blocks = blocksOf('docs/tutorial.md');

beforeAll(() => void mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `node …` as the reader would, with the sources in the place of the installed package. */
function run(command: string): string {
  const [, ...args] = command.split(' ');
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    env: { ...ENV, NODE_OPTIONS: '--conditions=@tidemark/source', DATABASE_URL: database.url },
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0 || stderr !== '') throw new Error(`${command} ended with ${status}: ${stderr}`);
  return stdout;
}

interface Step {
  readonly command: string;
  readonly printed: string;
  /** What the page says that it prints last. */
  readonly promised: string;
}

/** Does what the page says, from the top to the bottom. */
function followed(): Step[] {
  const steps: Step[] = [];
  for (const { language, name, code } of blocks) {
    if (name !== undefined) writeFileSync(join(folder, name), code);
    else if (language === 'sh' && code.startsWith('node '))
      steps.push({ command: code.trim(), printed: run(code.trim()), promised: '' });
    else if (language === 'text') steps.push({ ...steps.pop()!, promised: code });
  }
  return steps;
}

/** Eight programs, one after the other: on a busy machine each takes seconds to start. */
const ALL_MS = 240_000;

test('each program prints what the page says', { timeout: ALL_MS }, () => {
  expect(blocks.filter((block) => isCode(block) && block.name === undefined)).toEqual([]);
  const steps = followed();
  expect(steps.map(({ command }) => command)).toEqual([
    'node first.ts',
    'node --test',
    'node plan.ts',
    'node plan.ts',
    'node race.ts',
    'node second.ts',
    'node plan.ts',
    'node race.ts',
  ]);
  const [tests] = steps.splice(1, 1);
  expect(tests!.printed).toMatch(/pass 1\b/);
  expect(steps.filter(({ promised }) => promised === '')).toEqual([]);
  expect(steps.filter(({ printed, promised }) => !printed.endsWith(promised))).toEqual([]);
});
