/**
 * Law 9: whatever is changed in a log by plain SQL is found, and named by its position where it has one. Each row of the
 * table is one change; what is expected of it is exact.
 */
/* eslint-disable unicorn/consistent-function-scoping -- beside its use */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Problem } from 'tidemark';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import { isOurs } from './asking.ts';
import { AT, makeShopLog, openShopApp } from './shop-log.ts';

const folder = temporaryFolder();
const sound = join(folder, 'sound.db');
let files = 0;

beforeAll(() => makeShopLog(sound));

/** What somebody finds who opens the log after the change, and verifies it. */
async function findings(sql: string): Promise<readonly Problem[] | { readonly code: string }> {
  const file = join(folder, `${(files += 1)}.db`);
  copyFileSync(sound, file);
  const database = new DatabaseSync(file);
  const changes = database.prepare('SELECT total_changes() AS n');
  const before = changes.get()!['n'];
  database.exec(sql);
  expect(changes.get()!['n'], 'the change must change something').not.toBe(before);
  database.close();
  try {
    await using app = await openShopApp(file);
    const { ok, problems } = await app.verify();
    expect(ok).toBe(problems.length === 0);
    return problems;
  } catch (error) {
    if (isOurs(error)) return { code: error.code };
    throw error;
  }
}

const at = (position: number): string => `WHERE position = ${position}`;
const later = AT.bought + 1;

test('control: nothing is found where nothing was changed, also by a change that changes nothing', async () => {
  expect(await findings(`UPDATE events SET json = json ${at(AT.bought)}`)).toEqual([]);
});

describe('law 9: a changed fact breaks the chain at its commit', () => {
  test.each([
    ['events', 'json', `replace(json, '"price":5', '"price":6')`, AT.bought],
    ['events', 'json', `json || ' '`, AT.bought],
    ['events', 'json', `'{"price":5'`, AT.bought],
    ['events', 'json', `''`, AT.bought],
    ['events', 'type', `(SELECT number FROM names WHERE name = 'SERVICE_VIEWED')`, AT.bought],
    ['events', 'schema_version', '2', AT.bought],
    ['commits', 'command_id', `'another'`, AT.bought],
    ['commits', 'name', `(SELECT number FROM names WHERE name = 'VIEW_SERVICE')`, AT.bought],
    ['commits', 'fingerprint', 'zeroblob(32)', AT.bought],
    ['commits', 'actor', `'eve'`, AT.bought],
    ['commits', 'actor', 'NULL', AT.bought],
    ['commits', 'actor', `''`, AT.bought],
    ['commits', 'correlation', `'other'`, AT.bought],
    ['commits', 'correlation', 'NULL', AT.bought],
    ['commits', 'causation', `'other'`, AT.bought],
    ['commits', 'causation', 'NULL', AT.bought],
    ['commits', 'outcome', '1', AT.bought],
    ['commits', 'outcome', '0', AT.soldOut],
    ['commits', 'reason', `'BORED'`, AT.soldOut],
    ['commits', 'reason', 'NULL', AT.soldOut],
    ['commits', 'reason', `'SOLD_OUT'`, AT.bought],
    ['commits', 'details', `'{"left":1}'`, AT.soldOut],
    ['commits', 'details', 'NULL', AT.soldOut],
    ['commits', 'details', `'{}'`, AT.bought],
    ['commits', 'attempt', 'position', AT.soldOut],
    ['commits', 'attempt', '0', AT.errored],
    ['commits', 'recorded_at', 'recorded_at + 1', AT.bought],
    ['commits', 'hash', 'randomblob(32)', AT.bought],
    // The last one has nobody after it.
    ['commits', 'hash', 'randomblob(32)', AT.last],
    ['commits', 'recorded_at', 'recorded_at + 1', AT.last],
    ['commits', 'actor', `'eve'`, AT.last],
    ['commits', 'actor', `'eve'`, 1],
  ])('%s.%s = %s at position %i', async (table, column, value, position) => {
    const found = await findings(`UPDATE ${table} SET ${column} = ${value} ${at(position)}`);
    expect(found).toContainEqual(expect.objectContaining({ code: 'Chain', position }));
    // Nothing is said against the chain before it.
    expect((found as Problem[]).filter(({ code, position: p = Infinity }) => code === 'Chain' && p < position)).toEqual(
      [],
    );
  });

  test('an event of a commit of several: the chain breaks at the commit', async () => {
    const found = await findings(`UPDATE events SET json = replace(json, 'x2', 'x3') ${at(AT.shop + 2)}`);
    expect(found).toContainEqual(expect.objectContaining({ code: 'Chain', position: AT.shop }));
    expect(found).toContainEqual(expect.objectContaining({ code: 'Attachments', position: AT.shop + 2 }));
  });

  test('both times of a decision, of the commit and of its event', async () => {
    const found = await findings(
      `UPDATE commits SET time = time - 1 ${at(AT.bought)}; UPDATE events SET time = time - 1 ${at(AT.bought)}`,
    );
    expect(found).toEqual([expect.objectContaining({ code: 'Chain', position: AT.bought })]);
  });
});

