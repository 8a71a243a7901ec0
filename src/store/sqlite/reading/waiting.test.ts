/** How a file is waited for: what is asked, how often, and what that leaves behind. */
import { mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import timers from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { commit, event, range } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { MOVED_MS } from '../../store.ts';
import type { Session } from '../../store.ts';
import { sqlite } from '../index.ts';

let directory: string;
let file: string;
let log: TestLog;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-waiting-'));
  file = join(directory, 'market.db');
  log = await TestLog.on(sqlite(file));
  await log.append(commit('c1', event('NOTED')));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await log.close();
  rmSync(directory, { recursive: true });
});

const wait = (session: Session, signal = new AbortController().signal) => session.moved(log.end, signal);

/** Until whoever waits has had his first look and the file was asked: later ones have to be woken. */
const asleep = (): Promise<void> => setTimeout(MOVED_MS);

/** Timers that never go off, so that only what needs none goes on. */
function stillTimers() {
  const begun = vi.spyOn(timers, 'setInterval').mockReturnValue({} as NodeJS.Timeout);
  const ended = vi.spyOn(timers, 'clearInterval').mockReturnValue();
  return { begun, running: () => begun.mock.calls.length - ended.mock.calls.length };
}

it('what this process commits wakes its sessions without a timer', async () => {
  const other = await log.open();
  stillTimers();
  const waiting = [log.session, other].map((session) => wait(session));
  await asleep();
  const { end } = await log.append(commit('c2', event('NOTED')));
  expect(await Promise.all(waiting)).toEqual([end, end]);
  const section = [log.session, other].map((session) => wait(session));
  await asleep();
  await other.exclusive((by) => log.append(commit('c3', event('NOTED')), { by }));
  expect((await Promise.all(section)).map(({ position }) => position)).toEqual([3, 3]);
});

it('what is committed by way of another name of the file is asked for, as of another process', async () => {
  const link = join(directory, 'link.db');
  symlinkSync(file, link);
  const other = await sqlite(link).open();
  for (const n of range(2, 6)) {
    const waiting = wait(log.session);
    await asleep();
    const { end } = await log.append(commit(`c${n}`, event('NOTED')), { by: other });
    expect(await waiting).toEqual(end);
  }
  await other.close();
});

it('asks by one timer for all who wait, and by none once nobody does', async () => {
  const timers = stillTimers();
  const controller = new AbortController();
  const waiting = range(1, 20).map(() => wait(log.session, controller.signal).catch(() => 'given up'));
  expect([timers.begun.mock.calls.length, timers.running()]).toEqual([1, 1]);
  controller.abort();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['given up']));
  expect(timers.running()).toBe(0);
  const closing = wait(log.session);
  await asleep();
  expect(timers.running()).toBe(1);
  await Promise.all([expect(closing).rejects.toMatchObject({ code: 'Closed' }), log.session.close()]);
  expect(timers.running()).toBe(0);
});

it.each(['', '-wal', '-shm'])(
  'notices that market.db%s was moved away, and goes on once it is back',
  async (suffix) => {
    const gone = wait(log.session);
    await asleep();
    renameSync(file + suffix, `${file}${suffix}.moved`);
    await expect(gone).rejects.toMatchObject({ code: 'StoreUnavailable', retryable: false });
    renameSync(`${file}${suffix}.moved`, file + suffix);
    const waiting = wait(log.session);
    const { end } = await log.append(commit('c2', event('NOTED')));
    expect(await waiting).toEqual(end);
  },
);

it('law 9: notices that commits were cut off', async () => {
  const waiting = wait(log.session);
  await asleep();
  truncateSync(`${file}-wal`, 0);
  await expect(waiting).rejects.toMatchObject({ code: 'HistoryDiverged' });
});
