/** The page about backups of SQLite, and logs to make them of. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { open, type App } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { expect } from 'vitest';
import { createService, parts, services, viewService } from '../support/market.ts';
import { blocksOf } from './pages.ts';

const blocks = blocksOf('docs/how-to/back-up-sqlite.md');
/** The blocks of a language whose text begins so. */
export const blocksFrom = (language: string, beginning: string): string[] =>
  blocks.filter((block) => block.language === language && block.code.startsWith(beginning)).map(({ code }) => code);

export const openAt = (cwd: string, name = 'market.db', readOnly = false) =>
  open({ store: sqlite(join(cwd, name), { readOnly }), ...parts });

/** A log with something in it, in a directory of its own. */
export async function made(folder: string): Promise<{ app: Awaited<ReturnType<typeof openAt>>; cwd: string }> {
  const cwd = mkdtempSync(join(folder, 'log-'));
  const app = await openAt(cwd);
  await app.execute(createService, { service_id: 's1', quantity: 1 });
  for (let n = 0; n < 20; n += 1) await app.execute(viewService, { service_id: 's1' });
  return { app, cwd };
}

/** A backup holds all that was there, and is sound. */
export async function whole(cwd: string, { position, hash }: Awaited<ReturnType<App['status']>>): Promise<void> {
  await using backup = await openAt(cwd, 'backup.db', true);
  expect(await backup.verify({ expect: { position, hash } })).toMatchObject({ ok: true, problems: [], position });
  expect((await backup.get(services, 's1')).version).toBe(position);
}
