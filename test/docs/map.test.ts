/** The map of the house and the paths that the pages name are true. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blocksOf, PAGES, read, ROOT } from './pages.ts';

/** Markdown that GitHub shows and that links here. */
const pages = [...PAGES, 'bench/peers/README.md'];

/** Without fenced blocks, whose text is no link. */
const prose = (page: string): string => read(page).replaceAll(/^```[^]*?^```$/gm, '');

/** Every file and folder of the repository, but what is installed, built or hidden. */
const tree: readonly string[] = (function list(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (['node_modules', 'dist', 'coverage', '.git'].includes(entry.name)) return [];
    if (entry.name.startsWith('.') && entry.name !== '.ci') return [];
    return entry.isDirectory() ? [path].concat(list(path)) : path;
  });
})('');

/** Whether there is such a path, from the root or as the end of another; `*` stands for any one name. */
function isThere(named: string): boolean {
  const parts = named.replace(/\/$/, '').split('*');
  const pattern = new RegExp(`(^|/)${parts.map((part) => part.replaceAll('.', '\\.')).join('[^/]+')}$`);
  return tree.some((path) => pattern.test(path));
}

/** The anchors that GitHub gives a page's headings. */
const anchorsOf = (page: string): string[] =>
  [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );

describe.each(pages)('%s', (page) => {
  test('each link and each picture leads somewhere', () => {
    const links = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path).replaceAll('\\', '/');
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('each path that it names exists', () => {
    // Files that a reader makes are named by the blocks of the page, or by the tutorial's.
    const own = new Set([...blocksOf(page), ...blocksOf('docs/tutorial.md')].map(({ name }) => name));
    const named = [...prose(page).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
    const drawn = blocksOf(page)
      .filter(({ language }) => language === '')
      .flatMap(({ code }) => code.match(/[\w*./-]+\.ts\b/g) ?? []);
    const looksLikePath = /^[\w*.-]+(\/[\w*.-]+)*\/?$/;
    const paths = [...named, ...drawn].filter(
      (text) =>
        looksLikePath.test(text) &&
        (/^\.?(bench|demo|docs|examples|scripts|simulation|soak|src|test|ci)\//.test(text) ||
          /\w\.(ts|md|svg)$/.test(text)),
    );
    expect(paths.filter((path) => !own.has(path) && !isThere(path))).toEqual([]);
  });
});

test('each page that the code names exists', () => {
  const code = tree.filter((path) => /\.[jt]s$/.test(path) && !path.startsWith('test/docs/'));
  const named = code.flatMap((path) =>
    [...read(path).matchAll(/\bdocs\/[\w./-]+\.(?:md|json|svg)\b/g)].map(([page]) => page),
  );
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].filter((page) => !existsSync(join(ROOT, page)))).toEqual([]);
});

test('control: what isn’t there is noticed', () => {
  expect(['src/store/*/writing/append.ts', 'append.ts', 'src/engine'].filter(isThere)).toHaveLength(3);
  expect(['src/store/*/writing/nothing.ts', 'pend.ts', 'src/engines'].filter(isThere)).toEqual([]);
  expect(anchorsOf('docs/reference/postgres.md')).toContain('what-acknowledged-means');
});

describe('the map of src in ARCHITECTURE.md', () => {
  const [, map = ''] = /^## Map of `src`\n([^]*?)^## /m.exec(read('ARCHITECTURE.md')) ?? [];
  const rows = [...map.matchAll(/^\| `(src\/[^`]+)` +\| (.+?) +\|$/gm)].map(([, path = '', purpose = '']) => ({
    path,
    purpose,
  }));

  test('each file and folder of src is named once, with its purpose', () => {
    const there = readdirSync(join(ROOT, 'src')).filter((name) => !name.includes('.test.'));
    const named = rows.map(({ path }) => path).filter((path) => path.split('/').length === 2);
    expect(named.sort()).toEqual(there.map((name) => `src/${name}`).sort());
    expect(rows.filter(({ purpose }) => purpose.length < 10)).toEqual([]);
  });

  test('each room is named once', () => {
    const rooms = tree
      .filter((path) => /^src\/(engine|store\/\w+)\/\w+$/.test(path))
      .map((path) => path.replace(/^src\/store\/\w+\//, 'src/store/*/'));
    const named = rows.map(({ path }) => path).filter((path) => path.split('/').length > 2);
    expect(named.sort()).toEqual([...new Set(rooms)].sort());
  });
});

describe('indexes', () => {
  test('every page of docs is linked by the index of its kind', () => {
    const index = read('docs/README.md');
    const decisions = read('docs/decisions/README.md');
    const missing = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md').filter((page) =>
      page.startsWith('docs/decisions/') && page !== 'docs/decisions/README.md'
        ? decisions.split(`(${page.slice('docs/decisions/'.length)})`).length !== 2
        : !index.includes(`(${page.slice('docs/'.length)})`),
    );
    expect(missing).toEqual([]);
  });

  test('every decision has its date, in its name, on its page and in the list', () => {
    const pages = PAGES.filter((page) => /^docs\/decisions\/(?!README)/.test(page));
    expect(pages.length).toBeGreaterThan(30);
    const wrong = pages.filter((page) => {
      const date = /\/(\d{4}-\d{2}-\d{2})-[\w-]+\.md$/.exec(page)?.[1];
      const name = page.slice('docs/decisions/'.length);
      const listed = read('docs/decisions/README.md')
        .split('\n')
        .some((line) => line.startsWith(`- ${date}: `) && line.endsWith(`(${name})`));
      return date === undefined || !read(page).includes(`\n\n${date}\n\n`) || !listed;
    });
    expect(wrong).toEqual([]);
  });
});

test('README is read in a few minutes: 600 to 800 words', () => {
  const words = read('README.md').split(/\s+/).filter(Boolean).length;
  expect(words).toBeGreaterThanOrEqual(600);
  expect(words).toBeLessThanOrEqual(800);
});
