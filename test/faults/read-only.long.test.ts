/** A log on a disk that can't be written: opened for reading it gives all that it holds, and nothing else will do. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import { endServers, startServer, type Line, type Server } from './server-process.ts';

const ORDERS = 20;
const script = new URL('read-only-server.ts', import.meta.url);
const folder = temporaryFolder();
afterEach(endServers);

interface Disk {
  /** Starts a process that knows the disk: at `rw`, and at `ro`, where nobody can write. */
  readonly start: (role: 'write' | 'read', at?: string) => Server;
  /** Makes a log of {@link ORDERS} orders, and says how its last server went. */
  readonly log: (end: 'closed' | 'killed') => Promise<void>;
  /** From now on nobody can write, at either place. */
  readonly freeze: () => void;
  /** Mounts the file of the log alone, beside its disk, as some mount it into a container. */
  readonly mountFile: () => string;
  /** A file of it. */
  readonly at: (name: string) => string;
}

/** A file system in memory, in a mount namespace: it goes when its last process ends, however that ends. */
async function disk(): Promise<Disk> {
  const at = mkdtempSync(join(folder, 'disk-'));
  for (const place of ['rw', 'ro']) mkdirSync(join(at, place));
  // Without root: as root of a user namespace of its own.
  const root = process.getuid?.() === 0;
  const mount =
    'mount -t tmpfs tmpfs "$0/rw" && mount --bind "$0/rw" "$0/ro" && mount -o remount,bind,ro "$0/ro" && exec "$@"';
  const holder = startServer(script, ['hold'], ['unshare', ...(root ? ['-m'] : ['-r', '-m']), 'sh', '-c', mount, at]);
  await holder.heard('ready').catch((error: unknown) => {
    throw new Error('This test must mount a tmpfs: run it as root, or where user namespaces are allowed.', {
      cause: error,
    });
  });
  const enter = ['nsenter', '-t', `${holder.pid}`, ...(root ? ['-m'] : ['-U', '--preserve-credentials', '-m'])];
  const mountIn = (...args: readonly string[]): void =>
    void execFileSync(enter[0]!, [...enter.slice(1), 'mount', ...args]);
  const start: Disk['start'] = (role, place = role === 'write' ? 'rw' : 'ro') =>
    startServer(script, [role, join(at, place, 'market.db')], enter);
  return {
    start,
    async log(end) {
      const writer = start('write');
      await writer.heard('ready');
      writer.tell({ orders: ORDERS });
      await writer.heard('written');
      if (end === 'closed') {
        writer.tell({ orders: 0 });
        await writer.ended;
      } else await writer.kill();
    },
    freeze: () => mountIn('-o', 'remount,ro', join(at, 'rw')),
    mountFile() {
      const place = join('it self', 'market.db');
      mkdirSync(join(at, 'it self'));
      writeFileSync(join(at, place), '');
      mountIn('--bind', join(at, 'rw', 'market.db'), join(at, place));
      return dirname(place);
    },
    at: (name) => join(`/proc/${holder.pid}/root`, at, 'rw', name),
  };
}

/** What a log of so many orders gives, read through and through. */
function gives(line: Line, orders: number): void {
  expect(line).toMatchObject({
    ok: true,
    problems: [],
    commits: orders,
    outcome: expect.any(String),
    refusal: { code: 'NotWritable', retryable: false, message: expect.stringContaining('readOnly') },
  });
  const { position, c1, history } = line as unknown as { position: number; c1: number; history: number };
  expect(position).toBeGreaterThan(orders);
  expect(c1).toBeGreaterThan(0);
  expect(history).toBe(c1);
}

test('a log that was closed: it is all in one file, and no other is made', async () => {
  const { log, freeze, start } = await disk();
  await log('closed');
  freeze();
  const line = await start('read', 'rw').heard('read');
  gives(line, ORDERS);
  expect(line['files']).toEqual(['']);
  expect(await start('write', 'rw').heard('refused')).toMatchObject({ code: 'NotWritable' });
});

test('a log whose server was killed: what its write-ahead log holds is read as well', async () => {
  const { log, freeze, start } = await disk();
  await log('killed');
  freeze();
  const line = await start('read', 'rw').heard('read');
  gives(line, ORDERS);
  expect(line['files']).toEqual(['', '-wal', '-shm']);
});

test('… and if -shm is missing that is said, with what to do, in place of an older log', async () => {
  const { log, freeze, start, at } = await disk();
  await log('killed');
  rmSync(at('market.db-shm'));
  freeze();
  expect(await start('read', 'rw').heard('refused')).toMatchObject({
    code: 'NotWritable',
    message: expect.stringMatching(/market\.db-wal holds commits.*empty/),
  });
});

test('… an empty one, made where the disk can be written, will do', async () => {
  const { log, freeze, start, at } = await disk();
  await log('killed');
  rmSync(at('market.db-shm'));
  writeFileSync(at('market.db-shm'), '');
  freeze();
  gives(await start('read', 'rw').heard('read'), ORDERS);
});

test('a file that is mounted without its directory is refused: its commits would stay beside where it is mounted', async () => {
  const { log, start, mountFile } = await disk();
  await log('closed');
  const place = mountFile();
  for (const role of ['write', 'read'] as const) {
    expect(await start(role, place).heard('refused')).toMatchObject({
      code: 'NotWritable',
      retryable: false,
      message: expect.stringMatching(/mounted alone.*Mount its directory/),
    });
  }
});

test.each(['closed', 'killed'] as const)(
  'law 3: a reader that can’t write follows a server elsewhere that can, which comes later; the log was %s',
  async (end) => {
    const { log, start } = await disk();
    await log(end);
    const reader = start('read');
    const line = await reader.heard('read');
    gives(line, ORDERS);
    const writer = start('write');
    await writer.heard('ready');
    // The first orders are answered from the ledger.
    writer.tell({ orders: ORDERS + 10 });
    await reader.heard('seen', 10);
    writer.tell({ orders: 10 });
    await writer.heard('written', 2);
    writer.tell({ orders: 0 });
    await writer.ended;
    const late = await start('read').heard('read');
    gives(late, ORDERS + 20);
    const more = Number(late['position']) - Number(line['position']);
    await reader.heard('seen', more);
    const seen = reader.lines.filter(({ say }) => say === 'seen').map(({ position }) => position);
    expect(seen).toEqual(Array.from({ length: more }, (_, n) => Number(line['position']) + n + 1));
  },
);
