/**
 * A session: one connection writes and another reads, so that reads don't see an open exclusive transaction of the same
 * session.
 */
import type { DatabaseSync } from 'node:sqlite';
import { Section, sectionOver, type Offered, type SectionRules } from '../section.ts';
import type { Appended, Closing, ExclusiveOptions, Judge, Locked, Opening, Session } from '../store.ts';
import { kindOf } from '../turns.ts';
import { urlOf } from './connecting/connection.ts';
import { closed, translated } from './errors.ts';
import { refused } from './refused.ts';
import { Waiting } from './reading/waiting.ts';
import type { WritingRoles } from './roles.ts';
import { Thrown, Transactions, type TransactionOptions, type Work, type Writer } from './transactions.ts';
import { Asides } from './upkeep/aside.ts';
import { check } from './upkeep/check.ts';
import { Checkpoints } from './upkeep/checkpoints.ts';

export interface SessionOptions extends TransactionOptions {
  /** No process has the file open to write. */
  readonly settled?: boolean;
  /** Told if the write-ahead log grows. */
  readonly warn?: Opening['warn'];
}

export class SqliteSession implements Session {
  readonly readOnly: boolean;
  readonly #options: SessionOptions;
  readonly #reader: DatabaseSync;
  readonly #transactions: Transactions;
  readonly #waiting: Waiting;
  readonly #checkpoints: Checkpoints | undefined;
  readonly #asides: Asides;