describe('law 9: what no log can hold is named where it stands', () => {
  test.each([
    ['the time of an event alone: folds take it', `UPDATE events SET time = time - 1 ${at(AT.bought)}`, AT.bought],
    ['the time of a commit alone', `UPDATE commits SET time = time - 1 ${at(AT.bought)}`, AT.bought],
    ['a success that isn’t final', `UPDATE commits SET attempt = position ${at(AT.bought)}`, AT.bought],
    ['an attempt that is another’s', `UPDATE commits SET attempt = 7 ${at(AT.errored)}`, AT.errored],
    ['an outcome that doesn’t exist', `UPDATE commits SET outcome = 2 ${at(AT.bought)}`, AT.bought],
    ['a short hash', `UPDATE commits SET hash = x'00' ${at(AT.bought)}`, AT.bought],
    ['a short fingerprint', `UPDATE commits SET fingerprint = x'' ${at(AT.bought)}`, AT.bought],
    ['a time before 1970', `UPDATE commits SET time = -1 ${at(AT.bought)}`, AT.bought],
    ['a number beyond 2^53', `UPDATE commits SET recorded_at = 9007199254740993 ${at(AT.bought)}`, AT.bought],
    [
      'a schema version of more than 32 bits',
      `UPDATE events SET schema_version = 4294967296 ${at(AT.bought)}`,
      AT.bought,
    ],
    ['a schema version below 0', `UPDATE events SET schema_version = -1 ${at(AT.bought)}`, AT.bought],
    ['a type without a name', `UPDATE events SET type = 99 ${at(AT.bought)}`, AT.bought],
    ['a command without a name', `UPDATE commits SET name = 99 ${at(AT.bought)}`, AT.bought],
    ['a list that is none', `UPDATE events SET attachments = '{}' ${at(AT.bought)}`, AT.bought],
    ['a list of a document that isn’t there', `UPDATE events SET attachments = '[99,1]' ${at(AT.bought)}`, AT.bought],
    ['a deleted event in the middle', `DELETE FROM events ${at(AT.bought)}`, AT.bought],
    ['the first event deleted', `DELETE FROM events ${at(1)}`, 1],
    ['the last event deleted', `DELETE FROM events ${at(AT.last)}`, AT.last],
    ['an event of several deleted', `DELETE FROM events ${at(AT.shop + 1)}`, AT.shop + 1],
    ['a deleted commit in the middle', `DELETE FROM commits ${at(AT.bought)}`, AT.bought],
    ['the first commit deleted', `DELETE FROM commits ${at(1)}`, 1],
    ['a commit that says it has fewer events', `UPDATE commits SET event_count = 2 ${at(AT.shop)}`, AT.shop + 2],
    ['the last commit says it has more events', `UPDATE commits SET event_count = 2 ${at(AT.last)}`, AT.last + 1],
    [
      'the last commit says it has a million of a million',
      `UPDATE commits SET event_count = 1e12 ${at(AT.last)}`,
      AT.last + 1,
    ],
    ['an event moved behind the end', `UPDATE events SET position = 99 ${at(AT.bought)}`, AT.bought],
  ])('%s', async (_, sql, position) => {
    expect(await findings(sql)).toContainEqual(expect.objectContaining({ code: 'Chain', position }));
  });

  test('a commit that says it has more events: the order (what is hashed are the events that are there)', async () => {
    const found = await findings(`UPDATE commits SET event_count = 2 ${at(AT.bought)}`);
    expect(found).toContainEqual(expect.objectContaining({ code: 'Order', position: AT.bought }));
  });

  test('a commit recorded before the one before it: the order, and the chain', async () => {
    const found = await findings(`UPDATE commits SET recorded_at = 1 ${at(AT.bought)}`);
    expect(found).toContainEqual(expect.objectContaining({ code: 'Order', position: AT.bought }));
  });

  test('the last commit deleted: its event is there, but no commit’s', async () => {
    const found = await findings(`DELETE FROM commits ${at(AT.last)}`);
    expect(found).toContainEqual({
      code: 'Store',
      message: `The events end at position ${AT.last}, the commits at ${AT.last - 1}.`,
    });
    expect(found).toContainEqual(expect.objectContaining({ code: 'Attachments', position: AT.last }));
  });

  test('the last commit and its event deleted, and what they attached: only who kept its hash can tell', async () => {
    const sql = ['commits', 'events', 'attachments'].map((table) => `DELETE FROM ${table} ${at(AT.last)}`).join(';');
    expect(await findings(sql)).toEqual([]);
  });

  test('two commits swapped, with their events', async () => {
    const swap = (table: string): string =>
      [
        `SET position = -1 ${at(later)}`,
        `SET position = ${later} ${at(AT.bought)}`,
        `SET position = ${AT.bought} ${at(-1)}`,
      ]
        .map((rest) => `UPDATE ${table} ${rest}`)
        .join(';');
    const found = await findings(`${swap('commits')};${swap('events')}`);
    expect(found).toContainEqual(expect.objectContaining({ code: 'Order', position: AT.bought + 1 }));
    for (const position of [AT.bought, AT.bought + 1]) {
      expect(found).toContainEqual(expect.objectContaining({ code: 'Chain', position }));
    }
  });

  test('two events of a commit swapped', async () => {
    const found = await findings(
      `UPDATE events SET position = -1 ${at(AT.shop)}; UPDATE events SET position = ${AT.shop} ${at(AT.shop + 1)};
       UPDATE events SET position = ${AT.shop + 1} ${at(-1)}`,
    );
    expect(found).toContainEqual(expect.objectContaining({ code: 'Chain', position: AT.shop }));
  });
});

