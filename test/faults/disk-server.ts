/**
 * A server on a disk that fills up. It does one step at a time, as told, and says what came of it.
 *
 * Says: `ready`, then for each step `done` with `{ acknowledged, errors, faults, … }`.
 */
import { DatabaseSync } from 'node:sqlite';
import { open, TidemarkError, type App } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { keepingLogger } from '../support/stores.ts';
import { acknowledged, type Acknowledged } from './acknowledged.ts';
import { customers, order, orderOf, parts } from './orders.ts';
import { hasty } from './hasty.ts';
import { hear, say } from './test-process.ts';
import { randomOf } from '../support/seed.ts';

export type Step =
  /** A log that answers so long before it has committed, as a control; 0, as it should be, if not given. */
  | { readonly step: 'open'; readonly hastyMs?: number }
  /** Executes these commands, from so many callers at once; stops at the first error of each if `untilFull`. */
  | { readonly step: 'execute'; readonly first: number; readonly last: number; readonly untilFull?: boolean }
  | { readonly step: 'read' }
  | { readonly step: 'checkpoint' }
  | { readonly step: 'verify' }
  | { readonly step: 'close' };

/** What came of a step. */
export interface Done {
  readonly acknowledged: readonly Acknowledged[];
  readonly replayed: readonly string[];
  readonly errors: readonly ReturnType<TidemarkError['toJSON']>[];
  /** What `verify` finds, and what a checkpoint says. */
  readonly faults: readonly string[];
  /** What the logger was warned of since the last step. */
  readonly warnings: readonly string[];
  /** How many orders the customers have, as `get` says. */
  readonly orders: number;
}

const CALLERS = 8;
const TEXT_LENGTH = 3_000;
/** An order is the same whenever it is sent: what wasn't acknowledged is sent again. */
const inputOf = (n: number) => orderOf(`o${n}`, randomOf(n), TEXT_LENGTH);

const [file = ''] = process.argv.slice(2);
const logger = keepingLogger();
let app: App<(typeof parts.commands)[number], (typeof parts.collections)[number]>;

async function take(told: Step): Promise<Partial<Done>> {
  switch (told.step) {
    case 'open':
      app = await open({ store: told.hastyMs ? hasty(sqlite(file), told.hastyMs) : sqlite(file), ...parts, logger });
      return {};
    case 'execute':
      return execute(told);
    case 'read': {
      const ids = Array.from({ length: 8 }, (_, n) => `c${n}`);
      const found = await app.get(customers, ids);
      return { orders: found.reduce((sum, { state }) => sum + state.orders, 0) };
    }
    case 'checkpoint':
      return { faults: checkpoint() };
    case 'verify':
      return { faults: (await app.verify()).problems.map(({ message }) => message) };
    case 'close':
      await app.close();
      return {};
  }
}

async function execute({ first, last, untilFull = false }: Step & { step: 'execute' }): Promise<Partial<Done>> {
  const all: Acknowledged[] = [];
  const replayed: string[] = [];
  const errors: Done['errors'][number][] = [];
  let next = first;
  const caller = async (): Promise<void> => {
    while (next <= last) {
      if (untilFull && errors.length > 0) return;
      const n = next++;
      try {
        const outcome = await app.execute(order, inputOf(n), { id: `o${n}` });
        all.push(acknowledged(`o${n}`, outcome));
        if (outcome.replayed) replayed.push(`o${n}`);
      } catch (error) {
        errors.push(jsonOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { acknowledged: all, replayed, errors };
}

/** By a connection of its own, which says what the store's automatic checkpoint meets in silence. */
function checkpoint(): string[] {
  const side = new DatabaseSync(file);
  try {
    const { busy, log, checkpointed } = side.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()!;
    return busy === 0 && log === checkpointed ? [] : [`${String(checkpointed)} of ${String(log)} pages were copied`];
  } catch (error) {
    return [String(error)];
  } finally {
    side.close();
  }
}

function jsonOf(error: unknown): Done['errors'][number] {
  if (error instanceof TidemarkError) return error.toJSON();
  return { code: 'unnamed', message: String(error), retryable: false, details: {} };
}

say('ready');
for (;;) {
  const told = await hear<Step>();
  const done = await take(told).catch((error: unknown) => ({ errors: [jsonOf(error)] }));
  const warnings = logger.lines.splice(0).map(({ message }) => message);
  say('done', { acknowledged: [], replayed: [], errors: [], faults: [], warnings, orders: 0, ...done });
}
