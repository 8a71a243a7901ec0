/** What check() finds, each broken by the hand of a superuser. */
import { describe, expect, it } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { commit, event, range, service, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { addIndex, addKeying, attach } from '../../../testing/conformance/registered.ts';
import { document, entry, TestSet } from '../../../testing/conformance/sets.ts';
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
  ["UPDATE $.keyings SET key = '{\"fields\":1}' WHERE name = 'users'", 'the declared key of the keying users'],
  ["UPDATE $.keyings SET key = 'x' WHERE name = 'users'", 'the declared key of the keying users'],
  ["UPDATE $.definitions SET handled = '{}' WHERE keying = 'users'", 'handled types of definition 1 of users'],
  ["DELETE FROM $.meta WHERE name = 'generation'", 'The generation of the registry is missing.'],
  [
    "UPDATE $.meta SET value = 9 WHERE name = 'generation'",
    'has no definition, no place, or one that the log doesn’t hold',
  ],
  ["UPDATE $.keyings SET state = 'lost' WHERE name = 'users'", 'The keying users has a state, or a place'],
  ["UPDATE $.keyings SET filled = 99 WHERE name = 'seats'", 'The keying seats has a state, or a place'],
  ["UPDATE $.keyings SET unswept = 'a' WHERE name = 'users'", 'The keying users has a state, or a place'],
  ["DELETE FROM $.keyings WHERE name = 'users'", 'Definition 1 of users has no keying.'],
  ['UPDATE $.sets SET position = 99', 'has no definition, no place, or one that the log doesn’t hold'],
  ['UPDATE $.sets SET position = position - 1 WHERE position > 0', 'no place, or one that the log doesn’t hold'],
  ['DELETE FROM $.sets WHERE position = 0', 'has no definition, no place, or one that the log doesn’t hold'],
  ["DELETE FROM $.definitions WHERE collection = 'orders'", 'has no definition, no place'],
  ["UPDATE $.indexes SET state = 'retired'", 'has a state that isn’t valid.'],
  ["UPDATE $.indexes SET fields = '[1]'", 'fields of the index'],
  ["DELETE FROM $.meta WHERE name = 'last'", 'The last number of the registry is missing'],
  ["UPDATE $.meta SET value = 1 WHERE name = 'last'", 'The last number of the registry is 1'],
  ['UPDATE $.stored SET version = 0', 'The document u1 of the set'],
  ['UPDATE $.stored SET changed = version + 1', 'The document u1 of the set'],
  ['DELETE FROM $.stored', 'has an entry of the document u1, which isn’t stored.'],
  ["UPDATE $.stored SET failed = 'x'", 'has an entry of the document u1, which isn’t stored.'],
  ["UPDATE $.entries SET id = 'u2'", 'has an entry of the document u2, which isn’t stored.'],
  [
    "INSERT INTO $.entries (index_number, key, id) SELECT index_number, 'other', id FROM $.entries",
    'has several entries of the document u1.',
  ],
  ['DELETE FROM $.later', 'The index holds 7 attachments, the events 6.'],
  ['UPDATE $.later SET version = 7', 'says that it is version 7 of document'],
  [
    'UPDATE $.attachments SET type = type + 1 WHERE position = 1 AND document = 5',
    'says that it is version 1 of document 5',
  ],
  ['ALTER TABLE $.entries DROP CONSTRAINT entries_pkey', 'no unique key (index_number,key)'],
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
    await addKeying(log.session, 'seats');
    const set = TestSet.of(log);
    const index = await addIndex(log.session, set.number, { state: 'live' });
    set.generation = (await log.session.registry()).generation;
    await set.advance([document('u1', 3)], { added: [entry(index, 'key', 'u1')] });
    const attachments = [{ position: 1, type: 'NOTED', ids: ['l1'] }];
    await attach(log.session, { keying: 'seats', to: 1, attachments });
    expect(await log.session.check()).toEqual([]);
    await database.run(sql.replaceAll('$.', `${schema}.`));
    expect((await log.session.check()).join(' ').replaceAll("n't", 'n’t')).toContain(finding);
    await log.close();
  });
});
