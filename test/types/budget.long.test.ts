/**
 * What it costs to type-check a domain of 300 events, 60 collections and 300 commands: an editor checks it at every
 * keystroke. Counted in type instantiations, which don't depend on the machine, and in bytes of declarations: a
 * collection's type must not carry the domain's events (that was once 81 KB for each exported collection).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const EVENTS = 300;
const COLLECTIONS = 60;
/** Measured: 5.4 million (checked in 4 to 14 s), of which 3.3 in matching decisions to events, 0.5 keys to reducers. */
const INSTANTIATIONS_MAX = 6_100_000;
/** Of declarations for one collection and one command; measured: 150 and 377. */
const DECLARATION_BYTES_MAX = 700;

const folder = join(import.meta.dirname, `.generated-${process.pid}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function source(): string {
  const lines = [
    "import { domain, failure } from 'tidemark';",
    "import * as z from 'zod';",
    'export const large = domain({ events: {',
  ];
  for (let n = 0; n < EVENTS; n += 1) {
    lines.push(
      `  EVENT_${n}: z.object({ id_${n % COLLECTIONS}: z.string(), other_id: z.string(), amount: z.int(), lines: z.array(z.object({ sku: z.string(), qty: z.int() })), note_${n}: z.string().optional() }),`,
    );
  }
  lines.push('} });');
  for (let n = 0; n < COLLECTIONS; n += 1) {
    // Every other one has a template, and all have indexes.
    const key = n % 2 === 0 ? `['id_${n}', 'other_id']` : `'{id_${n}}/{other_id}'`;
    lines.push(
      `export const c${n} = large.collection('c${n}', { key: ${key}, indexes: ['sum', ['last', 'sum']], initial: { sum: 0, last: '' }, reduce: {`,
    );
    for (let e = n; e < EVENTS; e += COLLECTIONS)
      lines.push(`  EVENT_${e}: (s, e) => ({ ...s, sum: s.sum + e.amount, last: e.note_${e} ?? s.last }),`);
    lines.push('} });');
  }
  for (let n = 0; n < EVENTS; n += 1) {
    const c = n % COLLECTIONS;
    lines.push(
      `export const do${n} = large.command('DO_${n}', { input: z.object({ id_${c}: z.string(), amount: z.int() }), reads: (i) => ({ doc: c${c}.ref(i.id_${c}) }),`,
    );
    lines.push(
      `  decide: ({ doc }, i) => doc.state.sum > 100 ? failure('FULL') : { type: 'EVENT_${n}', ...i, other_id: 'o', lines: [{ sku: 's', qty: 1 }] } });`,
    );
  }
  return lines.join('\n');
}

test('a domain of 300 events checks within its budget', () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'large.ts'), source());
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../../tsconfig.json',
      compilerOptions: {
        noEmit: false,
        emitDeclarationOnly: true,
        declaration: true,
        outDir: 'out',
        rootDir: '../../..',
      },
      include: ['large.ts'],
    }),
  );
  const said = execFileSync('tsc', ['-p', folder, '--extendedDiagnostics'], { encoding: 'utf8', timeout: 120_000 });
  const instantiations = Number(/^Instantiations:\s+(\d+)/m.exec(said)?.[1]);
  expect(instantiations).toBeGreaterThan(10_000);
  expect(instantiations).toBeLessThan(INSTANTIATIONS_MAX);

  const declarations = readFileSync(join(folder, 'out/test/types', folder.split('/').at(-1)!, 'large.d.ts'), 'utf8');
  const collection = /export declare const c7: [^]*?;\n(?=export)/.exec(declarations)?.[0];
  const command = /export declare const do7: [^]*?;\n(?=export)/.exec(declarations)?.[0];
  expect(collection?.length).toBeLessThan(DECLARATION_BYTES_MAX);
  expect(command?.length).toBeLessThan(DECLARATION_BYTES_MAX);
  if (process.env['TIDEMARK_BUDGET']) process.stdout.write(`${said}\n${collection}\n${command}\n`);
});
