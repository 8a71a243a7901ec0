/** The programs of docs/how-to/back-up-sqlite.md, as they stand there: a backup is whole, is made beside servers at work, and can be looked at. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { blocksFrom, made, whole } from './docs/backed-up.ts';
import { blocksOf, folderFor } from './docs/pages.ts';
import { NODE } from './docs/written.ts';
import { temporaryFolder } from './support/stores.ts';

const programs = [...blocksFrom('ts', '// backup.ts'), ...blocksFrom('ts', '// pages.ts')];
const folder = temporaryFolder();

test('the page has the programs', () => {
  expect(programs).toHaveLength(2);
});

test.each(programs)('while servers run, by Node: %s', async (code) => {
  const { app, cwd } = await made(folder);
  const status = await app.status();
  writeFileSync(join(cwd, 'program.mts'), code);
  execFileSync(process.execPath, ['program.mts'], { cwd, stdio: 'pipe' });
  await whole(cwd, status);
  await app.close();
});

test('a look at a backup finds what it holds, and that it lacks what was noted later', () => {
  // In the package's folder: the program finds the package by its name.
  const cwd = folderFor('backups');
  mkdirSync(cwd, { recursive: true });
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  const workshops = blocksOf('docs/tutorial.md').find(({ name }) => name === 'workshops.ts')!;
  writeFileSync(join(cwd, 'workshops.ts'), workshops.code);
  writeFileSync(join(cwd, 'look.ts'), blocksFrom('ts', '// look.ts')[0]!);
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
