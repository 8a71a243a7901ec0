/** Data flows one way: which layer may know which. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { expect, test } from 'vitest';

const src = join(import.meta.dirname, '../src');
const posix = (path: string): string => path.replaceAll(sep, '/');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map(posix)
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}
const imports: Import[] = files.flatMap((from) =>
  [...readFileSync(join(src, from), 'utf8').matchAll(/^(import|export)( type)?\b[^;]*? from '([^']+)';/gm)].map(
    ([, , type, target = '']) => ({
      from,
      to: target.startsWith('.') ? posix(relative(src, join(src, dirname(from), target))) : target,
      typeOnly: type !== undefined,
    }),
  ),
);

const layerOf = (path: string): string => (path.includes('/') ? path.slice(0, path.indexOf('/')) : path);
const roomOf = (path: string): string | undefined => /^engine\/(\w+)\//.exec(path)?.[1];
const storeOf = (path: string): string | undefined => /^store\/(\w+)\//.exec(path)?.[1];
/** What may be imported, beside the layer itself, and what is in EVERYWHERE; `types` only as types. */
const allowed: Record<string, { values: readonly string[]; types: readonly string[] }> = {
  model: { values: [], types: [] },
  store: { values: [], types: ['model'] },
  engine: { values: ['model', 'store/store.ts', 'store/chain.ts', 'store/ground.ts', 'store/registry.ts'], types: [] },
  testing: { values: ['model', 'store/store.ts', 'store/chain.ts'], types: ['engine'] },
};

const EVERYWHERE = new Set([
  'document-map.ts',
  'errors.ts',
  'heap.ts',
  'lanes.ts',
  'limits.ts',
  'line.ts',
  'nearest.ts',
  'options.ts',
  'realm.ts',
  'recent.ts',
  'signal.ts',
  'version.ts',
]);

test('there are imports to look at', () => {
  expect(imports.length).toBeGreaterThan(150);
});

test('no files know each other in a circle, not even by their types', () => {
  // Files that know no other go, one round after the other: what is left are circles, and what leads to them.
  let left = new Set(files);
  for (let before = Infinity; left.size < before;) {
    before = left.size;
    const leading = new Set(imports.filter(({ from, to }) => from !== to && left.has(to)).map(({ from }) => from));
    left = new Set([...left].filter((file) => leading.has(file)));
  }
  expect([...left]).toEqual([]);
});

test.each(Object.keys(allowed))('%s knows only what is below it', (layer) => {
  const { values, types } = allowed[layer]!;
  const wrong = imports.filter(({ from, to, typeOnly }) => {
    if (layerOf(from) !== layer || EVERYWHERE.has(to) || layerOf(to) === layer || !to.endsWith('.ts')) return false;
    const under = (names: readonly string[]): boolean => names.some((name) => to === name || layerOf(to) === name);
    return !under(values) && !(typeOnly && under(types));
  });
  expect(wrong).toEqual([]);
});

test('the model and the contract do no I/O, and no store knows another', () => {
  const node = imports
    .filter(({ from, to }) => layerOf(from) === 'model' && to.startsWith('node:'))
    .map(({ to }) => to);
  expect([...new Set(node)].sort()).toEqual(['node:buffer', 'node:crypto', 'node:util']);
  expect(imports.filter(({ from, to }) => storeOf(from) && storeOf(to) && storeOf(from) !== storeOf(to))).toEqual([]);
});

test('the core has no dependency but the types of Standard Schema', () => {
  const packages = imports.filter(({ to }) => !to.endsWith('.ts') && !to.startsWith('node:'));
  expect(packages.filter(({ to, typeOnly }) => to !== '@standard-schema/spec' || !typeOnly)).toEqual([]);
  // A driver is loaded by its own store, when a log is opened.
  const loaded = files.flatMap((path) =>
    [...readFileSync(join(src, path), 'utf8').matchAll(/import\('([^'.][^']*)'\)/g)].map(([, to]) => `${path}: ${to}`),
  );
  expect(loaded.filter((load) => !/: (node:.+|vitest)$/.test(load))).toEqual([
    'store/postgres/connecting/driver.ts: pg',
  ]);
});

test('each store has the same rooms, and the same files in them', () => {
  const own = [
    'index.ts',
    'schema.ts',
    'session.ts',
    'reading/commits.ts',
    'reading/documents.ts',
    'reading/load.ts',
    'reading/read.ts',
    'reading/scan.ts',
    'reading/types.ts',
    'upkeep/check.ts',
    'upkeep/sweep.ts',
    'writing/append.ts',
    'writing/lock.ts',
    'writing/registry.ts',
    'writing/sets.ts',
  ];
  for (const store of ['memory', 'sqlite', 'postgres']) {
    const has = files
      .filter((path) => path.startsWith(`store/${store}/`))
      .map((path) => path.slice(`store/${store}/`.length));
    expect(has).toEqual(expect.arrayContaining(own));
    const rooms = new Set(has.flatMap((path) => (path.includes('/') ? [path.slice(0, path.indexOf('/'))] : [])));
    expect(['connecting', 'reading', 'upkeep', 'writing']).toEqual(expect.arrayContaining([...rooms]));
  }
});

/** The engine's rooms: what each may know beside itself and what lies in `engine` itself. A room knows only rooms above it here. */
const ROOMS: Record<string, readonly string[]> = {
  registry: [],
  reading: ['registry'],
  queries: ['reading'],
  reduction: ['registry', 'reading', 'queries'],
  growing: ['registry', 'reading', 'queries', 'reduction'],
  commands: ['registry', 'reading'],
  upkeep: ['registry', 'reading'],
};

test('every room of the engine is listed, and none knows another in a circle', () => {
  const rooms = files.flatMap((path) => roomOf(path) ?? []);
  expect([...new Set(rooms)].sort()).toEqual(Object.keys(ROOMS).sort());
  const order = Object.keys(ROOMS);
  const circles = order.filter((room, at) => ROOMS[room]!.some((known) => !order.slice(0, at).includes(known)));
  expect(circles).toEqual([]);
});

test.each(Object.keys(ROOMS))('engine/%s knows only the rooms below it', (room) => {
  const wrong = imports.filter(({ from, to }) => {
    const known = roomOf(to);
    return roomOf(from) === room && known !== undefined && known !== room && !ROOMS[room]!.includes(known);
  });
  expect(wrong).toEqual([]);
});

test('nobody asks whose child a value is that may come from another realm or another copy of the package', () => {
  // Thrown and caught within one copy, and seen by nobody else.
  const own = new Set(['Abandoned', 'Failed', 'NoAnswer', 'Overtaken', 'Thrown', 'Unheard']);
  const asked = files.flatMap((path) => {
    const code = readFileSync(join(src, path), 'utf8').replaceAll(/\/\*\*.*?\*\/|^ *\/\/.*?$/gms, '');
    const found = code.matchAll(/\binstanceof ([\w.]+)|([!=]== *\w+\.(?:prototype|constructor)\b)/g);
    return Array.from(found, ([, name, compared]) => ({ path, found: name ?? compared! }));
  });
  // Shortcuts for what is of this realm.
  expect(asked.filter(({ found }) => !own.has(found))).toEqual([
    { path: 'realm.ts', found: '=== Object.prototype' },
    { path: 'realm.ts', found: '=== Array.prototype' },
  ]);
  // The look finds what there is.
  expect(asked.length).toBeGreaterThan(own.size);
});
