/**
 * What the ledger holds of command ids that several callers ask for at once is looked up together, as documents are
 * (shared-load.ts). Nobody is given what was read before he asked.
 */
import { Overloaded } from '../../errors.ts';
import { Line } from '../../line.ts';
import type { StoredCommit } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { concernsAll } from '../concerns-all.ts';

/** Ids of one look-up. */
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
   * What the ledger holds of a command id: its final outcome, or the last that isn't final.
   *
   * @throws Overloaded if too many wait already; HistoryDiverged: on a store that went back, "nothing" proves nothing
   */
  async entry(id: string): Promise<StoredCommit | undefined> {
    this.#core.watermark.assertWhole();
    const { getDocumentsWaitingMax: max } = this.#core.limits;
    const { size: waiting } = this.#asked;
    if (waiting >= max)
      throw new Overloaded(
        `${waiting} callers wait for the outcome of a command already: ask again later, fewer at once, or raise limits.getDocumentsWaitingMax.`,
        { waiting, max, limit: 'getDocumentsWaitingMax' },
      );
    const { promise, resolve, reject } = Promise.withResolvers<StoredCommit | undefined>();
    this.#asked.add({ id, resolve, reject });
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    // Whoever asks in the same turn shares it.
    await undefined;
    while (this.#asked.size > 0) {
      const count = Math.min(this.#asked.size, IDS_AT_ONCE);
      await this.#answer(Array.from({ length: count }, () => this.#asked.next()!));
    }
    this.#isRunning = false;
  }

  /** Never rejects: what goes wrong is told to those who asked. */
  async #answer(asked: readonly LedgerCaller[]): Promise<void> {
    const { watermark, untilClosed } = this.#core;
    try {
      const before = watermark.seen;
      const found = await untilClosed.ledger([...new Set(asked.map(({ id }) => id))]);
      const { end } = await untilClosed.load([]);
      await watermark.observe(before, end, untilClosed);
      const commits = new Map(found.map((commit) => [commit.command.id, commit]));
      for (const { id, resolve } of asked) resolve(commits.get(id));
    } catch (error) {
      // Damage of one commit is nobody else's to hear.
      if (asked.length > 1 && !concernsAll(error)) for (const one of asked) await this.#answer([one]);
      else for (const { reject } of asked) reject(error);
    }
  }
}
