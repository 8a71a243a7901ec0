/**
 * A session on a log in memory. Every method gives way once before it looks at the log, as a real engine would, so that
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
import { append, undo } from './writing/append.ts';
import { check } from './upkeep/check.ts';
import { commits, ledger } from './reading/commits.ts';
import { documents } from './reading/documents.ts';
import { load } from './reading/load.ts';
import { read } from './reading/read.ts';
import { register, unchangedBy } from './writing/registry.ts';
import { scan } from './reading/scan.ts';
import { endOf, publish } from './schema.ts';
import type { Log } from './schema.ts';
import { types } from './reading/types.ts';

export class MemorySession implements Session {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #waiters: Waiters;
  readonly #writes = new Writes(closed);
  #closed = false;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#waiters = new Waiters({
      look: () => this.#turn('end', () => log.visible),
      begin: () => void log.waiters.add(this.#waiters),
      end: () => void log.waiters.delete(this.#waiters),
    });
  }

  async registry(): Promise<Registry> {
    return this.#turn('registry', () => this.#log.registry);
  }

  async register(collections: readonly CollectionEntry[]): Promise<Registry> {
    const unchanged = await this.#turn('registry', () => unchangedBy(this.#log, collections));
    if (unchanged) return unchanged;
    return this.#write((write) => {
      write.stores();
      return register(this.#log, collections);
    });
  }

  async append(batch: Batch): Promise<Appended> {
    return this.#write((write) => {
      write.stores();
      const answer = append(this.#log, batch, this.#clock);
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

  async load(requests: readonly LoadRequest[], options?: LoadOptions): Promise<Loaded> {
    return this.#turn(kindOf(requests.length === 0 ? 'end' : 'load', options), () =>
      load(this.#log, this.#log.visible, requests, options),
    );
  }

  async read(range: LogRange | DocumentRange, options?: ForBatch): Promise<EventPage> {
    return this.#turn(kindOf('read', options), () => read(this.#log, this.#log.visible, range));
  }

  async scan(range: ScanRange, options?: ForBatch): Promise<ScanPage> {
    return this.#turn(kindOf('scan', options), () => scan(this.#log, this.#log.visible, range));
  }

  async commits(range: CommitRange, options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#turn(kindOf('commits', options), () => commits(this.#log, this.#log.visible, range));
  }

  async ledger(ids: readonly string[], options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#turn(kindOf('ledger', options), () => ledger(this.#log, this.#log.visible, ids));
  }

  async types(range: TypesRange): Promise<readonly HeldType[]> {
    return this.#turn('types', () => types(this.#log, this.#log.visible, range));
  }

  async documents(range: DocumentsRange): Promise<readonly DocumentHead[]> {
    return this.#turn('documents', () => documents(this.#log, this.#log.visible, range));
  }

  moved(from: LogPoint, signal: AbortSignal): Promise<LogEnd> {
    return this.#waiters.wait(from, signal);
  }

  async check(rest?: () => Promise<void>): Promise<readonly string[]> {
    const pieces = check(this.#log, this.#log.visible);
    for (;;) {
      await rest?.();
      const piece = await this.#turn('check', () => pieces.next());
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
    return {
      registry: () => log.registry,
      append: (batch) => append(log, batch, this.#clock),
      load: (requests, options) => load(log, endOf(log), requests, options),
      ledger: (ids) => ledger(log, endOf(log), ids),
      commits: (range) => commits(log, endOf(log), range),
      read: (range) => read(log, endOf(log), range),
    };
  }

  async #turn<T>(kind: string, call: () => T): Promise<T> {
    return this.#log.turns.run(kind, () => {
      if (this.#closed) throw closed();
      return call();
    });
  }
}

function closed(): Closed {
  return new Closed('This session of the log was closed. Open the store again for another one.');
}
