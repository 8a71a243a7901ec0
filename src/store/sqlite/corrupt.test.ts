/** Wrong rows in the file, by a user's edit or a flipped bit: named as damage, never met as a TypeError. */
import { closeSync, copyFileSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TidemarkError } from '../../errors.ts';
import { above, at, commit, event, range, service, user } from '../../testing/conformance/batches.ts';
import { everything, TestLog } from '../../testing/conformance/log.ts';
import type { Session } from '../store.ts';
import { GENESIS_HASH } from '../chain.ts';
import { sqlite } from './index.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-corrupt-'));
  file = join(directory, 'market.db');
  const log = await TestLog.on(sqlite(file));
  await log.append([
    commit('c1', [event('CREATED', service('s1'), user('u1')), event('NOTED', user('u1'))]),
    commit('c2', event('BOUGHT', service('s1'), user('u2'))),
    commit('c3', event('BOUGHT', service('s1'), user('u2'))),
  ]);
  await withStored(log);
  await log.close();
});

/** Set 2 holds service s1, and has an index. */
async function withStored({ session, end }: TestLog): Promise<void> {
  const index = { number: 90, set: 2, fields: ['price'], state: 'live', usedAt: 0 } as const;
  const { generation } = await session.change(() => ({ raises: false, last: 90, indexes: [index] }));
  const from = { position: 0, hash: GENESIS_HASH };
  const documents = [{ id: 's1', version: 3, changed: 3, state: '{"price":1}' }];
  const added = [{ index: 90, key: Buffer.from('1 s1'), id: 's1' }];
  const places = { from, to: end, seen: end };
  expect(await session.advance({ set: 2, generation, ...places, documents, dropped: [], added })).toBe('stored');
}

afterEach(() => rmSync(directory, { recursive: true }));

async function edited(sql: string): Promise<Session> {
  const database = new DatabaseSync(file);
  // STRICT tables and our keys don't let all damage in by the front door.
  database.exec(`PRAGMA ignore_check_constraints = ON; ${sql}`);
  database.close();
  return sqlite(file).open();
}

/** Everything that a session can be asked. */
const QUESTIONS: Record<string, (session: Session) => Promise<unknown>> = {
  log: (session) => session.read({ limit: 100 }),
  backward: (session) => session.read({ limit: 100, reverse: true, types: ['BOUGHT', 'NOTED'] }),
  document: (session) => session.read({ document: service('s1'), after: 0, limit: 100 }),
  load: (session) => session.load([above(service('s1'), 0), above(user('u1'), 0), above(user('u2'), 0)]),
  asOf: (session) => session.load([above(service('s1'), 0)], { asOf: 3 }),
  commits: (session) => session.commits({ limit: 100 }),
  ledger: (session) => session.ledger(['c1', 'c2', 'c3']),
  documents: (session) => session.documents({ limit: 100 }),
  registry: (session) => session.registry(),
  types: (session) => session.types({ limit: 100 }),
  scan: (session) => session.scan({ limit: 100, known: () => false }),
  stored: (session) => session.stored({ set: 2, limit: 10 }),
  ids: (session) => session.stored({ set: 2, ids: ['s1', 's2'] }),
  indexed: (session) => session.stored({ set: 2, index: 90, limit: 10 }),
  loadStored: (session) => session.load([{ ...above(service('s1'), 0), set: 2 }]),
};

