/** A dump by `sqlite3` that was put back, which the program `sqlite3` must be there for. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test/support/stores.ts';
import { commit, event, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { sqlite, type SqliteOptions } from '../index.ts';

const directory = temporaryFolder();

it('has no mark, and is refused; with the mark that the refusal says it is a log', async () => {
  const [original, file] = [join(directory, 'market.db'), join(directory, 'restored.db')];
  const made = await TestLog.on(sqlite(original));
  await made.append([commit('c1', event('REGISTERED', user('u1'))), commit('c2', event('NOTED', user('u1')))]);
  await made.close();
  execFileSync('sh', ['-c', 'sqlite3 "$0" .dump | sqlite3 "$1"', original, file]);
  const refused = async (options?: SqliteOptions): Promise<string> => {
    const error: unknown = await sqlite(file, options)
      .open()
      .catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'NotALog' });
    return String(error);
  };
  const said = await refused();
  expect(await refused({ readOnly: true })).toContain('PRAGMA application_id');
  const [, command = ''] = /: (sqlite3 .*)$/.exec(said) ?? [];
  execFileSync('sh', ['-c', command]);
  const log = await TestLog.on(sqlite(file));
  expect(await log.head(user('u1'))).toBe(2);
  expect(await log.session.check()).toEqual([]);
  await log.close();
});
