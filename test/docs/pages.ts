/** The pages of the documentation and the code blocks in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/**
 * A folder for programs of the pages. Within the package, so that they find it by its name; not under `test`, where what a killed
 * run has left would be taken for tests.
 */
export const folderFor = (name: string): string => join(ROOT, `.docs-${name}-${process.pid}`);

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** README.md, ARCHITECTURE.md and every page under docs/, as paths from the root. */
export const PAGES: readonly string[] = [
  'README.md',
  'ARCHITECTURE.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path.replaceAll('\\', '/')}`)
    .sort(),
];

export interface Block {
  readonly page: string;
  readonly language: string;
  readonly code: string;
  /** The name in a first line like `// market.ts`: other blocks of the page can import it. */
  readonly name: string | undefined;
  /** Where it is written to. */
  readonly file: string;
}

/** Every fenced block of a page, in its order. A name that comes a second time gets a file of its own. */
export function blocksOf(page: string, text: string = read(page)): Block[] {
  const used = new Set<string>();
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```/gm)].map(([, language = '', code = ''], index) => {
    const name = /^\/\/ ([\w.-]+\.[jt]s)\n/.exec(code)?.[1];
    const file = name === undefined || used.has(name) ? `block-${index}.ts` : name;
    used.add(file);
    return { page, language, code, name, file };
  });
}

export const isCode = ({ language }: Block): boolean => ['ts', 'js'].includes(language);

/** The examples in the doc comments of `src`, as pages. */
export function commentBlocks(): Block[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.includes('.test'))
    .flatMap((path) => blocksOf(`src/${path}`, commentsOf(read(`src/${path}`))));
}

/** The text of doc comments, without the stars. */
const commentsOf = (source: string): string =>
  [...source.matchAll(/^ *\/\*\*[^]*?\*\//gm)].map(([comment]) => comment.replaceAll(/^ *\* ?/gm, '')).join('\n');

/** What a block says that it prints: `console.log(…); // 5`. */
export const promisesOf = ({ code }: Block): string[] =>
  [...code.matchAll(/console\.log\([^]*?\);(?: \/\/ (.+))?$/gm)].flatMap(([, said]) => said ?? []);
