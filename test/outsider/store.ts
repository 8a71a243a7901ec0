/**
 * A store as an outsider would write it: of what `tidemark/store` exports, and nothing else of the package but its errors.
 * Short, not fast: each append makes another state.
 */
import { Closed } from 'tidemark';
import {
  CLOCK_AHEAD_MAX_MS,
  changedBy,
  givenClock,
  kindOf,
  Section,
  Turns,
  Waiters,
  WRITE,
  Writes,
  type Clock,
  type Locked,
  type LogFacts,
  type Opening,
  type Session,
  type Store,
  type Write,
} from 'tidemark/store';
import { attached, swept } from './attaching.ts';
import * as reading from './reading.ts';
import { advanced, indexFilled, stored } from './sets.ts';
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
    async change(judge) {
      const isKnown = await call('registry', (state) => judge(state.registry, factsOf(state)) === undefined);
      if (isKnown) return call('registry', ({ registry }) => registry);
      return write(async (write) => {
        write.stores();
        const change = judge(log.state.registry, factsOf(log.state));
        if (change) publish({ ...log.state, registry: changedBy(log.state.registry, change) });
        return log.state.registry;
      });
    },
    sweep: () =>
      write(async (write) => {
        write.stores();
        publish(swept(log.state));
        return false;
      }),
    advance: (step) =>
      write(async (write) => {
        write.stores();
        const { state, answer } = advanced(log.state, step);
        publish(state);
        return answer;
      }),
    stored: (range) => call('stored', (state) => stored(state, range)),
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
  const section = new Section(
    {
      registry: () => state.registry,
      append: (batch) => {
        const { state: next, answer } = appended(state, batch, clock);
        state = next;
        return answer;
      },
      load: (requests, options) => reading.load(state, requests, options),
      ledger: (ids) => reading.ledger(state, ids),
      commits: (range) => reading.commits(state, range),
      read: (range) => reading.read(state, range),
      scan: (range) => reading.scan(state, range),
      stored: (range) => stored(state, range),
      attach: (page) => {
        const { state: next, answer } = attached(state, page);
        state = next;
        return answer;
      },
      fillIndex: (page) => {
        const next = indexFilled(state, page);
        state = next ?? state;
        return next !== undefined;
      },
    },
    write,
  );
  const result = await section.run(work);
  write.stores();
  publish(state);
  return result;
}

function factsOf(state: State): LogFacts {
  const { types } = indexOf(state);
  return { isEmpty: state.events.length === 0, firstOf: (type) => types.get(type)?.position };
}
