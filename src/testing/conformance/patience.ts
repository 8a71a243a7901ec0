/** How long a case waits: a store that forgets somebody must fail, not hang. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortController } from '../../realm.ts';

/** For what must come at once, also on a machine that has much else to do. */
export const PATIENCE = { ms: 10_000 };

/** The result, if there is one while the case waits. */
export async function soon<T>(what: string, ending: Promise<T>): Promise<T> {
  const enough = abortController();
  const late = sleep(PATIENCE.ms, undefined, { signal: enough.signal }).then(() =>
    assert.fail(`${what} isn't over after ${PATIENCE.ms} ms`),
  );
  late.catch(() => undefined);
  return Promise.race([ending, late]).finally(() => enough.abort());
}