  /** The connections are set up, and the session closes them. Without a writer it is only for reading. */
  constructor(writer: Writer | undefined, reader: DatabaseSync, options: SessionOptions) {
    const { file, settled, lockTimeoutMs, warn } = options;
    this.readOnly = writer === undefined;
    this.#options = options;
    this.#reader = reader;
    this.#asides = new Asides(urlOf(file, settled), lockTimeoutMs, () => closed(file));
    this.#transactions = new Transactions(writer, reader, options, (now, purpose) => {
      this.#checkpoints?.committed(now);
      if (purpose === 'log') this.#waiting.tell();
    });
    this.#checkpoints =
      writer && new Checkpoints({ file, writer: writer.database, reader, warn, asides: this.#asides });
    this.#waiting = new Waiting(reader, async () => (await this.load([])).end, options);
  }

  readonly registry: Session['registry'] = () =>
    this.#transactions.read('registry', ({ registry }) => registry.registry());

  readonly change: Session['change'] = async (judge) => {
    // An application with nothing to register opens while another process holds the lock.
    this.#transactions.lookNext();
    const given: Judge = (...facts) => orThrown(() => judge(...facts));
    const { registry, change } = await this.#transactions.read('registry', (roles) => roles.registry.judged(given));
    if (change === undefined) return registry;
    if (this.readOnly) throw refused(this.#options.file, registry, change);
    return this.#transactions.write(({ roles }) => roles.registry.change(given));
  };

  readonly sweep: Session['sweep'] = async () => {
    const { more } = await this.#transactions.inTurn((use) =>
      use(
        ({ sweeping }) => sweeping.sweep(),
        ({ removed }) => removed,
        'made',
      ),
    );
    return more;
  };

  readonly advance: Session['advance'] = (step) =>
    this.#transactions.inTurn((use) =>
      use(
        ({ sets }, write) => sets.advance(step, () => write.assertGoing()),
        (stepped) => stepped === 'stored',
        'made',
      ),
    );

  readonly append: Session['append'] = (batch) =>
    this.#transactions.inTurn(async (use) => {
      const appended = await use(({ appender }) => appender.tryAppend(batch), isStored);
      // It holds a duplicate and was rolled back: all of it again, and this time the duplicates are looked for first.
      return appended ?? use(({ appender }) => appender.append(batch), isStored);
    });

  readonly exclusive: Session['exclusive'] = <T>(
    work: (locked: Locked) => Promise<T>,
    { isMade = false }: ExclusiveOptions = {},
  ) => {
    const { file, inPlace } = this.#options;
    const locked: Work<T> = async (writing, write) => {
      const rules: SectionRules = {
        ...write,
        translated: (error) => translated(error, file),
        loses: () => !this.#transactions.isWriting,
      };
      let isOver = false;
      const assertGoing = (): void => {
        write.assertGoing();
        if (isOver) throw sectionOver();
      };
      try {
        const result = await new Section(offered(writing, assertGoing), rules).run(work);
        // The work may have taken long.
        inPlace();
        return result;
      } catch (error) {
        throw new Thrown(error);
      } finally {
        isOver = true;
      }
    };
    return this.#transactions.inTurn((use) => use(locked, () => true, isMade ? 'made' : 'log'));
  };

  readonly load: Session['load'] = (requests, options) =>
    this.#transactions.read(kindOf(requests.length === 0 ? 'end' : 'load', options), ({ loader }) =>
      loader.load(requests, options),
    );

  readonly read: Session['read'] = (range, options) =>
    this.#transactions.read(kindOf('read', options), ({ reader }) => reader.read(range));

  readonly scan: Session['scan'] = (range, options) =>
    this.#transactions.read(kindOf('scan', options), ({ scanner }) => scanner.scan(range));

  readonly commits: Session['commits'] = (range, options) =>
    this.#transactions.read(kindOf('commits', options), ({ commits }) => commits.commits(range));

  readonly ledger: Session['ledger'] = (ids, options) =>
    this.#transactions.read(kindOf('ledger', options), ({ commits }) => commits.ledger(ids));

  readonly types: Session['types'] = (range) => this.#transactions.read('types', ({ types }) => types.types(range));

  readonly documents: Session['documents'] = (range) =>
    this.#transactions.read('documents', ({ documents }) => documents.documents(range));

  readonly stored: Session['stored'] = (range) =>
    this.#transactions.read('stored', ({ stored }) => stored.stored(range));

  readonly moved: Session['moved'] = async (from, signal) => {
    this.#transactions.assertOpen();
    return this.#waiting.waiters.wait(from, signal);
  };

  readonly health: NonNullable<Session['health']> = async () => {
    this.#transactions.assertOpen();
    return { walBytes: this.#checkpoints?.walBytes };
  };

  readonly check: Session['check'] = async () => {
    await this.#sound();
    try {
      return await this.#asides.run({ readOnly: true }, ({ look }) => check(look));
    } catch (error) {
      throw translated(error, this.#options.file);
    } finally {
      await this.#sound();
    }
  };

  async close(closing?: Closing): Promise<void> {
    if (this.#transactions.isClosed) return;
    const stopped = this.#transactions.stop(closing);
    this.#waiting.waiters.fail(closed(this.#options.file));
    await stopped;
    await this.#asides.close();
    await this.#transactions.close();
  }

  /**
   * Checks that it is still the log that was opened, and of a known format. What comes after reads the file too, not pages that
   * were read before.
   */
  #sound(): Promise<void> {
    this.#transactions.lookNext();
    return this.#transactions.read('check', () => this.#reader.exec('PRAGMA shrink_memory'));
  }
}

/** What an exclusive section can call, in its transaction. */
function offered({ appender, filling, roles }: WritingRoles, assertGoing: () => void): Offered {
  const { registry, loader, reader, scanner, commits, stored } = roles;
  return {
    registry: () => registry.registry(),
    append: (batch) => appender.append(batch),
    load: (requests, options) => loader.load(requests, options),
    ledger: (ids) => commits.ledger(ids),
    commits: (range) => commits.commits(range),
    read: (range) => reader.read(range),
    scan: (range) => scanner.scan(range),
    stored: (range) => stored.stored(range),
    attach: (page) => filling.attach(page, assertGoing),
    fillIndex: (page) => filling.fillIndex(page),
  };
}

function isStored(appended: Appended | undefined): boolean {
  return appended?.status === 'stored';
}

/** What a judge throws goes to the caller as it is. */
function orThrown<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Thrown(error);
  }
}
