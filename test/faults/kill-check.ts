/** What must be true of a log after its servers were killed: by SQL of the tests' own, then by the public interface. */
import { open, TidemarkError } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import type { Acknowledged } from './acknowledged.ts';
import { asking, count, halfCommits, lost, staleOrders, unsound } from './log-by-sql.ts';
import { order, parts, type OrderInput } from './orders.ts';

/** What a server sent to be executed, acknowledged or not. */
export interface Sent {
  readonly id: string;
  readonly input: OrderInput;
}

/** By SQL alone: nothing acknowledged is lost, nothing is half there. */
export function faultsBySql(file: string, acknowledged: readonly Acknowledged[]): string[] {
  const faults = unsound(file);
  // A log that was killed before it had tables.
  if (faults.some((fault) => fault.includes('malformed'))) return faults;
  return [...faults, ...halfCommits(file), ...staleOrders(file), ...lost(file, acknowledged)];
}

/**
 * By opening it: the chain is whole, and every id, sent again, is answered as it was acknowledged, with nothing stored;
 * an id that was never acknowledged comes to one outcome.
 */
export async function faultsBySendingAgain(
  file: string,
  sent: readonly Sent[],
  acknowledged: readonly Acknowledged[],
): Promise<string[]> {
  const faults: string[] = [];
  const known = new Map(acknowledged.map((one) => [one.id, one]));
  const app = await open({ store: sqlite(file), ...parts });
  try {
    const before = await app.verify();
    for (const { message } of before.problems) faults.push(`verify: ${message}`);
    const again = async ({ id, input }: Sent): Promise<void> => {
      const outcome = await app.execute(order, input, { id });
      const expected = known.get(id);
      if (!expected) return;
      if (!outcome.replayed) faults.push(`${id} was acknowledged and then executed again`);
      if (outcome.position !== expected.position) faults.push(`${id} is answered with another position`);
    };
    const settle = async (some: readonly Sent[]): Promise<void> => {
      for (let at = 0; at < some.length; at += 1_000) {
        await Promise.all(some.slice(at, at + 1_000).map(again));
      }
    };
    await settle(sent.filter(({ id }) => known.has(id)));
    const after = await app.status();
    if (after.position !== before.position) faults.push('sending acknowledged ids again stored something');
    await settle(sent.filter(({ id }) => !known.has(id)));
    for (const { message } of (await app.verify()).problems) faults.push(`verify, after sending again: ${message}`);
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    faults.push(`${error.code}: ${error.message}`);
  } finally {
    await app.close();
  }
  const stored = asking(file, (database) => count(database, 'SELECT count(DISTINCT command_id) FROM commits'));
  if (stored !== sent.length) faults.push(`${sent.length} commands were sent, and ${stored} are stored`);
  return [...faults, ...faultsBySql(file, acknowledged)];
}
