/**
 * A server's session on the simulated machine. Each call is two journeys, there and back; between any two awaits others
 * may come, the weather may turn, the server may die.
 */
import { Closed, StoreUnavailable } from '../src/errors.ts';
import { check } from '../src/store/memory/upkeep/check.ts';
import { rolesOf } from '../src/store/memory/roles.ts';
import { endOf } from '../src/store/memory/schema.ts';
import { Section } from '../src/store/section.ts';
import type { Offered } from '../src/store/section.ts';
import type { Appended, Batch, LogEnd, Session, Store } from '../src/store/store.ts';
import { Waiters } from '../src/store/waiters.ts';
import { kindsOf } from '../src/testing/conformance/batches.ts';
import type { Call } from './journal.ts';
import type { Machine, StoreClock } from './machine.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { Weather } from './weather.ts';

/** What a session is made of. */
export interface SessionParts {
  readonly machine: Machine;
  readonly scheduler: Scheduler;
  readonly weather: Weather;
  readonly meets: (what: string) => void;
  /** What it is that the store goes by. */
  clock: StoreClock;
}

/** The store as one server sees it. */
export function storeFor(owner: Owner, place: SessionParts): Store {
  return {
    name: 'simulated',
    async open() {
      await place.scheduler.wait(owner, 'open');
      if (place.weather.refuses()) throw unavailable();
      return sessionFor(owner, place);
    },
  };
}