describe.each([
  ['a type without a name', 'UPDATE events SET type = 99 WHERE position = 3', 'log', { position: 3 }],
  ['a type without a name', 'UPDATE events SET type = 99 WHERE position = 3', 'load', { position: 3 }],
  ['a list that is no JSON', "UPDATE events SET attachments = '[1,' WHERE position = 2", 'log', { position: 2 }],
  ['a list that is none', "UPDATE events SET attachments = '{}' WHERE position = 2", 'log', { position: 2 }],
  ['a list of odd length', "UPDATE events SET attachments = '[1]' WHERE position = 2", 'log', { position: 2 }],
  ['a list of no numbers', `UPDATE events SET attachments = '["a",1]' WHERE position = 2`, 'log', { position: 2 }],
  ['a document without an id', "UPDATE events SET attachments = '[99,1]' WHERE position = 4", 'log', { position: 4 }],
  ['an event that is missing', 'DELETE FROM events WHERE position = 3', 'load', { position: 3 }],
  ['an event that is missing', 'DELETE FROM events WHERE position = 3', 'document', { position: 3 }],
  ['an event that is missing', 'DELETE FROM events WHERE position = 2', 'log', { position: 2 }],
  ['a commit that is missing', 'DELETE FROM commits WHERE position = 3', 'log', { position: 3 }],
  ['a version that is missing', 'DELETE FROM attachments WHERE version = 2', 'load', { version: 2 }],
  ['a version that is missing', 'DELETE FROM attachments WHERE version = 2', 'document', { version: 3 }],
  ['a hash that is short', "UPDATE commits SET hash = x'00' WHERE position = 3", 'commits', { position: 3 }],
  ['a hash that is short', "UPDATE commits SET hash = x'00' WHERE position = 4", 'load', { position: 4 }],
  ['a fingerprint that is short', "UPDATE commits SET fingerprint = x'' WHERE position = 3", 'ledger', { position: 3 }],
  ['an outcome that doesn’t exist', 'UPDATE commits SET outcome = 7 WHERE position = 3', 'ledger', { position: 3 }],
  ['a command without a name', 'UPDATE commits SET name = 99 WHERE position = 3', 'commits', { position: 3 }],
  ['a key that is no JSON', "UPDATE keyings SET key = '{' WHERE name = 'users'", 'registry', { keying: 'users' }],
  ['a state of a keying', "UPDATE keyings SET state = 'ready' WHERE name = 'users'", 'registry', { keying: 'users' }],
  ['a list of types that is no JSON', "UPDATE definitions SET handled = '['", 'registry', { collection: 'orders' }],
  ['a list of types that is none', `UPDATE definitions SET handled = '{"A":1}'`, 'registry', { definition: 1 }],
  ['a list of fields that is no JSON', "UPDATE indexes SET fields = '{'", 'registry', { index: 90 }],
  ['a state of an index', "UPDATE indexes SET state = 'retired'", 'registry', { index: 90 }],
  ['a last number that is missing', "DELETE FROM meta WHERE name = 'last'", 'registry', {}],
  ['a place with a short hash', "UPDATE sets SET hash = x'00'", 'stored', { set: 2 }],
  ['a place beyond 2^53', 'UPDATE sets SET position = 9007199254740993', 'stored', {}],
  ['a version below 0', 'UPDATE stored SET version = -1', 'stored', { set: 2, id: 's1' }],
  ['a version below 0', 'UPDATE stored SET version = -1', 'ids', { set: 2, id: 's1' }],
  ['an entry without a document', 'DELETE FROM stored', 'indexed', { index: 90 }],
  ['a later attachment that isn’t one', 'INSERT INTO later VALUES (3, 2, 0)', 'log', { position: 3 }],
  ['a later attachment to no document', 'INSERT INTO later VALUES (3, 99, 1)', 'scan', { position: 3 }],
  ['a held type without a name', 'UPDATE types SET type = 99 WHERE position = 1', 'types', { position: 1 }],
  ['a held type beyond 2^53', 'UPDATE types SET position = 9007199254740993 WHERE position = 1', 'types', {}],
  ['a success before the first event', 'UPDATE types SET succeeded = 0', 'types', {}],
  ['a generation that is missing', 'DELETE FROM meta', 'registry', {}],
  ['a number beyond 2^53', 'UPDATE commits SET time = 9007199254740993', 'commits', {}],
] as const)('%s (%s)', (_name, sql, question, where) => {
  it(`is damage to ${question}, and a finding of check`, async () => {
    const session = await edited(sql);
    await expect(QUESTIONS[question]!(session)).rejects.toMatchObject({ code: 'LogCorrupt', details: where });
    // Whatever else it meets: our error, or an answer.
    const answers = await Promise.allSettled(Object.values(QUESTIONS).map((ask) => ask(session)));
    const errors = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
    expect(errors.filter((error) => !(error instanceof TidemarkError))).toEqual([]);
    expect(await session.check()).not.toEqual([]);
    await session.close();
  });
});

