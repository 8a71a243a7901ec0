/**
 * The code in README.md, in docs/ and in the examples of doc comments: type-checked as it stands, and run, unless it needs
 * machines that aren't here. (That of docs/reloading.md is run where modules are loaded again: reloading.test.ts.)
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'test', `.examples-${process.pid}`);

interface Block {
  readonly file: string;
  readonly code: string;
  readonly from: string;
}

/** Code blocks of TypeScript; a first line like `// market.ts` names a block, so that others can import it. */
function blocksOf(path: string, text: string): Block[] {
  return [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, code = ''], index) => ({
    file: /^\/\/ ([\w.-]+\.ts)\n/.exec(code)?.[1] ?? `${path.replaceAll(/\W/g, '-')}-${index}.ts`,
    code,
    from: path,
  }));
}

/** The text of doc comments, without the stars. */
const commentsOf = (source: string): string =>
  [...source.matchAll(/^ *\/\*\*[^]*?\*\//gm)].map(([comment]) => comment.replaceAll(/^ *\* ?/gm, '')).join('\n');

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.includes('.test'),
);
// A program of a user's, not one of the test framework's.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
const readme = blocksOf('README.md', readFileSync(join(root, 'README.md'), 'utf8'));
const comments = sources.flatMap((path) =>
  blocksOf(`src/${path}`, commentsOf(readFileSync(join(root, 'src', path), 'utf8'))),
);
const pages = readdirSync(join(root, 'docs'))
  .filter((path) => path.endsWith('.md'))
  .flatMap((path) => blocksOf(`docs/${path}`, readFileSync(join(root, 'docs', path), 'utf8')));

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  for (const { file, code } of [...readme, ...comments, ...pages])
    writeFileSync(join(folder, file), `${code}\nexport {};\n`);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions: { noUnusedLocals: false }, include: ['*.ts'] }),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('there is code in all of them', () => {
  expect(readme.length).toBeGreaterThan(6);
  expect(pages.length).toBeGreaterThan(4);
  expect(comments.length).toBeGreaterThan(5);
});

test('it type-checks', () => {
  try {
    expect(execFileSync('tsc', ['-p', folder], { encoding: 'utf8', cwd: root })).toBe('');
  } catch (error) {
    // What the compiler said, rather than that it failed.
    throw new Error((error as { stdout?: string }).stdout ?? String(error), { cause: error });
  }
});

describe('it runs', () => {
  const here = pages.filter(({ from }) => !['docs/postgres.md', 'docs/reloading.md'].includes(from));
  test.each([...readme, ...comments, ...here])('$from: $file', ({ file, code }) => {
    const said = execFileSync(process.execPath, ['--conditions=@tidemark/source', file], {
      cwd: folder,
      env,
      encoding: 'utf8',
      timeout: 30_000,
    });
    // What the examples say is printed, is.
    for (const [, value] of code.matchAll(/console\.log\(.*\); \/\/ (\d+|true)$/gm))
      expect(said.split('\n')).toContain(value);
  });
});
