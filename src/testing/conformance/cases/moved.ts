/**
 * Waiting for the log to move: a session that waits is woken by each new commit, whoever wrote it, and by nothing else.
 */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { abortController } from '../../../realm.ts';
import { MOVED_MS } from '../../../store/store.ts';
import type { LogEnd, LogPoint, Session } from '../../../store/store.ts';
import { at, commit, event, GENESIS, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { soon } from '../patience.ts';
import { each, same, throwsCode } from '../plain.ts';

const never = (): AbortSignal => abortController().signal;

/** What a wait has answered, once it has. */
const told = <T>(waiting: Promise<T>): Promise<T> => soon('a wait', waiting);

/** Begins a wait, and says whether it is over. If the case ends earlier, the error of the closed session is ignored. */
function waitingAt(session: Session, from: LogPoint, signal = never()) {
  const waiting = { over: false, end: session.moved(from, signal) };
  const isOver = (): void => void (waiting.over = true);
  waiting.end.then(isOver, isOver);
  return waiting;
}

/** After this, a wait has read the end of the log once, and must be woken. */
const asleep = (): Promise<void> => sleep(MOVED_MS);

/** Long enough for a wrong wake-up to show. */
const quiet = (): Promise<void> => sleep(2 * MOVED_MS);

const noted = (id: string) => commit(id, event('NOTED', user('u1')));

async function endNow(log: TestLog): Promise<LogEnd> {
  return (await log.session.load([])).end;
}

export const movedCases = [
  onLog(3, 'a session that waits at an old end of the log is told the new end at once', async (log) => {
    await log.append(noted('c1'));
    await log.append([noted('c2'), noted('c3')]);
    const other = await log.open();
    same(await told(log.session.moved(GENESIS, never())), await endNow(log));
    same(await told(other.moved(GENESIS, never())), await endNow(log));
  }),

  onLog(3, 'a session that waits is woken by what another session appends, and can read it', async (log) => {
    const [session, other] = await log.sessions(2);
    for (const n of range(1, 10)) {
      const waiting = [session!, other!].map((one) => waitingAt(one, log.end).end);
      if (n % 3 > 0) await asleep();
      const { end } = await log.append(noted(`c${n}`), { by: n % 2 === 0 ? session! : other! });
      for (const [index, one] of [session!, other!].entries()) {
        same(await told(waiting[index]!), end);
        same((await one.read({ after: n - 1, limit: 5 })).events.length, 1);
      }
    }
  }),

  onLog(3, 'no wake-up is lost, whenever the append comes', async (log) => {
    const [session, other] = await log.sessions(2);
    for (const n of range(1, 40)) {
      const { end } = log;
      const appending = (async () => {
        for (let turns = n % 8; turns > 0; turns -= 1) await (n % 3 === 0 ? setImmediate() : undefined);
        return log.append(noted(`c${n}`), { by: session! });
      })();
      const waiting = other!.moved(end, never());
      const stored = await appending;
      same(await told(waiting), stored.end);
    }
  }),

  onLog(3, 'all waits are woken, however many there are, at whatever end', async (log) => {
    const [session, other] = await log.sessions(2);
    const ends = [GENESIS, ...(await filled(log, 3))];
    const last = ends.at(-1)!;
    const early = range(1, 30).map((n) => waitingAt([session!, other!][n % 2]!, ends[n % 3]!).end);
    const late = range(1, 30).map((n) => waitingAt([session!, other!][n % 2]!, last).end);
    for (const waiting of early) same(await told(waiting), last);
    const { end } = await log.append(noted('c9'));
    for (const waiting of late) same(await told(waiting), end);
  }),

  onLog(9, 'a wait at an end that the log doesn’t have is over at once', async (log) => {
    await log.append([noted('c1'), noted('c2')]);
    const end = await endNow(log);
    const strangers = [
      { position: 2, hash: 'a'.repeat(64) },
      { position: 9, hash: 'a'.repeat(64) },
      { position: 1, hash: end.hash },
    ];
    for (const stranger of strangers) same(await told(log.session.moved(stranger, never())), end);
  }),

  onLog('contract', 'a batch that isn’t stored wakes nobody', async (log) => {
    const [session, other] = await log.sessions(2);
    await log.append([noted('c1'), commit('c2', event('CREATED', service('s1')))]);
    const waiting = [session!, other!].map((one) => waitingAt(one, log.end));
    await log.refuse(noted('c1'));
    await log.refuse(noted('c3'), { reads: [at(service('s1'), 0)], by: other! });
    await quiet();
    same(each(waiting, 'over'), [false, false]);
    const { end } = await log.append(noted('c3'));
    for (const one of waiting) same(await told(one.end), end);
  }),

  onLog(2, 'what an exclusive section appends wakes nobody before it is done, nor if it is undone', async (log) => {
    const [session, other] = await log.sessions(2);
    await log.append(noted('c1'));
    const { end } = log;
    const waiting = [session!, other!].map((one) => waitingAt(one, end));
    const stillAsleep = async (): Promise<void> => {
      await quiet();
      assert(!waiting.some(({ over }) => over), 'woken by what is not stored');
    };
    const given = new Error('given up');
    await assert.rejects(
      session!.exclusive(async (by) => {
        await log.append([noted('c2'), noted('c3')], { by });
        // Also waits that begin during the section.
        waiting.push(waitingAt(other!, end), waitingAt(session!, end));
        await stillAsleep();
        throw given;
      }),
      (error) => error === given,
    );
    await stillAsleep();
    log.end = end;
    const result = await session!.exclusive(async (by) => {
      const stored = await log.append(noted('c2'), { by });
      await stillAsleep();
      return stored;
    });
    for (const one of waiting) same(await told(one.end), result.end);
  }),

  onLog('contract', 'a wait whose signal aborts ends with its reason, and the others go on', async (log) => {
    await log.append(noted('c1'));
    const reason = new Error('enough');
    const controller = abortController();
    const rejects = (waiting: Promise<LogEnd>) => assert.rejects(told(waiting), (error) => error === reason);
    const other = waitingAt(log.session, log.end);
    const waiting = range(1, 3).map(() => log.session.moved(log.end, controller.signal));
    const all = Promise.all(waiting.map(rejects));
    await asleep();
    controller.abort(reason);
    await all;
    await rejects(log.session.moved(log.end, controller.signal));
    await rejects(log.session.moved(GENESIS, controller.signal));
    assert(!other.over, 'another caller’s signal was aborted');
    const { end } = await log.append(noted('c2'));
    same(await told(other.end), end);
  }),

  onLog('contract', 'a wait leaves no listener at its signal', async (log) => {
    const controller = abortController();
    const { signal } = controller;
    const session = await log.open();
    const listeners = (): number => getEventListeners(signal, 'abort').length;
    await log.append(noted('c1'));
    await told(session.moved(GENESIS, signal));
    same(listeners(), 0);
    const waiting = session.moved(log.end, signal);
    await log.append(noted('c2'));
    await told(waiting);
    same(listeners(), 0);
    const closing = throwsCode('Closed', told(session.moved(log.end, signal)));
    await session.close();
    await closing;
    same(listeners(), 0);
    const aborted = told(log.session.moved(log.end, signal)).catch(() => undefined);
    await asleep();
    controller.abort();
    await aborted;
    same(listeners(), 0);
  }),

  onLog(
    'contract',
    'a wait ends with an error when its session is closed, and those of other sessions go on',
    async (log) => {
      const [session, other] = await log.sessions(2);
      await log.append(noted('c1'));
      const inOther = waitingAt(session!, log.end);
      const waiting = range(1, 3).map(() => throwsCode('Closed', told(other!.moved(log.end, never()))));
      const all = Promise.all(waiting);
      await asleep();
      await other!.close();
      await all;
      await throwsCode('Closed', told(other!.moved(GENESIS, never())));
      assert(!inOther.over, 'its session is open');
      const { end } = await log.append(noted('c2'));
      same(await told(inOther.end), end);
    },
  ),
];

/** The ends of so many commits. */
async function filled(log: TestLog, commits: number): Promise<LogPoint[]> {
  const ends: LogPoint[] = [];
  for (const n of range(1, commits)) ends.push((await log.append(noted(`c${n}`))).end);
  return ends;
}
