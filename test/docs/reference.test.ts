/** The reference pages say what the code says: errors, limits, and the options of every public function. */
import { domain, event, nothing, open, type } from 'tidemark';
import { memory } from 'tidemark/memory';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { describe, expect, test } from 'vitest';
import * as errors from '../../src/errors.ts';
import * as limits from '../../src/limits.ts';
import * as options from '../../src/options.ts';
import * as queries from '../../src/engine/queries/bounds.ts';
import * as retiring from '../../src/engine/registry/retiring.ts';
import * as store from '../../src/store/store.ts';
import { settingsOf } from '../../src/store/postgres/connecting/options.ts';
import { read } from './pages.ts';

type Row = readonly string[];

/** The cells of a page's tables whose first one is a name in code, under a heading if one is given. */
function rowsOf(page: string, heading?: string): Row[] {
  const sections = read(page).split(/^## /m);
  const text =
    heading === undefined ? sections.join('') : sections.find((section) => section.startsWith(`${heading}\n`));
  return [...(text ?? '').matchAll(/^\| (`\w+` .*)\|$/gm)].map(([, cells = '']) =>
    cells.split('|').map((cell) => cell.trim().replaceAll('`', '')),
  );
}

const numberIn = (cell = ''): number => Number(cell.replaceAll(',', ''));
const namesOf = (rows: readonly Row[]): string[] => rows.map(([name = '']) => name);

const classes = Object.entries<unknown>({ ...errors }).filter(
  (entry): entry is [string, new (message: string) => errors.TidemarkError] =>
    entry[0] !== 'TidemarkError' && /^[A-Z]/.test(entry[0]),
);

describe('docs/reference/errors.md', () => {
  const rows = rowsOf('docs/reference/errors.md');

  test('names every error once', () => {
    expect(namesOf(rows).sort()).toEqual(classes.map(([name]) => name).sort());
  });

  test.each(classes)('%s: code, and whether it is worth a retry', (name, Wrong) => {
    const { code, retryable } = new Wrong('');
    expect(code).toBe(name);
    const [, said = '', when = '', advice = ''] = rows.find(([first]) => first === name)!;
    expect(said.split(',')[0]).toBe(retryable ? 'yes' : 'no');
    expect(Math.min(when.length, advice.length)).toBeGreaterThan(10);
  });

  test('the page about HTTP names them all', () => {
    const page = read('docs/how-to/http-errors.md');
    expect(classes.map(([name]) => name).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('docs/reference/limits.md', () => {
  test('has every limit, in the order of the code, with its default', () => {
    const rows = rowsOf('docs/reference/limits.md', '`open({ limits })`');
    expect(rows.map(([name, value]) => [name, numberIn(value)])).toEqual(Object.entries(limits.DEFAULT_LIMITS));
  });

  test('has what is fixed', () => {
    const fixed: Record<string, unknown> = { ...limits, ...options, ...queries, ...retiring, ...store };
    const rows = rowsOf('docs/reference/limits.md', 'Fixed');
    expect(rows.length).toBeGreaterThan(5);
    for (const [name = '', value] of rows) expect([name, numberIn(value)]).toEqual([name, fixed[name]]);
  });
});

describe('docs/reference/options.md', () => {
  const shop = domain({ events: { OPENED: type<{ shop_id: string }>() } });
  const shops = shop.collection('shops', { key: 'shop_id', initial: {}, reduce: { OPENED: (state) => state } });
  const openShop = shop.command('OPEN', {
    input: type<{ shop_id: string }>(),
    decide: (_, input) => ({ type: 'OPENED', ...input }),
  });
  const opened = () => open({ store: memory(), collections: [shops], commands: [openShop] });
  // An option that there isn't: the error names all that there are.
  const wrong = { noSuchOption: true } as never;
  const asked: Record<string, () => unknown> = {
    open: () => open(wrong),
    execute: async () => (await opened()).execute(openShop, { shop_id: 's' }, wrong),
    get: async () => (await opened()).get(shops, 's', wrong),
    find: async () => (await opened()).find(shops, wrong),
    count: async () => (await opened()).count(shops, wrong),
    list: async () => (await opened()).list(shops, wrong),
    watch: async () => (await opened()).watch(shops, wrong),
    rebuild: async () => (await opened()).rebuild(shops, wrong),
    events: async () => (await opened()).events(wrong),
    history: async () => (await opened()).history(shops, 's', wrong),
    verify: async () => (await opened()).verify(wrong),
    close: async () => (await opened()).close(wrong),
    sqlite: () => sqlite('x.db', wrong),
    postgres: () => postgres('postgres://localhost/x', wrong),
    memory: () => memory(wrong),
    domain: () => domain(wrong),
    collection: () => shop.collection('others', wrong),
    command: () => shop.command('OTHER', wrong),
    event: () => event(type<object>(), wrong),
    nothing: () => nothing(wrong),
  };

  test.each(Object.entries(asked))('%s: the options that there are', async (name, ask) => {
    const error = await (async () => ask())().then(
      () => undefined,
      (error: Error) => error,
    );
    const [, known = ''] = / There (?:is|are) ([\w, ]+)\.$/.exec(error?.message ?? '') ?? [];
    expect(error?.message).toContain(known);
    expect(known).not.toBe('');
    const rows = rowsOf('docs/reference/options.md', `\`${name}\``);
    expect(namesOf(rows).sort()).toEqual(known.split(', ').sort());
  });

  test('fold takes none, and every section is looked at', async () => {
    await expect(
      ((await opened()) as { fold(...given: unknown[]): Promise<unknown> }).fold(shops, wrong),
    ).rejects.toThrow('no options');
    const sections = [...read('docs/reference/options.md').matchAll(/^## `(\w+)`$/gm)].map(([, name]) => name);
    expect(sections.filter((name) => name !== 'fold').sort()).toEqual(Object.keys(asked).sort());
  });

  test('defaults', () => {
    const { connectTimeoutMs, lockTimeoutMs, answerTimeoutMs, callsWaitingMax, clock, schema } = settingsOf({}, 'here');
    expect(said('postgres')).toMatchObject({
      schema: `'${schema}'`,
      connectTimeoutMs: connectTimeoutMs.toLocaleString('en'),
      lockTimeoutMs: lockTimeoutMs.toLocaleString('en'),
      answerTimeoutMs: answerTimeoutMs.toLocaleString('en'),
      callsWaitingMax: callsWaitingMax.toLocaleString('en'),
      clockAheadMs: clock.aheadMs.toLocaleString('en'),
      connections: defaultIn('src/store/postgres/index.ts', /const CONNECTIONS = ([\d_]+);/),
    });
    expect(said('sqlite')).toMatchObject({
      synchronous: `'${defaultIn('src/store/sqlite/index.ts', /synchronous = '(\w+)'/)}'`,
      lockTimeoutMs: Number(defaultIn('src/store/sqlite/index.ts', /LOCK_TIMEOUT_MS = ([\d_]+);/)).toLocaleString('en'),
      readOnly: defaultIn('src/store/sqlite/index.ts', /readOnly = (\w+),/),
      clockMayJump: defaultIn('src/store/sqlite/index.ts', /clockMayJump = (\w+),/),
      clockAheadMs: store.CLOCK_AHEAD_MAX_MS.toLocaleString('en'),
    });
    expect(said('memory')['clockAheadMs']).toBe(store.CLOCK_AHEAD_MAX_MS.toLocaleString('en'));
    expect(said('close')['timeout']).toBe(limits.CLOSE_TIMEOUT_MS.toLocaleString('en'));
    expect(said('nothing')['record']).toBe(defaultIn('src/model/nothing.ts', /record = (\w+) }/));
    expect(said('collection')['definition']).toBe(defaultIn('src/model/collection.ts', /definition = (\d+) }/));
  });
});

describe('docs/reference/status.md', () => {
  const shop = domain({ events: { OPENED: type<{ shop_id: string }>() } });

  test('has every field', async () => {
    const store = memory();
    const shops = shop.collection('shops', { key: 'shop_id', initial: { name: '' }, reduce: { OPENED: (one) => one } });
    const openShop = shop.command('OPEN', {
      input: type<{ shop_id: string }>(),
      decide: (_, input) => ({ type: 'OPENED', ...input }),
    });
    await using app = await open({ store, collections: [shops], commands: [openShop] });
    await app.execute(openShop, { shop_id: 's' });
    await app.find(shops, { where: { name: 'x' } });
    const status = await app.status();
    const page = read('docs/reference/status.md');
    const [own = ''] = page.split(/^## /m);
    const names = [...own.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    expect(names.sort()).toEqual(Object.keys(status).sort());
    const progress: object[] = [];
    const onProgress = (one: object): void => void progress.push(one);
    const later = domain({ events: { OPENED: type<{ shop_id: string }>() } });
    const map = { key: { OPENED: 'shop_id' as const }, initial: { name: '' }, definition: 2 };
    const collections = [later.collection('shops', { ...map, reduce: { OPENED: (one) => one } })];
    await using raised = await open({ store, collections, commands: [], definitions: 'before', onProgress });
    expect((await raised.status()).making).toEqual([]);
    for (const [section, value] of [
      ['making', progress[0]],
      ['reduction', status.reduction],
      ['unserved', status.unserved[0]],
    ] as const)
      expect(namesOf(rowsOf('docs/reference/status.md', `\`${section}\``)).sort()).toEqual(Object.keys(value!).sort());
  });
});

/** The defaults in a section of the page. */
const said = (section: string): Record<string, string | undefined> =>
  Object.fromEntries(rowsOf('docs/reference/options.md', `\`${section}\``));

/** A default that no value shows, as the source has it. */
function defaultIn(path: string, pattern: RegExp): string {
  const [, found] = pattern.exec(read(path)) ?? [];
  if (found === undefined) throw new Error(`${path} has no ${pattern}`);
  return found.replaceAll('_', '');
}
