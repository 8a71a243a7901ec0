/**
 * A server's session on the simulated machine. Each call is two journeys, there and back; between any two awaits others
 * may come, the weather may turn, the server may die.
 */
import { Closed, StoreUnavailable } from '../src/errors.ts';
import { check } from '../src/store/memory/upkeep/check.ts';
import { sweep } from '../src/store/memory/upkeep/sweep.ts';
import { Filling } from '../src/store/memory/writing/filling.ts';
import { rolesOf } from '../src/store/memory/roles.ts';
import { endOf } from '../src/store/memory/schema.ts';
import { Section } from '../src/store/section.ts';
import type { Offered } from '../src/store/section.ts';
import type { Appended, Batch, LogEnd, ScanPage, ScanRange, Session, Store } from '../src/store/store.ts';
import { Waiters } from '../src/store/waiters.ts';
import { kindsOf } from '../src/testing/conformance/batches.ts';
import type { Asked, Call } from './journal.ts';
import type { Machine, StoreClock } from './machine.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { Weather } from './weather.ts';

/** What a session is made of. */
export interface SessionParts {
  readonly machine: Machine;
  readonly scheduler: Scheduler;
  readonly weather: Weather;
  readonly meets: (what: string) => void;
  /** The most events, or documents, of a page. */
  readonly pageRows: number;
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

function sessionFor(owner: Owner, { machine, scheduler, weather, meets, clock, pageRows }: SessionParts): Session {
  const { log, journal } = machine;
  const { registry, sets, loader, reader, scanner, commits, types, documents } = rolesOf(log);
  const { name } = owner;
  let closed = false;

  /** Pages may be short, as they are where texts are long. */
  const short = <Range extends object>(range: Range): Range =>
    'limit' in range ? { ...range, limit: Math.min(range.limit as number, pageRows) } : range;
  const travel = async (label: string): Promise<void> => {
    if (closed) throw closedError();
    await scheduler.wait(owner, label);
  };
  const ask = async <T>(call: Asked, given: readonly unknown[], run: () => T): Promise<T> => {
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
  const underLock = async <T>(call: Call, given: readonly unknown[], run: () => T): Promise<T> => {
    await machine.acquire(machine);
    try {
      return journal.calls(name, call, given, run, { now: clock.says() });
    } finally {
      machine.publish();
      machine.release();
    }
  };

  /** A write: it may be done, and its answer be lost; or be done some time later, or never. */
  const write = async <T>(
    call: Call,
    given: readonly unknown[],
    run: (when: string) => T,
    batches: readonly Batch[] = [],
  ): Promise<T> => {
    await travel(`${call} →`);
    const fate = weather.fate();
    if (fate === 'refused') throw unavailable();
    if (fate === 'late') {
      const late = (): Promise<void> => underLock(call, given, () => run(`late ${call}`)).then(nothing, nothing);
      void machine.later(`a late ${call}`, late);
    }
    if (fate === 'late' || fate === 'lost') {
      await travel(`← ${call}, no answer`);
      throw doubted(batches);
    }
    const answer = await underLock(call, given, () => run(call));
    await travel(`← ${call}`);
    if (weather.losesAnswer()) throw doubted(batches);
    return answer;
  };
  const appends = (batch: Batch, when: string): Appended => {
    const answer = machine.append(batch, clock);
    meets(`${when} ${answer.status}`);
    for (const kind of kindsOf(batch, answer)) meets(`${when} ${answer.status} ${kind}`);
    return answer;
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
    change: (judge) => write('change', [judge], () => machine.change(owner, judge)),
    advance: (step) =>
      write('advance', [step], () => {
        // It was folded before the store went back: with that, the connection was lost.
        if (!machine.reaches(step.to)) throw unavailable();
        const stepped = sets.advance(step);
        if (stepped === 'stored') machine.changed();
        meets(`advance ${stepped}`);
        return stepped;
      }),
    sweep: () => write('sweep', [], () => sweep(log)),
    stored(range) {
      const page = short(range);
      return ask('stored', [page], () => sets.stored(page));
    },
    load: (requests, options) => ask('load', [requests, options], () => loader.load(log.visible, requests, options)),
    read: (range) => ask('read', [range], () => reader.read(log.visible, range)),
    async scan(range) {
      // Asked for with all names, as it can be asked again.
      const all = { ...short(range), known: nobody };
      return known(await ask('scan', [all], () => scanner.scan(log.visible, all)), range);
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

    append: (batch) => write('append', [batch], (when) => appends(batch, when), [batch]),

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
    const filling = new Filling(log, registry, sets);
    return {
      registry: () => step('registry', [], () => registry.registry()),
      load: (requests, options) => step('load', [requests, options], () => loader.load(endOf(log), requests, options)),
      ledger: (ids) => step('ledger', [ids], () => commits.ledger(endOf(log), ids)),
      commits: (range) => step('commits', [range], () => commits.commits(endOf(log), range)),
      read: (range) => step('read', [range], () => reader.read(endOf(log), range)),
      async scan(range) {
        const all = { ...short(range), known: nobody };
        return known(await step('scan', [all], () => scanner.scan(endOf(log), all)), range);
      },
      stored(range) {
        const page = short(range);
        return step('stored', [page], () => sets.stored(page));
      },
      attach: (page) =>
        step('attach', [page], () => {
          const answer = filling.attach(page);
          meets(
            answer === 'stored'
              ? page.live
                ? 'attached all'
                : 'attached a page'
              : `attaching stepped aside: ${answer}`,
          );
          return answer;
        }),
      fillIndex: (page) =>
        step('fillIndex', [page], () => {
          const isFilled = filling.fillIndex(page);
          meets(isFilled ? 'filled an index' : 'filling stepped aside');
          return isFilled;
        }),
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

/** Without the names that the asker knows. */
function known(page: ScanPage, range: ScanRange): ScanPage {
  return { ...page, named: page.named.filter(({ document }) => !range.known(document)) };
}

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
