/** A user's program in a bundle of esbuild's: it runs, or says what to do about the driver. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { expect, test } from 'vitest';
import { temporaryFolder } from './support/stores.ts';

const root = join(import.meta.dirname, '..');
const folder = temporaryFolder();
const NOBODY = 'postgres://role@127.0.0.1:1/shop';
const PROGRAM = `
import { postgres } from 'tidemark/postgres';
postgres('${NOBODY}', { connectTimeoutMs: 50 }).open().catch(({ code, message }) => console.log(code + ': ' + message));
`;
let places = 0;

/** A project of its own, with tidemark in it and, if it is given, with pg: a link to ours, or a file's text. */
async function said(options: BuildOptions, pg?: 'ours' | { readonly code: string }): Promise<string> {
  const place = join(folder, String((places += 1)));
  const modules = join(place, 'node_modules');
  mkdirSync(modules, { recursive: true });
  for (const part of ['package.json', 'src']) {
    cpSync(join(root, part), join(modules, 'tidemark', part), { recursive: true });
  }
  if (pg === 'ours') symlinkSync(join(root, 'node_modules/pg'), join(modules, 'pg'));
  else if (pg !== undefined) {
    mkdirSync(join(modules, 'pg'));
    writeFileSync(join(modules, 'pg/package.json'), '{ "name": "pg", "main": "index.js" }');
    writeFileSync(join(modules, 'pg/index.js'), pg.code);
  }
  writeFileSync(join(place, 'main.ts'), PROGRAM);
  const outfile = join(place, options.format === 'cjs' ? 'bundle.cjs' : 'bundle.mjs');
  await build({
    entryPoints: [join(place, 'main.ts')],
    bundle: true,
    platform: 'node',
    conditions: ['@tidemark/source'],
    logLevel: 'silent',
    outfile,
    ...options,
  });
  const { stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8', timeout: 20_000 });
  expect(stderr).toBe('');
  return stdout;
}

test('control: bundled with pg as CommonJS it gets as far as the server', async () => {
  expect(await said({ format: 'cjs' }, 'ours')).toMatch(/^StoreUnavailable: PostgreSQL can't be reached/);
});

test.each(['esm', 'cjs'] as const)('pg is missing, whether it was left out or never found: %s', async (format) => {
  const missing = 'InvalidDefinition: tidemark/postgres needs the package pg: npm install pg\n';
  expect(await said({ format, external: ['pg'] })).toBe(missing);
  // esbuild warns of it, and leaves the import as it is.
  expect(await said({ format })).toBe(missing);
});

test('pg stands in a bundle where it can’t run', async () => {
  const told = await said({ format: 'esm' }, 'ours');
  expect(told).toMatch(/^InvalidDefinition: .* out of this bundle \(Dynamic require of "events".*--external:pg/);
  expect(told).not.toMatch(/npm install/);
});

test.each([
  [
    'a part of it is missing',
    "require('pg-types')",
    /installed, but can't be loaded \(Cannot find module 'pg-types'\)/,
  ],
  ['it is something else', 'module.exports = {}', /installed, but can't be loaded \(it gives no Pool and Client\)/],
  ['it throws', "throw new Error('no luck')", /installed, but can't be loaded \(no luck\)/],
])('pg is installed, and %s', async (_, code, expected) => {
  const told = await said({ format: 'esm', external: ['pg'] }, { code });
  expect(told).toMatch(expected);
  expect(told).not.toMatch(/npm install/);
});