/** A purchase is attached to a service (s3), the buyer (b3) and the seller (ann). */
const document = (id: string): string => `(SELECT number FROM documents WHERE id = '${id}')`;

describe('law 4, law 9: what is attached to what', () => {
  test.each([
    [
      'a row of the index deleted in the middle: versions have a gap',
      `DELETE FROM attachments WHERE document = ${document('s3')} AND version = 2`,
      { code: 'Document', collection: 'services', id: 's3' },
    ],
    [
      'the last row of a document deleted',
      `DELETE FROM attachments WHERE document = ${document('none')}`,
      { code: 'Document', collection: 'services', id: 'none' },
    ],
    [
      'a row added',
      `INSERT INTO attachments SELECT ${document('s1')}, max(version) + 1, ${AT.last}, type FROM attachments WHERE document = ${document('s1')}`,
      { code: 'Attachments', position: AT.last, collection: 'services', id: 's1' },
    ],
    [
      'a row that leads to another event',
      `UPDATE attachments SET position = ${AT.bought + 1} WHERE position = ${AT.bought} AND document = ${document('s3')}`,
      { code: 'Attachments', position: AT.bought + 1, collection: 'services', id: 's3' },
    ],
    [
      'two versions of a document swapped',
      `UPDATE attachments SET version = -1 WHERE document = ${document('s3')} AND version = 2;
       UPDATE attachments SET version = 2 WHERE document = ${document('s3')} AND version = 3;
       UPDATE attachments SET version = 3 WHERE document = ${document('s3')} AND version = -1`,
      { code: 'Attachments', position: AT.bought, collection: 'services', id: 's3' },
    ],
    [
      'all versions of a document shifted by one',
      `UPDATE attachments SET version = version + 1000 WHERE document = ${document('s3')};
       UPDATE attachments SET version = version - 999 WHERE document = ${document('s3')}`,
      { code: 'Document', collection: 'services', id: 's3' },
    ],
    [
      'the type that the index keeps: it decides who is stale',
      `UPDATE attachments SET type = ${"(SELECT number FROM names WHERE name = 'SERVICE_VIEWED')"} WHERE position = ${AT.bought}`,
      { code: 'Store' },
    ],
    [
      'a document’s row re-pointed to another document',
      `UPDATE attachments SET document = ${document('none')}, version = 2 WHERE document = ${document('s3')} AND version = 4`,
      { code: 'Attachments', collection: 'services', id: 'none' },
    ],
    [
      'the list inline with an event, of another document',
      `UPDATE events SET attachments = (SELECT attachments FROM events ${at(AT.bought + 1)}) ${at(AT.bought)}`,
      { code: 'Attachments', position: AT.bought },
    ],
    [
      'the list inline with an event, of another version',
      `UPDATE events SET attachments = json_set(attachments, '$[1]', 9) ${at(AT.bought)}`,
      { code: 'Attachments', position: AT.bought },
    ],
    [
      'a list emptied, and the index with it',
      `UPDATE events SET attachments = '[]' ${at(AT.last)}; DELETE FROM attachments ${at(AT.last)}`,
      { code: 'Attachments', position: AT.last },
    ],
    ['the id of a document', `UPDATE documents SET id = 's33' WHERE id = 's3'`, { code: 'Attachments', position: 4 }],
    [
      'the collection of a document',
      `UPDATE documents SET collection = (SELECT number FROM names WHERE name = 'users') WHERE id = 's3'`,
      { code: 'Attachments', position: 4 },
    ],
    [
      'the name of a collection',
      `UPDATE names SET name = 'customers' WHERE name = 'users'`,
      { code: 'Attachments', position: 1 },
    ],
    [
      'the name of a type',
      `UPDATE names SET name = 'SERVICE_SOLD' WHERE name = 'SERVICE_BOUGHT'`,
      { code: 'Chain', position: 17 },
    ],
    [
      'the name of a command',
      `UPDATE names SET name = 'SELL_SERVICE' WHERE name = 'BUY_SERVICE'`,
      { code: 'Chain', position: 17 },
    ],
    [
      'a registered key of a collection that the code doesn’t know',
      `INSERT INTO keyings VALUES ('guests', 'guests', '{"fields":["buyer_id"]}', NULL, 'live', 0)`,
      { code: 'Attachments', position: 17 },
    ],
    ['a type that the log holds, taken from the list', 'DELETE FROM types WHERE position > 1', { code: 'Store' }],
    [
      'a type that the log never held',
      `INSERT INTO types SELECT number, 3, 3 FROM names WHERE name = 'users'`,
      { code: 'Store' },
    ],
    ['a type’s first event', 'UPDATE types SET position = position + 1, succeeded = succeeded + 1', { code: 'Store' }],
    ['a type’s first success', 'UPDATE types SET succeeded = NULL', { code: 'Store' }],
    ['the registry’s last number, gone back', `UPDATE meta SET value = 1 WHERE name = 'last'`, { code: 'Store' }],
    ['the registry’s generation, gone back', `UPDATE meta SET value = 0`, { code: 'Store' }],
    [
      'a trigger',
      'CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM commits; END; UPDATE meta SET value = value',
      { code: 'Store' },
    ],
  ])('%s', async (_, sql, expected) => {
    expect(await findings(sql)).toContainEqual(expect.objectContaining(expected));
  });

  test.each([
    [
      'a registered key',
      `UPDATE keyings SET key = '{"fields":["buyer_id"]}' WHERE name = 'users'`,
      'DefinitionChanged',
    ],
    [
      'a type handled by nobody’s code',
      `UPDATE definitions SET handled = '["A"]' WHERE collection = 'users'`,
      'DefinitionChanged',
    ],
    [
      'types that are handled, taken out',
      `UPDATE definitions SET handled = '[]' WHERE collection = 'services'`,
      'DefinitionChanged',
    ],
    ['a list of types that is none', `UPDATE definitions SET handled = '[1]' WHERE collection = 'users'`, 'LogCorrupt'],
    ['a registered definition', `UPDATE definitions SET definition = 2 WHERE collection = 'users'`, 'RebuildRequired'],
    ['a collection taken out', `DELETE FROM definitions WHERE collection = 'users'`, 'RebuildRequired'],
    ['a key that is no JSON', `UPDATE keyings SET key = '{' WHERE name = 'users'`, 'LogCorrupt'],
    ['a key that is none', `UPDATE keyings SET key = 'null' WHERE name = 'users'`, 'LogCorrupt'],
    [
      'a key that is a function’s',
      `UPDATE keyings SET key = '{"types":{"A":"function"}}' WHERE name = 'users'`,
      'DomainOutdated',
    ],
    [
      'a function’s key of a collection that the code doesn’t know',
      `INSERT INTO keyings VALUES ('guests', 'guests', '{"types":{"A":"function"}}', 99, 'live', 0)`,
      'DomainOutdated',
    ],
    ['the generation deleted', 'DELETE FROM meta', 'LogCorrupt'],
    ['a table dropped', `UPDATE meta SET value = value; DROP TABLE attachments`, 'LogCorrupt'],
  ])('%s: refused at opening', async (_, sql, code) => {
    expect(await findings(sql)).toEqual({ code });
  });
});
