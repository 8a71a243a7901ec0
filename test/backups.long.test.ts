/**
 * The commands of docs/how-to/back-up-sqlite.md, as they stand there: a backup is whole, is made beside servers at work, and can
 * be put back. They need a shell and sqlite3.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blocksFrom, made, openAt, whole } from './docs/backed-up.ts';
import { viewService } from './support/market.ts';
import { temporaryFolder } from './support/stores.ts';

const running = blocksFrom('sh', '# while servers run');
const [copying = '', restoring = ''] = blocksFrom('sh', '# with all servers stopped');
const folder = temporaryFolder();
const shell = (code: string, cwd: string): void => void execFileSync('sh', ['-euc', code], { cwd, stdio: 'pipe' });

test('the page has the commands', () => {
  expect(running).toHaveLength(2);
  expect([copying, restoring].map((code) => code.split('\n').length)).toEqual([3, 5]);
});

describe.each(running)('while servers run: %s', (code) => {
  test('the backup is whole', async () => {
    const { app, cwd } = await made(folder);
    const status = await app.status();
    shell(code, cwd);
    await whole(cwd, status);
    await app.close();
  });
});

test('with all servers stopped; and not a moment earlier', async () => {
  const { app, cwd } = await made(folder);
  const status = await app.status();
  expect(() => shell(copying, cwd)).toThrow('Command failed');
  expect(existsSync(join(cwd, 'backup.db'))).toBe(false);
  await app.close();
  shell(copying, cwd);
  await whole(cwd, status);
});

test('a backup that is put back is the log again, whatever stood there', async () => {
  const { app, cwd } = await made(folder);
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
