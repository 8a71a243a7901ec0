/**
 * A session on a log in memory. Every method gives way once before it reads the log, as in a store that waits: so what races
 * there races here too.
 */
import { Closed } from '../../errors.ts';
import type { Clock } from '../clock.ts';
import { Section, type Offered } from '../section.ts';
import type { Closing, LogEnd, Session } from '../store.ts';
import { kindOf, WRITE } from '../turns.ts';
import { Waiters } from '../waiters.ts';
import { Writes, type Write } from '../writes.ts';
import { rolesOf, type Roles } from './roles.ts';
import { endOf, publish, type Log } from './schema.ts';
import { check } from './upkeep/check.ts';
import { Appender, undo } from './writing/append.ts';
import { Filling } from './writing/filling.ts';
import { sweep } from './upkeep/sweep.ts';

export class MemorySession implements Session {
  readonly #log: Log;
  readonly #roles: Roles;
  readonly #appender: Appender;
  readonly #waiters: Waiters;
  readonly #writes = new Writes(closed);
  #closed = false;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#roles = rolesOf(log);
    this.#appender = new Appender(log, clock);
    this.#waiters = new Waiters({
      look: () => this.#read('end', (_, end) => end),
      begin: () => void log.waiters.add(this.#waiters),
      end: () => void log.waiters.delete(this.#waiters),
    });
  }

  readonly registry: Session['registry'] = () => this.#read('registry', ({ registry }) => registry.registry());

  readonly change: Session['change'] = async (judge) => {
    const unchanged = await this.#read('registry', ({ registry }, end) => registry.unchangedBy(end, judge));
    if (unchanged) return unchanged;
    return this.#write((write) => {
      write.stores();
      return this.#roles.registry.change(judge);
    });
  };

  readonly sweep: Session['sweep'] = async () =>
    this.#write((write) => {
      write.stores();
      return sweep(this.#log);
    });

  readonly advance: Session['advance'] = async (step) =>
    this.#write((write) => {
      write.stores();
      return this.#roles.sets.advance(step);
    });

  readonly append: Session['append'] = async (batch) =>
    this.#write((write) => {
      write.stores();
      const answer = this.#appender.append(batch);
      publish(this.#log);
      return answer;
    });

  readonly exclusive: Session['exclusive'] = async (work) =>
    this.#write(async (write) => {
      try {
        const result = await new Section(this.#offered(), write).run(work);
        write.stores();
        publish(this.#log);
        return result;
      } catch (error) {
        undo(this.#log, this.#log.visible.position);
        throw error;
      }
    });

  readonly load: Session['load'] = (requests, options) =>
    this.#read(kindOf(requests.length === 0 ? 'end' : 'load', options), ({ loader }, end) =>
      loader.load(end, requests, options),
    );

  readonly read: Session['read'] = (range, options) =>
    this.#read(kindOf('read', options), ({ reader }, end) => reader.read(end, range));

  readonly scan: Session['scan'] = (range, options) =>
    this.#read(kindOf('scan', options), ({ scanner }, end) => scanner.scan(end, range));

  readonly commits: Session['commits'] = (range, options) =>
    this.#read(kindOf('commits', options), ({ commits }, end) => commits.commits(end, range));

  readonly ledger: Session['ledger'] = (ids, options) =>
    this.#read(kindOf('ledger', options), ({ commits }, end) => commits.ledger(end, ids));

  readonly types: Session['types'] = (range) => this.#read('types', ({ types }, end) => types.types(end, range));

  readonly documents: Session['documents'] = async (range) => {
    const pieces = this.#roles.documents.sort();
    while (!(await this.#read('documents', () => pieces.next().done)));
    return this.#read('documents', ({ documents }, end) => documents.documents(end, range));
  };

  readonly stored: Session['stored'] = (range) => this.#read('stored', ({ sets }) => sets.stored(range));

  readonly moved: Session['moved'] = (from, signal) => this.#waiters.wait(from, signal);

  readonly check: Session['check'] = async (rest) => {
    const pieces = check(this.#log, this.#log.visible);
    for (;;) {
      await rest?.();
      const piece = await this.#read('check', () => pieces.next());
      if (piece.done) return piece.value;
    }
  };

  async close(closing?: Closing): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiters.fail(closed());
    await this.#writes.close(closing);
  }

  /** Runs a write in its turn, with the write lock held. */
  #write<T>(run: (write: Write) => T | Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    const { turns, lock } = this.#log;
    return this.#writes.run((write) =>
      turns.run(WRITE, () =>
        lock.hold(() => {
          write.assertGoing();
          return run(write);
        }),
      ),
    );
  }

  /** What the holder of the lock may call: it sees all that is stored, also what it has appended itself. */
  #offered(): Offered {
    const log = this.#log;
    const { registry, loader, reader, scanner, commits, sets } = this.#roles;
    const filling = new Filling(log, registry, sets);
    return {
      registry: () => registry.registry(),
      append: (batch) => this.#appender.append(batch),
      load: (requests, options) => loader.load(endOf(log), requests, options),
      ledger: (ids) => commits.ledger(endOf(log), ids),
      commits: (range) => commits.commits(endOf(log), range),
      read: (range) => reader.read(endOf(log), range),
      scan: (range) => scanner.scan(endOf(log), range),
      stored: (range) => sets.stored(range),
      attach: (page) => filling.attach(page),
      fillIndex: (page) => filling.fillIndex(page),
    };
  }

  /** Reads what all can see, in the turn of its kind. */
  async #read<T>(kind: string, run: (roles: Roles, end: LogEnd) => T): Promise<T> {
    return this.#log.turns.run(kind, () => {
      if (this.#closed) throw closed();
      return run(this.#roles, this.#log.visible);
    });
  }
}

function closed(): Closed {
  return new Closed('This session of the log was closed. Open the store again for another session.');
}
