/**
 * A session on a log in memory. Every method gives way once before it looks at the log, as a store that waits would, so that
 * what races elsewhere races here too.
 */
import { Closed } from '../../errors.ts';
import type {
  Appended,
  Batch,
  Closing,
  CollectionEntry,
  CommitRange,
  DocumentHead,
  DocumentRange,
  DocumentsRange,
  EventPage,
  HeldType,
  Loaded,
  ForBatch,
  LoadOptions,
  LoadRequest,
  Locked,
  LogEnd,
  LogPoint,
  LogRange,
  Registry,
  ScanPage,
  ScanRange,
  Session,
  StoredCommit,
  TypesRange,
} from '../store.ts';
import type { Clock } from '../clock.ts';
import { Section } from '../section.ts';
import type { Offered } from '../section.ts';
import { kindOf, WRITE } from '../turns.ts';
import { Waiters } from '../waiters.ts';
import { Writes } from '../writes.ts';
import type { Write } from '../writes.ts';
import { Appender, undo } from './writing/append.ts';
import { check } from './upkeep/check.ts';
import { Roles } from './roles.ts';
import { endOf, publish } from './schema.ts';
import type { Log } from './schema.ts';

export class MemorySession implements Session {
  readonly #log: Log;
  readonly #roles: Roles;
  readonly #appender: Appender;
  readonly #waiters: Waiters;
  readonly #writes = new Writes(closed);
  #closed = false;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#roles = new Roles(log);
    this.#appender = new Appender(log, clock);
    this.#waiters = new Waiters({
      look: () => this.#read('end', (_, end) => end),
      begin: () => void log.waiters.add(this.#waiters),
      end: () => void log.waiters.delete(this.#waiters),
    });
  }

  registry(): Promise<Registry> {
    return this.#read('registry', ({ registry }) => registry.registry());
  }

  async register(collections: readonly CollectionEntry[]): Promise<Registry> {
    const unchanged = await this.#read('registry', ({ registry }, end) => registry.unchangedBy(end, collections));
    if (unchanged) return unchanged;
    return this.#write((write) => {
      write.stores();
      return this.#roles.registry.register(collections);
    });
  }

  async append(batch: Batch): Promise<Appended> {
    return this.#write((write) => {
      write.stores();
      const answer = this.#appender.append(batch);
      publish(this.#log);
      return answer;
    });
  }

  async exclusive<T>(work: (locked: Locked) => Promise<T>): Promise<T> {
    return this.#write(async (write) => {
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
  }

  load(requests: readonly LoadRequest[], options?: LoadOptions): Promise<Loaded> {
    const kind = kindOf(requests.length === 0 ? 'end' : 'load', options);
    return this.#read(kind, ({ loader }, end) => loader.load(end, requests, options));
  }

  read(range: LogRange | DocumentRange, options?: ForBatch): Promise<EventPage> {
    return this.#read(kindOf('read', options), ({ reader }, end) => reader.read(end, range));
  }

  scan(range: ScanRange, options?: ForBatch): Promise<ScanPage> {
    return this.#read(kindOf('scan', options), ({ scanner }, end) => scanner.scan(end, range));
  }

  commits(range: CommitRange, options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#read(kindOf('commits', options), ({ commits }, end) => commits.commits(end, range));
  }

  ledger(ids: readonly string[], options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#read(kindOf('ledger', options), ({ commits }, end) => commits.ledger(end, ids));
  }

  types(range: TypesRange): Promise<readonly HeldType[]> {
    return this.#read('types', ({ types }, end) => types.types(end, range));
  }

  documents(range: DocumentsRange): Promise<readonly DocumentHead[]> {
    return this.#read('documents', ({ documents }, end) => documents.documents(end, range));
  }

  moved(from: LogPoint, signal: AbortSignal): Promise<LogEnd> {
    return this.#waiters.wait(from, signal);
  }

  async check(rest?: () => Promise<void>): Promise<readonly string[]> {
    const pieces = check(this.#log, this.#log.visible);
    for (;;) {
      await rest?.();
      const piece = await this.#read('check', () => pieces.next());
      if (piece.done) return piece.value;
    }
  }

  async close(closing?: Closing): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiters.fail(closed());
    await this.#writes.close(closing);
  }

  /** Runs it with the write lock held, in its turn. */
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

  /** What the holder of the lock may do: see all that is stored, its own included. */
  #offered(): Offered {
    const log = this.#log;
    const { registry, loader, reader, commits } = this.#roles;
    return {
      registry: () => registry.registry(),
      append: (batch) => this.#appender.append(batch),
      load: (requests, options) => loader.load(endOf(log), requests, options),
      ledger: (ids) => commits.ledger(endOf(log), ids),
      commits: (range) => commits.commits(endOf(log), range),
      read: (range) => reader.read(endOf(log), range),
    };
  }

  /** Reads what everybody can see, in the turn of its kind. */
  async #read<T>(kind: string, run: (roles: Roles, end: LogEnd) => T): Promise<T> {
    return this.#log.turns.run(kind, () => {
      if (this.#closed) throw closed();
      return run(this.#roles, this.#log.visible);
    });
  }
}

function closed(): Closed {
  return new Closed('This session of the log was closed. Open the store again for another one.');
}
