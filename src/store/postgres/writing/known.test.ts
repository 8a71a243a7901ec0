/** Laws 3 and 4, wherever a batch rests on what earlier answers said of its documents. */
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { at, commit, event, GENESIS, user } from '../../../testing/conformance/batches.ts';
import { everything, TestLog } from '../../../testing/conformance/log.ts';
import { GENESIS_HASH } from '../../chain.ts';
import type { Batch } from '../../store.ts';
import { postgres } from '../index.ts';
import { APPEND_PLACES, appendParameters } from './append-parameters.ts';
import { encoded } from './encode.ts';
import { KnownDocuments } from './known.ts';

const database = testDatabase();
const point = (position: number, digit: string) => ({ position, hash: digit.repeat(64) });
const before = { position: 0, hash: GENESIS_HASH };

const session = {
  session: randomUUID(),
  fence: 0,
  lock_timeout: '1',
  durability: undefined,
  clock: undefined,
  ahead_ms: 0,
};
/** What is sent of a batch, by the parameters' names. */
function sent(batch: Batch, known: KnownDocuments) {
  const parameters = appendParameters(encoded(batch, known, session).values);
  return (name: keyof typeof APPEND_PLACES) => parameters[APPEND_PLACES[name]];
}
const TOLD = ['known_position', 'known_hash', 'known_numbers', 'known_heads'] as const;

describe('what is known of documents', () => {
  it('is their numbers for good, and their heads until somebody else writes', () => {
    const known = new KnownDocuments();
    expect(known.find(user('a'))).toBeUndefined();
    known.learn(before, point(1, '1'), [{ ...user('a'), number: 7, head: 1 }]);
    known.learn(point(1, '1'), point(2, '2'), [{ ...user('b'), number: 8, head: 1 }]);
    expect(known.find(user('a'))).toEqual({ number: 7, head: 1 });
    expect(known.end).toEqual(point(2, '2'));
    known.learn(point(5, '5'), point(6, '6'), [{ ...user('b'), number: 8, head: 4 }]);
    expect(known.find(user('a'))).toEqual({ number: 7, head: undefined });
    expect(known.find(user('b'))).toEqual({ number: 8, head: 4 });
    // The same position on another history is somebody else's too.
    known.learn(point(6, '7'), point(8, '8'), []);
    expect(known.find(user('b'))).toEqual({ number: 8, head: undefined });
    known.forget();
    expect(known.find(user('b'))).toBeUndefined();
  });

  it('goes with the batch instead of their ids', () => {
    const known = new KnownDocuments();
    const batch = {
      seen: GENESIS,
      generation: 1,
      handled: new Map<string, Set<string>>(),
      reads: [],
      commits: [commit('c1', event('BOUGHT', user('a'), user('b')))],
    };
    const untold = sent(batch, known);
    expect(untold('document_ids')).toBeInstanceOf(Buffer);
    expect(TOLD.map(untold)).toEqual([null, null, null, null]);
    known.learn(before, point(1, '1'), [
      { ...user('a'), number: 1, head: 1 },
      { ...user('b'), number: 2, head: 1 },
    ]);
    const told = sent(batch, known);
    expect(told('document_ids')).toBeNull();
    expect(told('known_position')).toBe('1');
    expect(TOLD.map(told)).not.toContain(null);
  });
});

const open = async (name: string): Promise<TestLog> => TestLog.on(postgres(database.url, { schema: name }));

describe('laws 3 and 4: a batch that tells of documents', () => {
  it('takes the versions after those that others wrote', async () => {
    const log = await open('others');
    const other = await log.open();
    await log.append(commit('c1', event('BOUGHT', user('a'), user('b'))));
    await log.append(commit('c2', event('BOUGHT', user('a'))));
    await log.append(commit('c3', event('BOUGHT', user('a'))), { by: other });
    expect((await log.append(commit('c4', event('BOUGHT', user('a'), user('b'))))).versions).toEqual([4, 2]);
    // Also if it doesn't know of them yet.
    await log.append(commit('c5', event('BOUGHT', user('b'))), { by: other });
    const { end } = log;
    expect((await log.append(commit('c6', event('BOUGHT', user('b'))), { seen: GENESIS })).versions).toEqual([4]);
    expect(log.end.position).toBe(end.position + 1);
    expect((await log.refuse(commit('c7', event('NOTED')), { reads: [at(user('b'), 2)] })).stale[0]?.head).toBe(4);
    expect(await log.session.check()).toEqual([]);
    await log.close();
  });

  it('knows nothing of what was rolled back', async () => {
    const log = await open('rolled_back');
    const other = await log.open();
    await log.append(commit('c1', event('BOUGHT', user('a'))));
    const { end } = log;
    await log.session
      .exclusive(async (by) => {
        await log.append(commit('c2', event('BOUGHT', user('new'), user('a'))), { by });
        throw new Error('not that');
      })
      .catch(() => undefined);
    log.end = end;
    // Takes the number that `new` would have had.
    await log.append(commit('c3', event('BOUGHT', user('other'))), { by: other });
    expect((await log.append(commit('c4', event('BOUGHT', user('new'), user('a'))))).versions).toEqual([1, 2]);
    expect((await log.session.documents({ limit: 10 })).map(({ id, head }) => [id, head])).toEqual([
      ['a', 2],
      ['new', 1],
      ['other', 1],
    ]);
    expect(await log.session.check()).toEqual([]);
    await log.close();
  });

  it('knows nothing of a log that another has taken the place of', async () => {
    const log = await open('replaced');
    await log.append(commit('c1', event('BOUGHT', user('a'), user('b'))));
    await log.append(commit('c2', event('BOUGHT', user('a'))));
    const client = new Client(database.url);
    await client.connect();
    await client.query('TRUNCATE replaced.commits, replaced.events, replaced.attachments, replaced.documents');
    await client.end();
    log.end = GENESIS;
    const other = await log.open();
    for (const id of ['c3', 'c4', 'c5']) await log.append(commit(id, event('BOUGHT', user('b'))), { by: other });
    expect((await log.append(commit('c6', event('BOUGHT', user('a'), user('b'))))).versions).toEqual([1, 4]);
    expect((await log.append(commit('c7', event('BOUGHT', user('a'), user('b'))))).versions).toEqual([2, 5]);
    const { documents, events } = await everything(log.session);
    expect(documents.map(({ id, head }) => [id, head])).toEqual([
      ['a', 2],
      ['b', 5],
    ]);
    expect(events).toHaveLength(5);
    expect(await log.session.check()).toEqual([]);
    await log.close();
  });

  it('knows nothing of such a log either once it has stored a batch there that told of no document', async () => {
    const log = await open('replaced_untold');
    await log.append(commit('c1', event('BOUGHT', user('a'))));
    await database.run(
      'TRUNCATE replaced_untold.commits, replaced_untold.events, replaced_untold.attachments, replaced_untold.documents',
    );
    log.end = GENESIS;
    const other = await log.open();
    await log.append(commit('c2', event('BOUGHT', user('b'))), { by: other });
    await log.append(commit('c3', event('BOUGHT', user('c'))));
    expect((await log.append(commit('c4', event('BOUGHT', user('a'))))).versions).toEqual([1]);
    const { documents } = await everything(log.session);
    expect(documents.map(({ id, head }) => [id, head])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
    await log.close();
  });
});
