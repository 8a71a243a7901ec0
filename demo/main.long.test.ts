/** The program from outside: what it prints, what it refuses, and how it ends. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { testDatabase } from '../test/support/postgres.ts';
import { children, figures, isAlive, marketplace, start, startedWith } from './start.ts';

const directory = mkdtempSync(join(tmpdir(), 'marketplace-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The commands of a run as the log has them, without the run's name; and its users and services with all there is to them. */
async function asked(name: string, seed: string): Promise<unknown> {
  const file = join(directory, name);
  const args = ['--rounds', '12', '--store', `sqlite:${file}`, '--seed', seed, '--json'];
  const { run } = figures(await marketplace(args));
  const database = new DatabaseSync(file, { readOnly: true });
  const rows = database
    .prepare(
      `SELECT command_id, iif(names.name IN ('USER_REGISTERED', 'SERVICE_CREATED'), json, '') AS json
       FROM commits JOIN events USING (position) JOIN names ON names.number = events.type ORDER BY command_id`,
    )
    .all();
  database.close();
  return JSON.parse(JSON.stringify(rows).replaceAll(`${run}.`, '')) as unknown;
}

/** A run too long to end by itself, once its servers are at work. */
async function running(...args: string[]) {
  const { child, ended } = start(['--rounds', '100000', ...args]);
  await vi.waitFor(() => expect(children(child)).toHaveLength(2), { timeout: 20_000, interval: 50 });
  const servers = children(child);
  await new Promise((resolve) => setTimeout(resolve, 500));
  return { child, ended, servers };
}

async function allGone(servers: readonly number[]): Promise<void> {
  await vi.waitFor(() => expect(servers.filter(isAlive)).toEqual([]), { timeout: 10_000, interval: 50 });
}

describe('a run on PostgreSQL', () => {
  const database = testDatabase();

  it('races on a database, says so without its password, and is continued by the next', async () => {
    const url = new URL(database.url);
    url.password = 'secret';
    const args = ['--rounds', '20', '--servers', '3', '--seed', '11', '--json', '--store', url.href];
    const [first, second] = [await marketplace(args), await marketplace(args)];
    for (const ended of [first, second]) {
      expect(ended).toMatchObject({ code: 0 });
      expect(figures(ended)).toMatchObject({ ok: true, servers: 3, sold: 20, oversold: 0, rebuilt: true, chain: true });
      expect(ended.stdout + ended.stderr).not.toContain('secret');
    }
    expect(second.stderr).toMatch(/continued after position \d+/);
    expect((await database.run('SELECT 1 FROM marketplace.events')).length).toBeGreaterThan(40 * 20);
  });

  it('starts servers without a password in what they are started with, which others can read', async () => {
    const url = new URL(database.url);
    url.password = 'secret';
    const { child, ended, servers } = await running('--store', url.href);
    const shown = servers.map(startedWith);
    child.kill('SIGINT');
    await ended;
    for (const one of shown) expect(one).toContain('server-process');
    expect(shown.join()).not.toContain('secret');
  });

  it('starts a server of its own, which is gone afterwards', async () => {
    const ended = await marketplace(['--rounds', '10', '--json', '--store', 'postgres:']);
    expect(ended).toMatchObject({ code: 0 });
    const { ok, store } = figures(ended);
    expect(ok).toBe(true);
    await expect(new Client(store).connect()).rejects.toThrow('ECONNREFUSED');
  });

  it('says what is wrong with a database that it can’t use', async () => {
    const elsewhere = new URL(database.url);
    elsewhere.pathname = '/nowhere';
    const ended = await marketplace(['--rounds', '1', '--store', elsewhere.href]);
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(/nowhere/);
    expect(ended.stderr).not.toMatch(/ at .*\.ts:/);
  });
});

