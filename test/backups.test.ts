/**
 * The commands of docs/how-to/back-up-sqlite.md, as they stand there: a backup is whole, is made beside servers at work, can
 * be looked at, and can be put back.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open, type App } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createService, parts, services, viewService } from './support/market.ts';
import { NODE } from './docs/written.ts';
import { temporaryFolder } from './support/stores.ts';

const page = readFileSync(join(import.meta.dirname, '../docs/how-to/back-up-sqlite.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, code = '']) => code);
const running = blocks('sh').filter((code) => code.startsWith('# while servers run'));
const [copying = '', restoring = ''] = blocks('sh').filter((code) => code.startsWith('# with all servers stopped'));
const programs = blocks('ts').filter((code) => code.includes('backup.db') && !code.includes('tidemark'));

const folder = temporaryFolder();
const shell = (code: string, cwd: string): void => void execFileSync('sh', ['-euc', code], { cwd, stdio: 'pipe' });
const openAt = (cwd: string, name = 'market.db', readOnly = false) =>
  open({ store: sqlite(join(cwd, name), { readOnly }), ...parts });

/** A log with something in it, in a directory of its own. */
async function made(): Promise<{ app: Awaited<ReturnType<typeof openAt>>; cwd: string }> {
  const cwd = mkdtempSync(join(folder, 'log-'));
  const app = await openAt(cwd);
  await app.execute(createService, { service_id: 's1', quantity: 1 });
  for (let n = 0; n < 20; n += 1) await app.execute(viewService, { service_id: 's1' });
  return { app, cwd };
}

/** A backup holds all that was there, and is sound. */
async function whole(cwd: string, { position, hash }: Awaited<ReturnType<App['status']>>): Promise<void> {
  await using backup = await openAt(cwd, 'backup.db', true);
  expect(await backup.verify({ expect: { position, hash } })).toMatchObject({ ok: true, problems: [], position });
  expect((await backup.get(services, 's1')).version).toBe(position);
}

test('the page has the commands', () => {
  expect([running.length, programs.length]).toEqual([2, 2]);
  expect([copying, restoring].map((code) => code.split('\n').length)).toEqual([3, 5]);
});

describe.each(running)('while servers run: %s', (code) => {
  test('the backup is whole', async () => {
    const { app, cwd } = await made();
    const status = await app.status();
    shell(code, cwd);
    await whole(cwd, status);
    await app.close();
  });
});

test.each(programs)('while servers run, by Node: %s', async (code) => {
  const { app, cwd } = await made();
  const status = await app.status();
  writeFileSync(join(cwd, 'program.mts'), code);
  execFileSync(process.execPath, ['program.mts'], { cwd, stdio: 'pipe' });
  await whole(cwd, status);
  await app.close();
});

test('with all servers stopped; and not a moment earlier', async () => {
  const { app, cwd } = await made();
  const status = await app.status();
  expect(() => shell(copying, cwd)).toThrow('Command failed');
  expect(existsSync(join(cwd, 'backup.db'))).toBe(false);
  await app.close();
  shell(copying, cwd);
  await whole(cwd, status);
});

test('a look at a backup finds what it holds, and that it lacks what was noted later', () => {
  // In the package's folder: the program finds the package by its name.
  const cwd = mkdtempSync(join(import.meta.dirname, '.backups-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  const tutorial = readFileSync(join(import.meta.dirname, '../docs/tutorial.md'), 'utf8');
  writeFileSync(join(cwd, 'workshops.ts'), /^```ts\n(\/\/ workshops\.ts\n[^]*?)^```/m.exec(tutorial)![1]!);
  writeFileSync(
    join(cwd, 'look.ts'),
    blocks('ts').find((code) => code.startsWith('// look.ts'))!,
  );
  writeFileSync(join(cwd, 'backup.ts'), programs[0]!);
  writeFileSync(
    join(cwd, 'main.ts'),
    `import { open } from 'tidemark';
     import { sqlite } from 'tidemark/sqlite';
     import { look } from './look.ts';
     import { parts, planWorkshop } from './workshops.ts';
     await using app = await open({ store: sqlite('market.db'), ...parts });
     await app.execute(planWorkshop, { workshop_id: 'w1', teacher_id: 'ann', places: 1 });
     const noted = await app.status();
     await import('./backup.ts');
     await app.execute(planWorkshop, { workshop_id: 'w2', teacher_id: 'ann', places: 1 });
     const point = ({ position, hash }) => ({ position, hash });
     console.log(await look(point(noted)), await look(point(await app.status())));`,
  );
  const [node, ...options] = NODE;
  expect(execFileSync(node, [...options, 'main.ts'], { cwd, encoding: 'utf8', stdio: 'pipe' })).toBe('true false\n');
});

test('a backup that is put back is the log again, whatever stood there', async () => {
  const { app, cwd } = await made();
  const status = await app.status();
  shell(running[0]!, cwd);
  await app.execute(viewService, { service_id: 's1' });
  await app.close();
  // As after a server that was killed.
  writeFileSync(join(cwd, 'market.db-wal'), 'x'.repeat(100_000));
  shell(restoring, cwd);
  expect(readdirSync(cwd).sort()).toEqual(['backup.db', 'market.db', 'old']);
  await using restored = await openAt(cwd);
  expect(await restored.status()).toMatchObject({ position: status.position, hash: status.hash });
  expect(await restored.verify()).toMatchObject({ ok: true });
  expect(await restored.execute(viewService, { service_id: 's1' })).toMatchObject({ position: status.position + 1 });
  rmSync(join(cwd, 'old'), { recursive: true });
});
