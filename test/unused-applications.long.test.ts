/** What docs/how-to/hot-reload.md says of applications that are no longer used. Linux shows which files a process has open. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blocksOf, folderFor } from './docs/pages.ts';

const folder = folderFor('unused');

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  const shops = blocksOf('docs/how-to/hot-reload.md').find(({ name }) => name === 'shops.ts')!;
  writeFileSync(join(folder, 'shops.ts'), shops.code);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('applications that are no longer used go by themselves', () => {
  writeFileSync(
    join(folder, 'unused.ts'),
    `import { readdirSync } from 'node:fs';
    import { open } from 'tidemark';
    import { sqlite } from 'tidemark/sqlite';
    import { openShop, parts, shops } from './shops.ts';
    const used = async (n: number) => {
      const app = await open({ store: sqlite('unused.db'), ...parts });
      await app.execute(openShop, { shop_id: 's' + n, name: '' });
      await app.get(shops, 's' + n);
    };
    const files = () => readdirSync('/proc/self/fd').length;
    const before = files();
    for (let n = 0; n < 20; n += 1) await used(n);
    const opened = files() - before;
    for (let n = 0; n < 20 && files() > before; n += 1) {
      globalThis.gc!();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    console.log(JSON.stringify({ opened: opened >= 20, left: files() - before }));`,
  );
  const said = execFileSync(process.execPath, ['--expose-gc', '--conditions=@tidemark/source', 'unused.ts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(JSON.parse(said)).toEqual({ opened: true, left: 0 });
});

test('of applications that were closed nothing stays', () => {
  writeFileSync(
    join(folder, 'closed.ts'),
    `import { open } from 'tidemark';
    import { memory } from 'tidemark/memory';
    import { openShop, parts, shops } from './shops.ts';
    const closed = async (n: number) => {
      const app = await open({ store: memory(), ...parts });
      await app.execute(openShop, { shop_id: 's' + n, name: '' });
      await app.close();
      return new WeakRef(app);
    };
    const refs: WeakRef<object>[] = [];
    for (let n = 0; n < 20; n += 1) refs.push(await closed(n));
    const left = () => refs.filter((ref) => ref.deref()).length;
    for (let n = 0; n < 20 && left() > 0; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      globalThis.gc!();
    }
    console.log(left());`,
  );
  const said = execFileSync(process.execPath, ['--expose-gc', '--conditions=@tidemark/source', 'closed.ts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(Number(said)).toBe(0);
});
