/**
 * A server of the old or the new release, or a script of the old code that was given orders alone; under load until it
 * is told to stop, or killed. It also reads, and says what it read.
 *
 * Says: `open`, `warned` for each warning, `acknowledged`, `read` and, told to stop, `done`.
 */
import { open, type App, type Logger, type Store } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { acknowledged } from '../faults/acknowledged.ts';
import { changedStore } from '../faults/over-session.ts';
import { hear, say } from '../faults/test-process.ts';
import { randomOf } from '../support/seed.ts';
import { newRelease, oldRelease } from './releases.ts';

export type Kind = 'old' | 'new' | 'script' | 'deaf';

export interface ReleaseServerArgs {
  readonly file: string;
  readonly name: string;
  /** `deaf` is the control: the new release on a store that goes by what the old one handles. */
  readonly kind: Kind;
  readonly seed: number;
}

/** A document as a server saw it. */
export interface Seen {
  readonly kind: Kind;
  readonly collection: string;
  readonly id: string;
  readonly version: number;
  readonly changed: number;
  readonly state: Readonly<Record<string, number>>;
}

const CALLERS = 4;
const READ_EVERY = 10;

const { file, name, kind, seed } = JSON.parse(process.argv[2]!) as ReleaseServerArgs;
const random = randomOf(seed);
const pick = (prefix: string, among: number): string => `${prefix}${Math.floor(random() * among)}`;
let executed = 0;
const stopping = new AbortController();

const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (details, message) => say('warned', { details, message }),
  // eslint-disable-next-line no-console -- told to the test if the server ends
  error: (details, message) => console.error(message, details),
};

/** One command after the other, whatever it is. */
type Step = (id: string) => Promise<void>;
type Get = (collection: string, id: string) => Promise<void>;

function tell(id: string, outcome: Parameters<typeof acknowledged>[1]): void {
  say('acknowledged', acknowledged(id, outcome));
}

const ids = () => ({ order_id: pick('o', 6), customer_id: pick('c', 4) });
const warehouse = () => ({ warehouse_id: pick('w', 3) });

async function looking<A extends App>(
  app: A,
  collections: Readonly<Record<string, Parameters<A['get']>[0]>>,
): Promise<Get> {
  return async (collection, id) => {
    const { version, changed, state } = await app.get(collections[collection]!, id);
    say('read', { kind, collection, id, version, changed, state } as Seen);
  };
}

async function old(store: Store, whole: boolean): Promise<{ step: Step; get: Get }> {
  const { orders, customers, warehouses, order, note } = oldRelease();
  if (!whole) {
    // Half of what the log has registered: what the others are attached to it knows from the log alone.
    const script = await open({ store, collections: [orders], commands: [order], logger });
    const step: Step = async (id) => tell(id, await script.execute(order, ids(), { id }));
    return { step, get: await looking(script, { orders }) };
  }
  const app = await open({ store, collections: [orders, customers, warehouses], commands: [order, note], logger });
  // Nobody notes before the release that handles notes in orders is there: it could no longer begin to.
  let isGrown = false;
  const mayNote = async (): Promise<boolean> => (isGrown ||= (await app.status()).generation > 1);
  const step: Step = async (id) =>
    tell(
      id,
      random() < 0.4 || !(await mayNote())
        ? await app.execute(order, ids(), { id })
        : await app.execute(note, { ...ids(), ...warehouse() }, { id }),
    );
  return { step, get: await looking(app, { orders, customers, warehouses }) };
}

async function renewed(store: Store): Promise<{ step: Step; get: Get }> {
  const { orders, customers, warehouses, order, ship, call } = newRelease();
  const collections = [orders, customers, warehouses] as const;
  const app = await open({ store, collections, commands: [order, ship, call], logger });
  const step: Step = async (id) => {
    const kind = random();
    if (kind < 0.2) tell(id, await app.execute(order, ids(), { id }));
    else if (kind < 0.6) tell(id, await app.execute(ship, { order_id: ids().order_id }, { id }));
    else tell(id, await app.execute(call, { customer_id: ids().customer_id }, { id }));
  };
  return { step, get: await looking(app, { orders, customers, warehouses }) };
}

/** A store that takes the word of the old release for what is handled, as a flag beside each event would (lesson 20). */
function deaf(store: Store): Store {
  return changedStore(store, (session) => ({
    append: (batch) =>
      session.append({
        ...batch,
        handled: new Map([...batch.handled].map(([name, types]) => [name, types.difference(new Set(['NOTED']))])),
      }),
  }));
}

const store = sqlite(file);
const { step, get } =
  kind === 'new'
    ? await renewed(store)
    : kind === 'deaf'
      ? await renewed(deaf(store))
      : await old(store, kind === 'old');
say('open');

async function caller(): Promise<void> {
  while (!stopping.signal.aborted) {
    await step(`${name}-${(executed += 1)}`);
    if (executed % READ_EVERY > 0) continue;
    await get('orders', ids().order_id);
    if (kind !== 'script') {
      await get('customers', ids().customer_id);
      await get('warehouses', warehouse().warehouse_id);
    }
  }
}

const callers = Promise.all(Array.from({ length: CALLERS }, caller));
await Promise.race([hear(), callers]);
stopping.abort();
await callers;
say('done');
process.exit(0);
