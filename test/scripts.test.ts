/** Every script of package.json tells what it does, and says in one line which option it doesn't know. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** Tools of others, which answer for themselves; and scripts that only call another of these. */
const OTHERS = /^(tsc|oxlint|prettier|vitest|npm run) /;
const ours = Object.entries(scripts).filter(([, command]) => !OTHERS.test(command));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, option: string): Promise<Ended> {
  const [program, ...args] = command.split(' ');
  expect(program, 'what isn’t a program of ours is a tool: name it above').toBe('node');
  return new Promise((resolve) => {
    execFile(process.execPath, [...args, option], { cwd: root }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

test('they are all here', () => {
  const names = ['start', 'bench', 'bench:peers', 'simulate', 'soak', 'model', 'postgres', 'build', 'test:all'];
  expect(ours.map(([name]) => name)).toEqual(expect.arrayContaining(names));
});

describe.concurrent.each(ours)('%s', (name, command) => {
  test('tells by --help how it is used', async ({ expect }) => {
    const { code, stdout, stderr } = await run(command, '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(name === 'start' ? 'npm start' : `npm run ${name}`);
    expect(stdout.split('\n').length).toBeLessThan(30);
  });

  test('refuses an option that it doesn’t know in one line', async ({ expect }) => {
    const { code, stdout, stderr } = await run(command, '--nonsense');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe("Unknown option '--nonsense'. See --help.\n");
  });
});
