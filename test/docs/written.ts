/** Pages as folders of files, which are type-checked and run as they stand. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocksOf, folderFor, isCode, promisesOf, ROOT, type Block } from './pages.ts';
import type { PageToRun, Ran } from './run-pages.ts';

/** The file that pages import without having it: the domain that the tutorial makes. */
const SHARED = 'workshops.ts';
/** What a user's program gets: nothing of the test framework's. */
export const ENV = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_TEST|NODE_OPTIONS)/.test(name)),
);
/** Node with the package's sources in the place of what would be installed. */
export const NODE: readonly [string, ...string[]] = [process.execPath, '--conditions=@tidemark/source'];

export class WrittenPages {
  readonly #folder: string;

  constructor(name: string) {
    this.#folder = folderFor(name);
    mkdirSync(this.#folder, { recursive: true });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  folderOf(page: string): string {
    return join(this.#folder, page.replaceAll(/\W/g, '-'));
  }

  write(blocks: readonly Block[]): void {
    for (const { page, file, code } of blocks) {
      const folder = this.folderOf(page);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, file), `${code}\nexport {};\n`);
    }
    const without = blocks.filter(
      ({ page, code }) =>
        code.includes(`'./${SHARED}'`) && !blocks.some((other) => other.page === page && other.file === SHARED),
    );
    const shared = blocksOf('docs/tutorial.md').find(({ name }) => name === SHARED);
    for (const page of new Set(without.map(({ page }) => page)))
      writeFileSync(join(this.folderOf(page), SHARED), shared!.code);
  }

  /** What the compiler has against them; empty if nothing. */
  typeErrors(): string {
    writeFileSync(
      join(this.#folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../tsconfig.json',
        compilerOptions: { noUnusedLocals: false },
        include: ['**/*.ts'],
      }),
    );
    try {
      return execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', this.#folder], {
        encoding: 'utf8',
        cwd: ROOT,
      });
    } catch (error) {
      return (error as { stdout?: string }).stdout ?? String(error);
    }
  }

  /** Runs the code of pages in one process; what each block printed, by page and file. */
  run(blocks: readonly Block[], envOf: (page: string) => Record<string, string> = () => ({})): Map<string, Ran> {
    const pages = Map.groupBy(blocks.filter(isCode), ({ page }) => page);
    const asked: PageToRun[] = [...pages].map(([page, own]) => ({
      folder: this.folderOf(page),
      files: own.map(({ file }) => file),
      env: envOf(page),
    }));
    const [node, ...conditions] = NODE;
    const said = execFileSync(node, [...conditions, join(import.meta.dirname, 'run-pages.ts')], {
      input: JSON.stringify(asked),
      env: ENV,
      encoding: 'utf8',
      timeout: 120_000,
    });
    return new Map((JSON.parse(said) as Ran[]).map((one) => [join(one.folder, one.file), one]));
  }

  /** How a block ended: its error, and what it says that it prints and didn't, in that order. */
  faultsOf(block: Block, ran: ReadonlyMap<string, Ran>): { error: string | undefined; missing: string[] } {
    const { printed, error } = ran.get(join(this.folderOf(block.page), block.file))!;
    let at = 0;
    const missing = promisesOf(block).filter((promise) => {
      const found = printed.indexOf(promise, at);
      if (found !== -1) at = found + 1;
      return found === -1;
    });
    return { error, missing: missing.length > 0 ? [...missing, '— printed:', ...printed.slice(0, 20)] : [] };
  }
}