describe('a run', () => {
  it('can be repeated on a file, with fresh ids', async () => {
    const args = ['--rounds', '8', '--store', `sqlite:${join(directory, 'again.db')}`, '--seed', '3', '--json'];
    const first = figures(await marketplace(args));
    const second = figures(await marketplace(args));
    expect(first).toMatchObject({ ok: true, sold: 8 });
    expect(second).toMatchObject({ ok: true, sold: 8, commands: first.commands });
  });

  it('can be run twice at once on one file, with the same seed', async () => {
    const args = ['--rounds', '30', '--store', `sqlite:${join(directory, 'twice.db')}`, '--seed', '3', '--json'];
    const [one, other] = (await Promise.all([marketplace(args), marketplace(args)])).map(figures);
    expect(one).toMatchObject({ ok: true, seed: 3, sold: 30, oversold: 0 });
    expect(other).toMatchObject({ ok: true, seed: 3, sold: 30, oversold: 0, commands: one!.commands });
    expect(one!.run).not.toBe(other!.run);
  });

  it('asks the same of the same servers for the same seed', async () => {
    const rows = await asked('seed-a.db', '77');
    expect(rows).toEqual(await asked('seed-b.db', '77'));
    expect(rows).not.toEqual(await asked('seed-c.db', '78'));
  });

  it('sells several places a round to several servers', async () => {
    const found = figures(await marketplace(['--rounds', '12', '--places', '3', '--servers', '3', '--json']));
    expect(found).toMatchObject({ ok: true, servers: 3, sold: 36 });
  });

  it('sells no more than there are buyers', async () => {
    const found = figures(await marketplace(['--rounds', '20', '--places', '9', '--buyers', '2', '--json']));
    expect(found).toMatchObject({ ok: true, sold: 80 });
  });

  it('runs in memory, with one server', async () => {
    const found = figures(await marketplace(['--rounds', '20', '--store', 'memory:', '--servers', '1', '--json']));
    expect(found).toMatchObject({ ok: true, store: 'memory:', servers: 1, sold: 20, oversold: 0, conflicts: 0 });
    expect(found).toMatchObject({ rebuilt: true, chain: true, winsByServer: { Paris: 20 } });
  });

  it('prints a table without a terminal, and not one escape code, whatever the environment says', async () => {
    const plain = await marketplace(['--rounds', '8'], { FORCE_COLOR: '1', NO_COLOR: undefined, TERM: 'xterm' });
    expect(plain.code).toBe(0);
    expect(plain.stdout).toContain('│ places sold   │');
    expect(plain.stdout).toContain('All laws hold.');
    expect(plain.stdout + plain.stderr).not.toContain('\u001B');
  });

  it('removes its temporary file when all was well', async () => {
    const { stdout } = await marketplace(['--rounds', '12']);
    const [, file = ''] = /sqlite:(\S+)/.exec(stdout) ?? [];
    expect(file).toContain('market.db');
    expect(existsSync(file)).toBe(false);
  });
});

describe('what is refused', () => {
  const notALog = join(directory, 'letter.txt');
  writeFileSync(notALog, 'Dear reader');
  const cases: [args: string[], message: RegExp][] = [
    [['--rounds', '0'], /--rounds must be a whole number from 1 .*not "0"/],
    [['--bogus'], /Unknown option '--bogus'/],
    [['--store', 'memory:', '--servers', '2'], /memory: .* can't have 2 servers/],
    [['--store', `sqlite:${notALog}`], /letter\.txt is no SQLite database/],
    [['--store', `sqlite:${join(directory, 'nowhere', 'm.db')}`], /nowhere doesn't exist/],
  ];
  it.each(cases)('%j ends with one line and exit code 2', async (args, message) => {
    const { code, stdout, stderr } = await marketplace(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(message);
  });

  it.each([':memory:', 'file:x.db'])('sqlite:%s leaves no file of that name behind', async (name) => {
    const place = mkdtempSync(join(directory, 'cwd-'));
    const { code, stdout, stderr } = await start(['--store', `sqlite:${name}`], {}, place).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(
      `--store sqlite:FILE needs the path of a file, not "${name}". For a log in memory use --store memory:.\n`,
    );
    expect(readdirSync(place)).toEqual([]);
  });

  it('--help tells all options', async () => {
    const { code, stdout } = await marketplace(['--help']);
    expect(code).toBe(0);
    for (const option of ['rounds', 'buyers', 'places', 'servers', 'store', 'seed', 'json', 'help']) {
      expect(stdout).toContain(`--${option}`);
    }
  });
});

describe('how it ends', () => {
  it('Ctrl-C ends everybody, with exit code 130, and leaves nothing behind', async () => {
    const { child, ended, servers } = await running();
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect(code).toBe(130);
    await allGone(servers);
    expect(existsSync(/sqlite:(\S+)/.exec(stdout)![1]!)).toBe(false);
  });

  it('Ctrl-C ends a server that hangs, too, and then the program in good order', async () => {
    const { child, ended, servers } = await running();
    process.kill(servers[0]!, 'SIGSTOP');
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(130);
    // It would say so if it had given up waiting.
    expect(stderr).toBe('Stopped by SIGINT.\n');
    await allGone(servers);
    expect(existsSync(/sqlite:(\S+)/.exec(stdout)![1]!)).toBe(false);
  });

  it('a second Ctrl-C ends it without waiting for a server that hangs', async () => {
    const { child, ended, servers } = await running();
    for (const server of servers) process.kill(server, 'SIGSTOP');
    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 130, stderr: 'Ended without waiting for the servers.\n' });
    await allGone(servers);
  });

  it('a server that dies ends the run, with exit code 1, and the log is kept', async () => {
    const { ended, servers } = await running();
    process.kill(servers[1]!, 'SIGKILL');
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/The server (Paris|Tokyo) is gone: it was ended by SIGKILL\./);
    await allGone(servers);
    const file = /sqlite:(\S+)/.exec(stdout)![1]!;
    expect(stderr).toContain(`The log is kept: ${file}`);
    rmSync(join(file, '..'), { recursive: true });
  });

  it('servers end when their parent dies', async () => {
    const { child, ended, servers } = await running();
    child.kill('SIGKILL');
    await allGone(servers);
    const { stdout } = await ended;
    rmSync(join(/sqlite:(\S+)/.exec(stdout)![1]!, '..'), { recursive: true });
  });
});
