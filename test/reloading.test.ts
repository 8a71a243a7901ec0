/** The code of docs/how-to/hot-reload.md, where modules are loaded again: by a development server of Vite's, and side by side. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { blocksOf, folderFor } from './docs/pages.ts';

const folder = folderFor('reloading');
const blocks = new Map(blocksOf('docs/how-to/hot-reload.md').map(({ file, code }) => [file, code]));
const was = process.cwd();

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  for (const [file, code] of blocks) write(file, code);
  process.chdir(folder);
});
beforeEach(() => write('shops.ts', blocks.get('shops.ts')!));
afterAll(() => {
  process.chdir(was);
  rmSync(folder, { recursive: true, force: true });
});

const write = (file: string, code: string): void => writeFileSync(join(folder, file), code);

/** A development server: its modules are its own, `globalThis` is everybody's. */
async function developing(): Promise<ViteDevServer> {
  const server = await createServer({
    configFile: false,
    root: folder,
    appType: 'custom',
    logLevel: 'silent',
    // Told by us what has changed: when the system's watching says so, and how often, differs with the machine's load.
    server: { middlewareMode: true, ws: false, watch: null },
    ssr: { noExternal: ['tidemark'], resolve: { conditions: ['@tidemark/source', 'node', 'default'] } },
  });
  onTestFinished(() => server.close());
  return server;
}

// eslint-disable-next-line typescript/no-explicit-any -- what a module of the page exports
type Module = Record<string, any>;
const load = (server: ViteDevServer, file: string): Promise<Module> => server.ssrLoadModule(`/${file}`);

const PATIENT = { timeout: 20_000 };

/** Writes the definitions anew, with shops of that name, and waits until the server has dropped what it had evaluated. */
async function change(server: ViteDevServer, name: string): Promise<void> {
  const before = await load(server, 'shops.ts');
  write(
    'shops.ts',
    blocks.get('shops.ts')!.replace("type: 'OPENED', ...input", `type: 'OPENED', ...input, name: '${name}'`),
  );
  server.watcher.emit('change', join(folder, 'shops.ts'));
  await vi.waitFor(async () => expect(await load(server, 'shops.ts')).not.toBe(before), PATIENT);
}

test('in a development server: what was changed is what decides, and nothing has to be started again', async () => {
  const server = await developing();
  const { handle } = await load(server, 'handler.ts');
  expect(await handle('s1', 'Anvils')).toBe(1);
  await change(server, 'changed');
  const later = await load(server, 'handler.ts');
  expect(later['handle']).not.toBe(handle);
  expect(await later['handle']('s2', 'Bells')).toBe(2);
  expect(await later['handle']('s1', 'Bells')).toBe('TAKEN');
  const { app } = await load(server, 'app.ts');
  const { shops } = await load(server, 'shops.ts');
  expect((await (await app()).get(shops, 's2')).state).toEqual({ name: 'changed' });
  // Evaluated side by side, as Next.js does for each route: whoever is old goes on as well.
  const beside = await developing();
  expect(await (await load(beside, 'handler.ts'))['handle']('s3', 'Cakes')).toBe(4);
  expect(await handle('s4', 'Dice')).toBe(5);
  expect(await later['handle']('s5', 'Eels')).toBe(6);
});

test('in Vite: the application before is closed', async () => {
  const server = await developing();
  const before = await load(server, 'app-vite.ts');
  const { openShop } = await load(server, 'shops.ts');
  const app = await before['app']();
  await app.execute(openShop, { shop_id: 'v1', name: 'Vans' });
  await change(server, 'twice');
  const after = await load(server, 'app-vite.ts');
  await vi.waitFor(async () => expect((await app.status()).state).toBe('closed'), PATIENT);
  const { openShop: again, shops } = await load(server, 'shops.ts');
  await (await after['app']()).execute(again, { shop_id: 'v2', name: 'Vines' });
  expect((await (await after['app']()).get(shops, 'v2')).state).toEqual({ name: 'twice' });
  await (globalThis as { closeShops?: () => Promise<void> }).closeShops!();
});

test('control: an application that is kept says why it doesn’t know what was loaded again', async () => {
  const server = await developing();
  const { app } = await load(server, 'app.ts');
  const kept = await app();
  await change(server, 'kept');
  const { openShop, shops } = await load(server, 'shops.ts');
  const reloaded = { details: { reloaded: true }, message: expect.stringContaining('loaded again') };
  await expect(kept.execute(openShop, { shop_id: 'k', name: 'K' })).rejects.toMatchObject({
    code: 'UnknownCommand',
    ...reloaded,
  });
  await expect(kept.get(shops, 'k')).rejects.toMatchObject({ code: 'UnknownCollection', ...reloaded });
});

test('whoever follows the log is ended by the next evaluation: each event is dealt with once', async () => {
  const server = await developing();
  const sent: string[] = [];
  const following: Promise<void>[] = [];
  for (const time of ['first', 'second', 'third']) {
    if (time !== 'first') await change(server, time);
    const { mailing } = await load(server, 'mailing.ts');
    following.push(mailing((name: string) => void sent.push(name)));
    await Promise.all(following.slice(0, -1));
  }
  const { handle } = await load(server, 'handler.ts');
  await vi.waitFor(() => expect(sent.length).toBeGreaterThan(0), PATIENT);
  await handle('f1', 'Fish');
  await vi.waitFor(() => expect(sent.filter((name) => name === 'third')).toHaveLength(1), PATIENT);
  (globalThis as { mailing?: AbortController }).mailing!.abort();
  await Promise.all(following);
  expect(sent.filter((name) => name === 'third')).toHaveLength(1);
});

test('in tests', () => {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_TEST)/.test(name)));
  const said = execFileSync(process.execPath, ['--conditions=@tidemark/source', '--test', 'shops.test.ts'], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  expect(said).toMatch(/pass 1\b/);
});