function sessionFor(owner: Owner, { machine, scheduler, weather, meets, clock }: SessionParts): Session {
  const { log, journal } = machine;
  const { registry, loader, reader, scanner, commits, types, documents } = rolesOf(log);
  const { name } = owner;
  let closed = false;

  const travel = async (label: string): Promise<void> => {
    if (closed) throw closedError();
    await scheduler.wait(owner, label);
  };
  const ask = async <T>(call: Exclude<Call, 'append'>, given: readonly unknown[], run: () => T): Promise<T> => {
    await travel(`${call} →`);
    if (weather.refuses()) throw unavailable();
    const answer = journal.calls(name, call, given, run);
    await travel(`← ${call}`);
    if (weather.refuses()) throw unavailable();
    return answer;
  };
  const step = async <T>(call: Call, given: readonly unknown[], run: () => T): Promise<T> => {
    await travel(`locked ${call}`);
    if (weather.refuses()) throw unavailable();
    return journal.calls(name, call, given, run, { locked: true, now: clock.says() });
  };
  const doubted = (batches: readonly Batch[]): StoreUnavailable => {
    meets('doubt');
    for (const { commits } of batches) for (const { command } of commits) machine.doubts.add(command.causation ?? '');
    return new StoreUnavailable('The connection was lost while committing.', { unknown: true });
  };
  const underLock = async (batch: Batch, when: string): Promise<Appended> => {
    await machine.acquire(machine);
    try {
      const answer = journal.calls(name, 'append', [batch], () => machine.append(batch, clock), { now: clock.says() });
      meets(`${when} ${answer.status}`);
      for (const kind of kindsOf(batch, answer)) meets(`${when} ${answer.status} ${kind}`);
      return answer;
    } finally {
      machine.publish();
      machine.release();
    }
  };

  const waiters: Waiters = new Waiters({
    // The dead hear of nothing.
    look: () => (owner.dead ? new Promise<LogEnd>(() => undefined) : Promise.resolve().then(endNow)),
    begin: () => void log.waiters.add(waiters),
    end: () => void log.waiters.delete(waiters),
  });
  const endNow = (): LogEnd => {
    if (weather.refuses()) throw unavailable();
    return log.visible;
  };

  return {
    registry: () => ask('registry', [], () => registry.registry()),
    register: (collections) =>
      ask('register', [collections], () => {
        // While somebody holds the lock the registry can't be touched: he would attach by an old one.
        if (!machine.free) throw unavailable();
        const { generation } = log.registry;
        const registry = machine.register(owner, collections);
        if (registry.generation > generation && log.events.length > 0) meets('types added');
        return registry;
      }),
    load: (requests, options) => ask('load', [requests, options], () => loader.load(log.visible, requests, options)),
    read: (range) => ask('read', [range], () => reader.read(log.visible, range)),
    async scan(range) {
      // Asked for with all names, as it can be asked again.
      const all = { ...range, known: nobody };
      const page = await ask('scan', [all], () => scanner.scan(log.visible, all));
      return { ...page, named: page.named.filter(({ document }) => !range.known(document)) };
    },
    commits: (range) => ask('commits', [range], () => commits.commits(log.visible, range)),
    ledger: (ids) => ask('ledger', [ids], () => commits.ledger(log.visible, ids)),
    types: (range) => ask('types', [range], () => types.types(log.visible, range)),
    documents: (range) => ask('documents', [range], () => documents.documents(log.visible, range)),
    async moved(from, signal) {
      await travel('moved →');
      const end = await waiters.wait(from, signal);
      await travel('← moved');
      return end;
    },
    check: () => ask('check', [], () => wholeCheck(check(log, log.visible))),

    async append(batch) {
      await travel(`append of ${batch.commits.length} →`);
      const fate = weather.fate();
      if (fate === 'refused') throw unavailable();
      if (fate === 'late')
        void machine.later('a late append', () => underLock(batch, 'late append').then(nothing, nothing));
      if (fate === 'late' || fate === 'lost') {
        await travel('← append, no answer');
        throw doubted([batch]);
      }
      const answer = await underLock(batch, 'append');
      await travel(`← append ${answer.status}`);
      if (weather.losesAnswer()) throw doubted([batch]);
      return answer;
    },

    async exclusive(work) {
      await travel('begin →');
      if (weather.refuses()) throw unavailable();
      const holder = await machine.acquire(owner);
      journal.begins(name);
      const sent: Batch[] = [];
      let result: Awaited<ReturnType<typeof work>>;
      try {
        result = await new Section(offered(sent), { loses: () => true }).run(work);
        holder.committing = true;
        await travel('commit →');
      } catch (error) {
        machine.undo();
        machine.release();
        throw error;
      }
      const fate = weather.fate();
      const end = (): void => {
        if (fate === 'refused' || fate === 'lost') machine.undo();
        else machine.publish();
        machine.release();
      };
      // A late commit keeps the lock until it is done. The store doesn't go back in time meanwhile.
      if (fate === 'late') {
        holder.owner = machine;
        meets('late commit');
        void machine.later('a late commit', end);
      } else end();
      if (fate === 'refused') throw unavailable();
      await travel('← commit');
      if (fate !== 'arrives' || weather.losesAnswer()) throw doubted(sent);
      return result;
    },

    async close() {
      closed = true;
      waiters.fail(closedError());
    },
  };

  function offered(sent: Batch[]): Offered {
    return {
      registry: () => step('registry', [], () => registry.registry()),
      load: (requests, options) => step('load', [requests, options], () => loader.load(endOf(log), requests, options)),
      ledger: (ids) => step('ledger', [ids], () => commits.ledger(endOf(log), ids)),
      commits: (range) => step('commits', [range], () => commits.commits(endOf(log), range)),
      read: (range) => step('read', [range], () => reader.read(endOf(log), range)),
      append: (batch) =>
        step('append', [batch], () => {
          sent.push(batch);
          const answer = machine.append(batch, clock);
          meets(`locked append ${answer.status}`);
          return answer;
        }),
    };
  }
}

function closedError(): Closed {
  return new Closed('The session was closed.');
}

const nothing = (): undefined => undefined;
const nobody = (): boolean => false;

function unavailable(): StoreUnavailable {
  return new StoreUnavailable('The store can’t be reached.');
}

/** All pieces of it at once: in a world of the simulation nobody else runs meanwhile. */
function wholeCheck(pieces: ReturnType<typeof check>): readonly string[] {
  for (;;) {
    const piece = pieces.next();
    if (piece.done) return piece.value;
  }
}