it.each([
  [
    'several entries of one document',
    "INSERT INTO entries VALUES (90, x'02', 1)",
    'has several entries of the document s1.',
  ],
  [
    'an entry of a document that isn’t there',
    'UPDATE entries SET document = 77',
    'has an entry of the document 77, which',
  ],
  [
    'an entry of a document that has failed',
    "UPDATE stored SET failed = 'x'",
    'has an entry of the document s1, which',
  ],
  [
    'an entry of a document of another set',
    `INSERT INTO stored VALUES (77, 4, 'o1', 1, 1, NULL, '{}'); UPDATE entries SET document = 77`,
    'has an entry of the document o1, which',
  ],
])('check finds %s', async (_name, sql, finding) => {
  const session = await edited(sql);
  expect(await session.check()).toEqual([expect.stringContaining(finding)]);
  await session.close();
});

it('check finds an index that says other than the events', async () => {
  const session = await edited('UPDATE attachments SET position = 2 WHERE position = 4');
  const findings = await session.check();
  expect(findings.join('\n')).toMatch(/position 4.*index doesn't/);
  await session.close();
});

it.each([
  ['attachments', "UPDATE events SET attachments = 'x'; DELETE FROM attachments WHERE version = 2"],
  ['documents’ numbers', 'UPDATE documents SET number = number + 5000000000'],
])('an append on damaged ground stores nothing: %s', async (_what, sql) => {
  const session = await edited(sql);
  const [last] = await session.commits({ limit: 1, reverse: true });
  const seen = { position: 4, hash: last!.hash };
  const handled = new Map([['services', new Set(['BOUGHT'])]]);
  const batch = {
    seen,
    generation: 1,
    handled,
    reads: sql.includes('documents') ? [] : [at(service('s1'), 1)],
    commits: [commit('c4', event('BOUGHT', service('s1')))],
  };
  await expect(session.append(batch)).rejects.toMatchObject({ code: 'LogCorrupt' });
  expect((await session.commits({ limit: 1, reverse: true }))[0]!.position).toBe(4);
  await session.close();
});

/** What somebody who opens a file, checks it and reads all of it is told. */
async function damage(copy: string): Promise<unknown> {
  try {
    const session = await sqlite(copy).open();
    try {
      if ((await session.check()).length > 0) return 'LogCorrupt';
      await everything(session);
    } finally {
      await session.close();
    }
    return 'sound';
  } catch (error) {
    return error instanceof TidemarkError ? error.code : error;
  }
}

it('an overwritten page is damage, whichever it is', async () => {
  const log = await TestLog.on(sqlite(file));
  log.end = (await log.session.read({ limit: 1 })).end;
  await log.append(range(1, 300).map((n) => commit(`more-${n}`, event('BOUGHT', service('s1'), user(`u${n}`)))));
  await log.close();
  const pages = statSync(file).size / 4096;
  const codes: unknown[] = [];
  for (const page of range(1, pages - 1)) {
    const copy = join(directory, `${page}.db`);
    copyFileSync(file, copy);
    const handle = openSync(copy, 'r+');
    writeSync(handle, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
    closeSync(handle);
    codes.push(await damage(copy));
  }
  expect(codes).toEqual(range(1, pages - 1).map(() => 'LogCorrupt'));
});

it('an event of others that is missing: heads aren’t taken from a log with a gap, and what rests on another document is stored', async () => {
  const log = await TestLog.on(sqlite(file));
  log.end = (await log.session.load([])).end;
  await log.append(commit('c4', event('BOUGHT', service('s1'), user('u1'))));
  const other = await log.open();
  for (const id of ['c5', 'c6']) await log.append(commit(id, event('BOUGHT', service('s1'))), { by: other });
  const { position } = log.end;
  const head = await log.head(service('s1'), other);
  const database = new DatabaseSync(file);
  database.exec(`DELETE FROM events WHERE position = ${position}`);
  database.close();
  // Decided on what a reader makes of the log with its gap.
  const reads = [at(service('s1'), head - 1)];
  const resting = commit('c7', event('BOUGHT', service('s1')), { reads: [0] });
  const { commits, stale } = await log.appendPart([resting, commit('c8', event('NOTED', user('u9')), { reads: [] })], {
    reads,
  });
  expect(commits).toMatchObject([undefined, { position: position + 1 }]);
  expect(stale).toMatchObject([{ id: 's1', head }]);
  await log.close();
});
