/**
 * A process that runs the code of pages: each page in a folder of its own, its blocks one after the other. What to run comes
 * by stdin as JSON; what each block printed, and what went wrong, goes to stdout.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format, inspect } from 'node:util';

export interface PageToRun {
  readonly folder: string;
  readonly files: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ran {
  readonly folder: string;
  readonly file: string;
  readonly printed: readonly string[];
  readonly error?: string;
}

const BLOCK_MS = 30_000;
const ran: Ran[] = [];
let failed: (error: unknown) => void = () => {};
process.on('unhandledRejection', (error) => failed(error));

for (const { folder, files, env } of JSON.parse(readFileSync(0, 'utf8')) as PageToRun[]) {
  process.chdir(folder);
  Object.assign(process.env, env);
  for (const file of files) ran.push(await run(folder, file));
}
process.stdout.write(JSON.stringify(ran), () => process.exit(0));

async function run(folder: string, file: string): Promise<Ran> {
  const printed: string[] = [];
  // oxlint-disable-next-line no-console -- what the page prints is kept
  console.log = (...said: unknown[]) => void printed.push(...format(...said).split('\n'));
  const wrong = Promise.withResolvers<never>();
  failed = wrong.reject;
  const timer = setTimeout(() => wrong.reject(new Error(`not done after ${BLOCK_MS} ms`)), BLOCK_MS);
  try {
    await Promise.race([import(pathToFileURL(join(folder, file)).href), wrong.promise]);
    return { folder, file, printed };
  } catch (error) {
    return { folder, file, printed, error: inspect(error) };
  } finally {
    clearTimeout(timer);
  }
}
