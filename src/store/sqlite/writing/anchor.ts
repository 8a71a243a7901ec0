/** The anchor of the machine's clock (../../clock.ts): the only row of its table. */
import type { DatabaseSync } from 'node:sqlite';
import type { Anchor, AnchorPlace } from '../../clock.ts';
import { one } from '../connecting/connection.ts';
import { isWhole } from '../values.ts';

/** Only in a transaction that holds the write lock. */
export class AnchorTable implements AnchorPlace {
  readonly #select;
  readonly #replace;

  constructor(database: DatabaseSync) {
    this.#select = database.prepare('SELECT boot, uptime_ms, clock_ms FROM anchor');
    this.#replace = database.prepare(
      'INSERT OR REPLACE INTO anchor (id, boot, uptime_ms, clock_ms) VALUES (1, ?, ?, ?)',
    );
  }

  /** Undefined if there is no row, or one that isn't valid: then a new anchor is made. */
  read(): Anchor | undefined {
    const [boot, uptimeMs, clockMs] = one<[string, number, number]>(this.#select) ?? [];
    return typeof boot === 'string' && isWhole(uptimeMs) && isWhole(clockMs) ? { boot, uptimeMs, clockMs } : undefined;
  }

  write({ boot, uptimeMs, clockMs }: Anchor): void {
    this.#replace.run(boot, Math.floor(uptimeMs), clockMs);
  }
}
