/** The anchor of the machine's clock (../../clock.ts), in the table of that name: one row, or none yet. */
import type { DatabaseSync } from 'node:sqlite';
import type { AnchorPlace } from '../../clock.ts';
import { one } from '../connecting/connection.ts';
import { isWhole } from '../values.ts';

/** Within a transaction that holds the write lock. */
export function anchorTable(database: DatabaseSync): AnchorPlace {
  const select = database.prepare('SELECT boot, uptime_ms, clock_ms FROM anchor');
  const put = database.prepare('INSERT OR REPLACE INTO anchor (id, boot, uptime_ms, clock_ms) VALUES (1, ?, ?, ?)');
  return {
    read() {
      const [boot, uptimeMs, clockMs] = one<[string, number, number]>(select) ?? [];
      // What can't be an anchor is none: another is made.
      return typeof boot === 'string' && isWhole(uptimeMs) && isWhole(clockMs)
        ? { boot, uptimeMs, clockMs }
        : undefined;
    },
    write: ({ boot, uptimeMs, clockMs }) => void put.run(boot, Math.floor(uptimeMs), clockMs),
  };
}
