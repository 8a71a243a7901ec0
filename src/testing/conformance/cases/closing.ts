/**
 * Closing with a time limit, while another session holds the write lock: what waits is given up, and never stored later.
 */
import assert from 'node:assert/strict';
import type { Closing, Session } from '../../../store/store.ts';
import { COLLECTIONS, commit, event, GENESIS, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { ConformanceCase } from '../case.ts';
import type { TestLog } from '../log.ts';
import { soon } from '../patience.ts';
import { same, throwsCode } from '../plain.ts';
import { register } from '../registered.ts';
import { document, TestSet } from '../sets.ts';

const BOUND: Closing = { timeoutMs: 20 };

/** Runs something while another session holds the write lock. */
async function whileLocked(log: TestLog, work: () => Promise<void>): Promise<void> {
  const held = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const holding = log.session.exclusive(async () => {
    held.resolve();
    await release.promise;
  });
  await held.promise;
  try {
    await work();
  } finally {
    release.resolve();
    await holding;
  }
}

/** Though nobody releases the lock. */
const closes = (session: Session): Promise<void> => soon('closing', session.close(BOUND));

/** The error of a call, or nothing. */
async function told(asked: Promise<unknown>): Promise<{ readonly code?: string; readonly unknown?: unknown }> {
  return asked.then(
    () => ({}),
    (error: { code: string; details: { unknown?: unknown } }) => ({ code: error.code, unknown: error.details.unknown }),
  );
}

/** `Closed` if it is never stored. In doubt if it had been sent. */
function assertTold(what: { readonly code?: string; readonly unknown?: unknown }): void {
  if (what.code === 'StoreUnavailable') assert.equal(what.unknown, true, 'not said to be in doubt');
  else assert.equal(what.code, 'Closed', `told ${JSON.stringify(what)} of what the session was closed before`);
}

/** A call that needn't wait for the lock may have been done before. */
async function toldOrDone(asked: Promise<unknown>): Promise<{ readonly code?: string; readonly unknown?: unknown }> {
  const { code = 'Closed', unknown } = await told(asked);
  return { code, unknown };
}

export const closingCases: readonly ConformanceCase[] = [
  onLog('contract', 'what waits for the lock is given up when its session is closed with a time limit', async (log) => {
    const session = await log.open();
    const asked: Promise<{ readonly code?: string }>[] = [];
    await whileLocked(log, async () => {
      asked.push(
        told(session.append(log.batch(commit('c1', event('NOTED', user('u1')))))),
        told(session.append(log.batch(commit('c2', event('NOTED', user('u1')))))),
        told(register(session, [...COLLECTIONS, { ...COLLECTIONS[0]!, name: 'later' }])),
        told(session.exclusive((by) => by.append(log.batch(commit('c3', event('NOTED', user('u1'))))))),
        toldOrDone(session.advance(TestSet.of(log).step([document('u1')]))),
        toldOrDone(session.sweep()),
      );
      await closes(session);
      // They get their errors while the lock is still held.
      for (const what of await soon('what it was asked for', Promise.all(asked))) assertTold(what);
    });
    await log.append(commit('after', event('NOTED', user('u2'))));
    const ids = ['c1', 'c2', 'c3'];
    const stored = new Set((await log.session.ledger(ids)).map(({ command }) => command.id));
    for (const [index, id] of ids.entries()) {
      const { code } = await asked[index === 2 ? 3 : index]!;
      if (code === 'Closed') assert(!stored.has(id), `${id} is stored, though its caller was told that it isn't`);
    }
    await throwsCode('Closed', session.append(log.batch(commit('c4', event('NOTED')))));
  }),

  onLog('contract', 'work under the lock loses it when its session is closed with a time limit', async (log) => {
    const session = await log.open();
    const begun = Promise.withResolvers<void>();
    const goesOn = Promise.withResolvers<void>();
    const late = Promise.withResolvers<string | undefined>();
    const working = told(
      session.exclusive(async (by) => {
        await by.append(log.batch(commit('c1', event('NOTED', user('u1')))));
        begun.resolve();
        await goesOn.promise;
        late.resolve((await told(by.append(log.batch(commit('c2', event('NOTED', user('u1'))))))).code);
      }),
    );
    await begun.promise;
    await closes(session);
    assertTold(await soon('the work', working));
    // Others have it now.
    await soon('an append', log.append(commit('after', event('NOTED', user('u1')))));
    goesOn.resolve();
    assert.notEqual(await late.promise, undefined, 'something can be stored under a lock that was lost');
    same(await log.session.ledger(['c1', 'c2']), []);
    same(await log.head(user('u1')), 1);
  }),

  onLog(
    'contract',
    'what was asked for earlier is stored, if there is time before the session is closed',
    async (log) => {
      const session = await log.open();
      const asked = session.append(log.batch(commit('c1', event('NOTED', user('u1'))), { seen: GENESIS }));
      const set = TestSet.of(log);
      const stepped = session.advance(set.step([document('u1')]));
      const swept = session.sweep();
      await session.close({ timeoutMs: 60_000 });
      same([(await asked).status, await stepped], ['stored', 'stored']);
      await swept;
      same(await log.head(user('u1')), 1);
      same((await set.byIds(['u1'])).documents.length, 1);
    },
  ),
];
