/** The check that the others lean on finds what it is there to find: a sound log, broken in one way at a time. */
import { join } from 'node:path';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import { acknowledged, type Acknowledged } from './acknowledged.ts';
import { faultsBySql } from './kill-check.ts';
import { asking, copyLog } from './log-by-sql.ts';
import { order, orderOf, parts } from './orders.ts';
import { randomOf } from '../support/seed.ts';

const folder = temporaryFolder();
const file = join(folder, 'sound.db');
const all: Acknowledged[] = [];

beforeAll(async () => {
  const random = randomOf(7);
  await using app = await open({ store: sqlite(file), ...parts });
  for (let n = 1; n <= 40; n += 1) {
    all.push(acknowledged(`o${n}`, await app.execute(order, orderOf(`o${n}`, random), { id: `o${n}` })));
  }
});

test('nothing is found where nothing is wrong, failures and long commits included', () => {
  expect(faultsBySql(file, all)).toEqual([]);
  expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['succeeded', 'failed']));
  expect(Math.max(...all.map(({ events }) => events.length))).toBe(5);
});

const LAST = '(SELECT max(position) FROM commits WHERE event_count > 2)';

test.each([
  ['an event taken out', 'DELETE FROM events WHERE position = 9', /positions are not/],
  ['the log cut off', 'DELETE FROM events WHERE position > 30', /not as many events/],
  ['a commit lost at the end', 'DELETE FROM commits WHERE position = (SELECT max(position) FROM commits)', /is lost/],
  ['a commit lost in the middle', 'DELETE FROM commits WHERE position = 1', /does not begin where/],
  [
    'half a commit, by numbers that add up',
    `DELETE FROM attachments WHERE position > ${LAST} + 1; DELETE FROM events WHERE position > ${LAST} + 1;
     DELETE FROM commits WHERE position > ${LAST}; UPDATE commits SET event_count = 2 WHERE position = ${LAST}`,
    /is not whole/,
  ],
  ['a command stored twice', "UPDATE commits SET command_id = 'o1', attempt = 9 WHERE command_id = 'o2'", /o2 .* lost/],
  ['another content', "UPDATE events SET json = replace(json, 'sku', 'skv')", /another content/],
  ['another outcome', "UPDATE commits SET outcome = 1 - outcome WHERE command_id = 'o3'", /another content/],
  ['a time that runs backwards', 'UPDATE commits SET recorded_at = 1 WHERE position > 1', /backwards/],
  [
    'a version left out',
    'UPDATE attachments SET version = 99 WHERE document = 1 AND version = 1',
    /versions of a document/,
  ],
  ['an attachment lost', 'DELETE FROM attachments WHERE position = 5', /is not what its documents say/],
  [
    'a decision on stale ground',
    "UPDATE events SET json = json_set(json, '$.nth', (json ->> 'nth') - 1) WHERE json ->> 'nth' = 3",
    /says that it is 2/,
  ],
])('%s is found', (_, damage, said) => {
  const broken = copyLog(file, join(folder, 'broken.db'));
  asking(broken, (database) => database.exec(damage));
  expect(faultsBySql(broken, all).join('\n')).toMatch(said);
});
