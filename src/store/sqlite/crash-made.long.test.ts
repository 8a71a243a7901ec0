/** A process that is killed while it makes things from the log: stored documents, attachments of a keying, entries of an index. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { range } from '../../testing/conformance/batches.ts';
import { definitionOf } from '../../testing/conformance/registered.ts';
import { TestSet } from '../../testing/conformance/sets.ts';
import { TestLog } from '../../testing/conformance/log.ts';
import { sqlite } from './index.ts';

const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

/** Users and rooms. The event at position p belongs to user p % 20, and to room p % 3. */
const USERS = 20;
const ROOMS = 3;

/** How many positions up to the last one leave this rest. */
function count(last: number, rest: number, of: number): number {
  return Math.floor((last - rest) / of) + (rest > 0 ? 1 : 0);
}

/** Appends, reduces, attaches and fills for ever; says so after each round. */
const MAKE_FOR_EVER = `
  import { Buffer } from 'node:buffer';
  import { commit, event, range, user } from ${url('../../testing/conformance/batches.ts')};
  import { addIndex, addKeying, definitionOf, remove } from ${url('../../testing/conformance/registered.ts')};
  import { TestLog } from ${url('../../testing/conformance/log.ts')};
  import { sqlite } from ${url('./index.ts')};
  const count = ${count.toString()};
  const log = await TestLog.on(sqlite(process.argv[1]));
  const { session } = log;
  const name = process.pid;
  if (!(await session.registry()).keyings.some(({ name }) => name === 'rooms')) await addKeying(session, 'rooms');
  log.end = (await session.load([])).end;
  const key = (version, id) => Buffer.from(String(version).padStart(8, '0') + ' ' + id);
  for (let n = 1; ; n += 1) {
    let { generation, indexes, definitions } = await session.registry();
    const { set } = definitions.find(({ collection }) => collection === 'users');
    if (!indexes.some(({ state }) => state === 'filling')) {
      if (indexes.length > 0) await remove(session, indexes[0].number);
      await addIndex(session, set, { state: 'filling' });
      ({ generation, indexes } = await session.registry());
    }
    const commits = range(1, 7).map((m) =>
      commit(name + '-' + n + '-' + m, event('NOTED', user('u' + ((log.end.position + m) % ${USERS})))));
    await log.append(commits, { generation });

    const { place } = await session.stored({ set, limit: 0 });
    const rests = [...new Set(range(place.position + 1, log.end.position).map((p) => p % ${USERS}))];
    const at = (rest, position) => count(position, rest, ${USERS});
    const step = {
      documents: rests.map((rest) => {
        const version = at(rest, log.end.position);
        return { id: 'u' + rest, version, changed: version, state: JSON.stringify({ version }) };
      }),
      dropped: indexes.flatMap(({ number: index }) =>
        rests.map((rest) => ({ index, key: key(at(rest, place.position), 'u' + rest) }))),
      added: indexes.flatMap(({ number: index }) =>
        rests.map((rest) => ({ index, key: key(at(rest, log.end.position), 'u' + rest), id: 'u' + rest }))),
    };
    const { position, hash } = log.end;
    const seen = { position, hash };
    const answers = [await session.advance({ set, generation, from: place, to: seen, seen, ...step })];

    const attached = await session.exclusive(async (locked) => {
      const { filled } = (await locked.registry()).keyings.find((one) => one.name === 'rooms');
      const { events } = await locked.scan({ after: filled, limit: 50, known: () => true });
      const attachments = events.map((one) =>
        ({ position: one.position, type: one.type, ids: ['r' + (one.position % ${ROOMS})] }));
      const to = events.at(-1)?.position ?? filled;
      return locked.attach({ keying: 'rooms', generation, from: filled, to, seen, attachments, live: false });
    });
    await session.exclusive(async (locked) => {
      const { number: index, filled } = (await locked.registry()).indexes.find(({ state }) => state === 'filling');
      const from = filled === undefined ? undefined : Buffer.from(filled + '\\u0000');
      const { documents, more } = await locked.stored({ set, from, limit: 6 });
      const entries = documents.map(({ id, version }) => ({ index, key: key(version, id), id }));
      await locked.fillIndex({ index, from: filled, to: documents.at(-1)?.id ?? filled, entries, live: !more });
    });
    answers.push(attached);
    if (answers.some((answer) => answer !== 'stored')) throw new Error(answers.join());
    await session.sweep();
    process.stdout.write(n + '\\n');
  }`;

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-crash-'));
  file = join(directory, 'market.db');
});

afterEach(() => rmSync(directory, { recursive: true }));

/** Runs until it has done some rounds, and a moment more. */
async function killed(): Promise<void> {
  const argv = ['--input-type=module', '-e', MAKE_FOR_EVER, file];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = new Promise((resolve) => child.on('close', resolve));
  const rounds: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => void rounds.push(...text.trim().split('\n')));
  while (rounds.length < 5 && child.exitCode === null) await setTimeout(2);
  await setTimeout(Math.random() * 30);
  child.kill('SIGKILL');
  await exit;
  expect(child.exitCode).toBe(null);
}

/** The entries of an index, as ids and versions in their order. */
function entriesOf(index: number): readonly (readonly [string, number])[] {
  const side = new DatabaseSync(file, { readOnly: true });
  const sql = 'SELECT CAST(key AS TEXT) AS key FROM entries WHERE number = ? ORDER BY key';
  const rows = side.prepare(sql).all(index) as { key: string }[];
  side.close();
  return rows.map(({ key }) => [key.slice(9), Number(key.slice(0, 8))] as const);
}

it('law 6: a process killed at any moment leaves a set exactly at a place, and a keying and an index filled exactly to one', async () => {
  let position = 0;
  for (const _ of range(1, 12)) {
    await killed();
    const log = await TestLog.on(sqlite(file));
    expect(await log.session.check()).toEqual([]);
    const { keyings, indexes, ...registry } = await log.session.registry();
    const set = new TestSet(log, definitionOf({ keyings, indexes, ...registry }, 'users').set);
    set.place = (await set.page({ limit: 0 })).place;
    expect(set.place.position).toBeGreaterThan(position);
    position = set.place.position;
    const documents = await set.all();
    const expected = range(0, USERS - 1).map((rest) => [`u${rest}`, count(position, rest, USERS)] as const);
    const versions = new Map(documents.map(({ id, version }) => [id, version]));
    expect(versions).toEqual(new Map(expected.filter(([, version]) => version > 0)));

    const { filled } = keyings.find(({ name }) => name === 'rooms')!;
    const rooms = range(0, ROOMS - 1).map((rest) => ({ collection: 'rooms', id: `r${rest}`, after: filled }));
    const loaded = await log.session.load(rooms);
    const heads = range(0, ROOMS - 1).map((rest) => count(filled, rest, ROOMS));
    expect(loaded.documents.map(({ head }) => head)).toEqual(heads);

    for (const { number, state, filled: to = '' } of indexes) {
      const entries = entriesOf(number);
      for (const [id, version] of entries) expect(versions.get(id)).toBe(version);
      const entered = new Set(entries.map(([id]) => id));
      const lacking = [...versions.keys()].filter((id) => !entered.has(id) && (state === 'live' || id <= to));
      expect(lacking).toEqual([]);
    }
    await log.close();
  }
});
