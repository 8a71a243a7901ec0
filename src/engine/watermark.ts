/**
 * What this server has seen of the log (law 9). A store that no longer holds it went back in time: an older backup, or a failover
 * to a copy that lags. From then on nothing is decided or read here.
 */
import { HistoryDiverged } from '../errors.ts';
import { GENESIS_HASH } from '../store/chain.ts';
import type { LogEnd, LogPoint, Session } from '../store/store.ts';

export class Watermark {
  #seen: LogEnd = { position: 0, hash: GENESIS_HASH, recordedAt: 0 };
  #diverged: HistoryDiverged | undefined;
  #told = 0;
  readonly #listening: (() => void)[] = [];

  get seen(): LogEnd {
    return this.#seen;
  }

  /** The position of the last outcome that a caller of this application was given. */
  get told(): number {
    return this.#told;
  }

  tell(position: number): void {
    if (position > this.#told) this.#told = position;
  }

  get diverged(): boolean {
    return this.#diverged !== undefined;
  }

  /** @throws HistoryDiverged if the store was found to have gone back */
  assertWhole(): void {
    if (this.#diverged) throw this.#diverged;
  }

  /** Takes in an end after what was seen: the store vouches for it, or it was checked. */
  advance(end: LogEnd): void {
    if (end.position <= this.#seen.position) return;
    this.#seen = end;
    for (const moved of this.#listening) moved();
  }

  /** Calls `moved` whenever more of the log is seen, for as long as this object lives. */
  each(moved: () => void): void {
    this.#listening.push(moved);
  }

  /**
   * Takes in the end that an append returned. The store vouches that it comes after `sent`, the end that the batch was sent with;
   * what was read meanwhile must be on the same history.
   *
   * @throws HistoryDiverged if it isn't
   */
  async confirm(sent: LogPoint, end: LogEnd, session: Pick<Session, 'commits'>): Promise<void> {
    const seen = this.#seen;
    // Nearly always nothing was seen meanwhile.
    if (seen !== sent && seen.position > 0) {
      for (const point of [seen, end]) if (!(await holds(session, point))) throw this.diverge(end);
    }
    this.advance(end);
  }

  /** Asks where the log ends, and takes that in. @throws HistoryDiverged */
  async look(session: Pick<Session, 'load' | 'commits'>): Promise<LogEnd> {
    const before = this.#seen;
    const { end } = await session.load([]);
    await this.observe(before, end, session);
    return end;
  }

  /**
   * Takes in the end of a read; `before` is what had been seen when it was asked for, and `heldBefore` whether the log that was
   * read holds that, if the read has said so.
   *
   * @throws HistoryDiverged if the log doesn't hold what had been seen
   */
  async observe(before: LogEnd, end: LogEnd, session: Pick<Session, 'commits'>, heldBefore?: boolean): Promise<void> {
    this.assertWhole();
    if (end.position < before.position) throw this.diverge(end);
    if (end.position === before.position) {
      if (end.hash !== before.hash) throw this.diverge(end);
      return;
    }
    // What was seen meanwhile must be held too: asked again until nothing comes between.
    for (;;) {
      const seen = this.#seen;
      if (end.position === seen.position && end.hash !== seen.hash) throw this.diverge(end);
      if (end.position <= seen.position) return;
      if (seen.position > 0) {
        const held = seen === before && heldBefore !== undefined ? heldBefore : await holds(session, seen);
        this.assertWhole();
        if (!held) throw this.diverge(end);
      }
      if (seen === this.#seen) return this.advance(end);
    }
  }

  /** Remembers that the store has gone back. */
  diverge(found?: LogPoint): HistoryDiverged {
    const { position, hash } = this.#seen;
    this.#diverged ??= new HistoryDiverged(
      `The store no longer holds the history that this server has seen up to position ${position}` +
        `${found ? `; it now ends at ${found.position}` : ''}. It is an older copy, or a replica that lagged behind. ` +
        'Stop all servers, find the copy that holds this position and hash, and start from it.',
      { seen: { position, hash }, ...(found && { found: { position: found.position, hash: found.hash } }) },
    );
    return this.#diverged;
  }
}

/** Whether the log has a commit that ends at that position with that hash. */
async function holds(session: Pick<Session, 'commits'>, { position, hash }: LogPoint): Promise<boolean> {
  const [at] = await session.commits({ upTo: position, reverse: true, limit: 1 });
  return at?.hash === hash && at.position + at.eventCount - 1 === position;
}
