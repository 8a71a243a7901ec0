/** Looks up the ids that several callers ask for at once together, as shared-load.ts does. No answer is older than its question. */
import { Overloaded } from '../../errors.ts';
import { Line } from '../../line.ts';
import type { StoredCommit } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { concernsAll } from '../outage.ts';

const IDS_AT_ONCE = 1_000;

interface LedgerCaller {
  readonly id: string;
  readonly resolve: (commit: StoredCommit | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class SharedLedger {
  readonly #core: Core;
  readonly #asked = new Line<LedgerCaller>();
  #isRunning = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * A command id's final outcome in the ledger, or its last one that isn't final.
   *
   * @throws Overloaded; HistoryDiverged: on a store that went back, "nothing" proves nothing
   */
  async entry(id: string): Promise<StoredCommit | undefined> {
    this.#core.watermark.assertWhole();
    const { getDocumentsWaitingMax: max } = this.#core.limits;
    const { size: waiting } = this.#asked;
    if (waiting >= max)
      throw new Overloaded(
        `${waiting} calls for the outcome of a command are waiting already: ask again later, fewer at once, or raise limits.getDocumentsWaitingMax.`,
        { waiting, max, limit: 'getDocumentsWaitingMax' },
      );
    const { promise, resolve, reject } = Promise.withResolvers<StoredCommit | undefined>();
    this.#asked.add({ id, resolve, reject });
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  /** Never rejects: the callers get the errors. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    // Calls of the same turn share it.
    await undefined;
    while (this.#asked.size > 0) {
      const count = Math.min(this.#asked.size, IDS_AT_ONCE);
      await this.#answer(Array.from({ length: count }, () => this.#asked.next()!));
    }
    this.#isRunning = false;
  }

  async #answer(asked: readonly LedgerCaller[]): Promise<void> {
    const { watermark, untilClosed } = this.#core;
    try {
      const found = await untilClosed.ledger([...new Set(asked.map(({ id }) => id))]);
      await watermark.look(untilClosed);
      const commits = new Map(found.map((commit) => [commit.command.id, commit]));
      for (const { id, resolve } of asked) resolve(commits.get(id));
    } catch (error) {
      // Damage of one commit concerns no other caller.
      if (asked.length > 1 && !concernsAll(error)) for (const one of asked) await this.#answer([one]);
      else for (const { reject } of asked) reject(error);
    }
  }
}
