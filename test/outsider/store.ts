/**
 * A store as an outsider would write it: of what `tidemark/store` exports, and nothing else of the package but its errors.
 * Short, not fast: each append makes another state.
 */
import { Buffer } from 'node:buffer';
import { Closed } from 'tidemark';
import {
  CLOCK_AHEAD_MAX_MS,
  givenClock,
  grownBy,
  kindOf,
  Turns,
  Waiters,
  WRITE,
  Writes,
  type Clock,
  type CollectionEntry,
  type Locked,
  type Opening,
  type Registry,
  type Session,
  type Store,
  type Write,
} from 'tidemark/store';
import * as reading from './reading.ts';
import { appended, EMPTY, endOf, indexOf, type State } from './state.ts';

/** Shared by all sessions on it. */
interface Log {
  state: State;
  /** The writer before. */
  last: Promise<unknown>;
  readonly turns: Turns;
  readonly waiters: Set<Waiters>;
}

export function outsiderStore({ clock }: Opening = {}): Store {
  const log: Log = { state: EMPTY, last: Promise.resolve(), turns: new Turns(), waiters: new Set() };
  const open = async (opening: Opening = {}): Promise<Session> =>
    session(log, givenClock(clock ?? opening.clock ?? (() => Date.now()), CLOCK_AHEAD_MAX_MS));
  return { name: 'outsider', clock, open };
}

const closed = (): Closed => new Closed('This session was closed.');

function session(log: Log, clock: Clock): Session {
  let isClosed = false;
  const writes = new Writes(closed);
  const call = async <T>(kind: string, answer: (state: State) => T): Promise<T> =>
    log.turns.run(kind, () => {
      if (isClosed) throw closed();
      return answer(log.state);
    });
  const waiters: Waiters = new Waiters({
    look: () => call('end', endOf),
    begin: () => void log.waiters.add(waiters),
    end: () => void log.waiters.delete(waiters),
  });
  const publish = (state: State): void => {
    log.state = state;
    for (const one of log.waiters) one.wake();
  };
  /** One writer after the other. */
  const write = async <T>(run: (write: Write) => Promise<T>): Promise<T> => {
    if (isClosed) throw closed();
    return writes.run(async (write) => {
      const before = log.last;
      const { promise, resolve } = Promise.withResolvers<void>();
      log.last = promise;
      try {
        await before;
        return await log.turns.run(WRITE, () => {
          write.assertGoing();
          return run(write);
        });
      } finally {
        resolve();
      }
    });
  };
  return {
    registry: () => call('registry', ({ registry }) => registry),
    async register(collections) {
      const isKnown = await call('registry', (state) => registered(state, collections) === state.registry);
      if (isKnown) return call('registry', ({ registry }) => registry);
      return write(async (write) => {
        write.stores();
        const registry = registered(log.state, collections);
        publish({ ...log.state, registry });
        return registry;
      });
    },
    append: (batch) =>
      write(async (write) => {
        write.stores();
        const { state, answer } = appended(log.state, batch, clock);
        publish(state);
        return answer;
      }),
    exclusive: (work) => write((write) => exclusively(log.state, clock, write, work, publish)),
    load: (requests, options) => call(kindOf('load', options), (state) => reading.load(state, requests, options)),
    read: (range, options) => call(kindOf('read', options), (state) => reading.read(state, range)),
    scan: (range, options) => call(kindOf('scan', options), (state) => reading.scan(state, range)),
    commits: (range, options) => call(kindOf('commits', options), (state) => reading.commits(state, range)),
    ledger: (ids, options) => call(kindOf('ledger', options), (state) => reading.ledger(state, ids)),
    types: (range) => call('types', (state) => reading.types(state, range)),
    documents: (range) => call('documents', (state) => reading.documents(state, range)),
    async moved(from, signal) {
      if (isClosed) throw closed();
      return waiters.wait(from, signal);
    },
    check: () => call('check', () => []),
    async close(closing) {
      if (isClosed) return;
      isClosed = true;
      waiters.fail(closed());
      await writes.close(closing);
    },
  };
}

/** Work on a state that nobody else sees until it has ended well. */
async function exclusively<T>(
  before: State,
  clock: Clock,
  write: Write,
  work: (locked: Locked) => Promise<T>,
  publish: (state: State) => void,
): Promise<T> {
  let state = before;
  let isOver = false;
  let broken: { readonly error: unknown } | undefined;
  const call = async <Answer>(answer: () => Answer): Promise<Answer> => {
    await undefined;
    if (isOver) throw new Closed('The exclusive section is over.');
    write.assertGoing();
    return answer();
  };
  const locked: Locked = {
    registry: () => call(() => state.registry),
    append: (batch) =>
      call(() => {
        try {
          const { state: next, answer } = appended(state, batch, clock);
          state = next;
          return answer;
        } catch (error) {
          broken = { error };
          throw error;
        }
      }),
    load: (requests, options) => call(() => reading.load(state, requests, options)),
    ledger: (ids) => call(() => reading.ledger(state, ids)),
    commits: (range) => call(() => reading.commits(state, range)),
    read: (range) => call(() => reading.read(state, range)),
  };
  try {
    const result = await write.orGivenUp(work(locked));
    if (broken) throw broken.error;
    write.stores();
    publish(state);
    return result;
  } finally {
    isOver = true;
  }
}

/** The registry with these collections in it; the same where there is nothing new. */
function registered(state: State, collections: readonly CollectionEntry[]): Registry {
  const { registry, events } = state;
  const firstOf = (type: string): number | undefined => indexOf(state).types.get(type)?.position;
  const grown = grownBy(registry.collections, collections, { isEmpty: events.length === 0, firstOf });
  if (grown.length === 0) return registry;
  const entries = new Map([...registry.collections, ...grown].map((entry) => [entry.name, entry]));
  const inOrder = [...entries.values()].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  return { generation: registry.generation + 1, collections: inOrder };
}
