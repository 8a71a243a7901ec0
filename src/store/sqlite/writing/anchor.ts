/** The anchor of the machine's clock (../../clock.ts), in the table of that name: one row, or none yet. */
import type { DatabaseSync } from 'node:sqlite';
import type { Anchor, AnchorPlace } from '../../clock.ts';
import { one } from '../connecting/connection.ts';
import { isWhole } from '../values.ts';

/** Within a transaction that holds the write lock. */
export class AnchorTable implements AnchorPlace {
  readonly #select;
  readonly #replace;

  constructor(database: DatabaseSync) {
    this.#select = database.prepare('SELECT boot, uptime_ms, clock_ms FROM anchor');
    this.#replace = database.prepare(
      'INSERT OR REPLACE INTO anchor (id, boot, uptime_ms, clock_ms) VALUES (1, ?, ?, ?)',
    );
  }

  /** Undefined where there is no row, or one that can't be an anchor: another is made then. */
  read(): Anchor | undefined {
    const [boot, uptimeMs, clockMs] = one<[string, number, number]>(this.#select) ?? [];
    return typeof boot === 'string' && isWhole(uptimeMs) && isWhole(clockMs) ? { boot, uptimeMs, clockMs } : undefined;
  }

  write({ boot, uptimeMs, clockMs }: Anchor): void {
    this.#replace.run(boot, Math.floor(uptimeMs), clockMs);
  }
}
