/** What check() finds, each broken by the hand of a superuser. */
import { describe, expect, it } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { commit, event, range, service, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { postgres } from '../index.ts';

const database = testDatabase();
let schemas = 0;

/** What is done to `$`, and what is said of it. */
const DAMAGE = [
  ['DELETE FROM $.events WHERE position = 2', 'Events are missing from position 2 up to 3.'],
  ['DELETE FROM $.commits WHERE position = 2', 'A commit begins at position 3, where 2 was expected.'],
  ['UPDATE $.commits SET event_count = 0 WHERE position = 3', 'The commit at position 3 says that it has 0 events.'],
  ['DELETE FROM $.events WHERE position = 3', 'The events end at position 2, the commits at 3.'],
  [
    "UPDATE $.events SET attachments = '1,x' WHERE position = 1",
    'The event at position 1 has no list of its documents.',
  ],
  ['UPDATE $.attachments SET position = 3 WHERE version = 2', 'the index doesn’t'],
  [
    'DELETE FROM $.attachments WHERE document = 1 AND version = 2',
    'Document 1 has an event of version 3 where 2 was expected.',
  ],
  ["UPDATE $.names SET number = 99 WHERE name = 'NOTED'", 'which has no name'],
  ["UPDATE $.names SET number = 99 WHERE name = 'DO_IT'", 'which has no name'],
  ['DELETE FROM $.documents WHERE number = 1', 'Document 1 has events but no id.'],
  ["INSERT INTO $.documents VALUES (77, 1, 'ghost')", 'Document 77 has no collection or no events.'],
  ["UPDATE $.commits SET hash = 'x' WHERE position = 1", 'a hash, fingerprint, outcome or time that isn’t valid'],
  ['UPDATE $.commits SET recorded_at = 5 WHERE position = 3', 'was recorded before the one before it'],
  ['UPDATE $.events SET time = 5 WHERE position = 3', 'has another time than its commit'],
  ['DELETE FROM $.types', 'the list of types says null'],
  ['INSERT INTO $.types VALUES (99, 3, 3)', 'The first event of type 99 is at position null'],
  [
    'UPDATE $.types SET succeeded = NULL WHERE position = 1',
    'in a success is at position 1, the list of types says null',
  ],
  ["UPDATE $.registry SET key = '{\"fields\":1}' WHERE name = 'users'", 'of the collection users'],
  ["UPDATE $.registry SET key = 'x' WHERE name = 'users'", 'of the collection users'],
  ["UPDATE $.registry SET handled = '{}' WHERE name = 'users'", 'of the collection users'],
  ["DELETE FROM $.meta WHERE name = 'generation'", 'The generation of the registry is missing.'],
  ["UPDATE $.meta SET value = 9 WHERE name = 'generation'", 'The registry is of generation 9'],
  ['ALTER TABLE $.commits DROP CONSTRAINT commits_command_id_attempt_key', 'no unique key (command_id,attempt)'],
  [
    `CREATE FUNCTION $.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
     CREATE TRIGGER lost BEFORE INSERT ON $.events FOR EACH ROW EXECUTE FUNCTION $.nothing()`,
    'The trigger lost changes what is written to the table events.',
  ],
  ['UPDATE $.events SET position = -1 WHERE position = 1', 'Events are missing from position 1 up to -1.'],
  ['UPDATE $.commits SET position = -1 WHERE position = 1', 'A commit begins at position -1, where 1 was expected.'],
  ['UPDATE $.attachments SET document = -7 WHERE document = 2', 'Document -7 has events but no id.'],
  [
    'UPDATE $.attachments SET version = -7 WHERE document = 2',
    'Document 2 has an event of version -7 where 1 was expected.',
  ],
  ["INSERT INTO $.documents VALUES (-5, 1, 'ghost')", 'Document -5 has no collection or no events.'],
  ['DROP TABLE $.names', 'PostgreSQL could not go on'],
] as const;

describe('check', () => {
  it.each(DAMAGE)('%s', async (sql, finding) => {
    const schema = `check_${(schemas += 1)}`;
    const log = await TestLog.on(postgres(database.url, { schema }));
    await log.append(range(1, 3).map((n) => commit(`c${n}`, event('NOTED', user('u1'), service(`s${n}`)))));
    expect(await log.session.check()).toEqual([]);
    await database.run(sql.replaceAll('$.', `${schema}.`));
    expect((await log.session.check()).join(' ').replaceAll("n't", 'n’t')).toContain(finding);
    await log.close();
  });
});
