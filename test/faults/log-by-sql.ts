/**
 * A second opinion on a log's file: plain SQL and plain comparing, none of the product's code. Each function gives one
 * sentence for each fault; none if all is well.
 */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import type { Acknowledged } from './acknowledged.ts';

/** A copy of a log that no process has open, its write-ahead log included: looking at it leaves the log as it was left. */
export function copyLog(file: string, to: string): string {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(to + end, { force: true });
  // A journal is part of a log that a kill left half made.
  for (const end of ['', '-wal', '-journal']) if (existsSync(file + end)) copyFileSync(file + end, to + end);
  return to;
}

/** Opens the file, asks, and closes it. */
export function asking<T>(file: string, ask: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file, { timeout: 10_000 });
  try {
    return ask(database);
  } finally {
    database.close();
  }
}

/** The one number that a query gives. */
export function count(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? { none: 0 })[0]);
}

/** How many rows a query may give, and what it means if it gives one. */
const NEVER: Readonly<Record<string, string>> = {
  'positions are not 1, 2, 3, …': `
    SELECT count(*) FROM events HAVING count(*) > 0 AND (min(position) <> 1 OR max(position) <> count(*))`,
  'a commit does not begin where the one before ends': `
    SELECT 1 FROM (SELECT position, event_count,
      lag(position + event_count, 1, 1) OVER (ORDER BY position) AS expected FROM commits)
    WHERE position <> expected OR event_count < 1`,
  'the commits together have not as many events as the log': `
    SELECT 1 WHERE (SELECT coalesce(sum(event_count), 0) FROM commits) <> (SELECT count(*) FROM events)`,
  'a command id has two final outcomes': `
    SELECT 1 FROM commits WHERE attempt = 0 GROUP BY command_id HAVING count(*) > 1`,
  'times run backwards': `
    SELECT 1 FROM (SELECT recorded_at, time, lag(recorded_at) OVER (ORDER BY position) AS earlier FROM commits)
    WHERE recorded_at < earlier OR recorded_at < time`,
  'versions of a document are not 1, 2, 3, …': `
    SELECT 1 FROM attachments GROUP BY document HAVING min(version) <> 1 OR max(version) <> count(*)`,
  'versions of a document are not in the order of the log': `
    SELECT 1 FROM (SELECT position, lag(position) OVER (PARTITION BY document ORDER BY version) AS earlier
      FROM attachments) WHERE position <= earlier`,
  'what an event says it is attached to is not what its documents say': `
    WITH inline AS (
      SELECT item.value AS document, e.attachments ->> (item.key + 1) AS version, e.position, e.type
      FROM events AS e, json_each(e.attachments) AS item WHERE item.key % 2 = 0)
    SELECT 1 FROM (SELECT * FROM inline EXCEPT SELECT document, version, position, type FROM attachments)
    UNION ALL
    SELECT 1 FROM (SELECT document, version, position, type FROM attachments EXCEPT SELECT * FROM inline)`,
};

/** What no log may be: holes, half commits, a ledger that says other than the log. */
export function unsound(file: string): string[] {
  return asking(file, (database) => [
    ...database
      .prepare('PRAGMA integrity_check')
      .all()
      .flatMap((row) => (Object.values(row)[0] === 'ok' ? [] : [String(Object.values(row)[0])])),
    ...Object.entries(NEVER).flatMap(([fault, sql]) => (database.prepare(sql).get() === undefined ? [] : [fault])),
  ]);
}

/** Commits that lack events of theirs by what these say (`index` of `of`, as the domain in `orders.ts` writes them). */
export function halfCommits(file: string): string[] {
  return asking(file, (database) =>
    database
      .prepare(
        `SELECT command_id AS id FROM commits AS c WHERE outcome = 0 AND (
           event_count <> (SELECT json ->> 'of' FROM events WHERE position = c.position)
           OR EXISTS (SELECT 1 FROM events AS e WHERE e.position >= c.position
             AND e.position < c.position + c.event_count AND json ->> 'index' <> e.position - c.position))`,
      )
      .all()
      .map(({ id }) => `the commit of ${String(id)} is not whole`),
  );
}

/** Orders that were decided on stale ground: each customer's are the first, the second, the third, … */
export function staleOrders(file: string): string[] {
  return asking(file, (database) =>
    database
      .prepare(
        `SELECT customer, nth, place FROM (
           SELECT json ->> 'customer_id' AS customer, json ->> 'nth' AS nth,
             row_number() OVER (PARTITION BY json ->> 'customer_id' ORDER BY position) AS place
           FROM events WHERE json ->> 'nth' IS NOT NULL) WHERE nth <> place`,
      )
      .all()
      .map(
        ({ customer, nth, place }) => `order ${String(place)} of ${String(customer)} says that it is ${String(nth)}`,
      ),
  );
}

/** Places that were sold twice, or to nobody, or beyond what there are: each place of a service has one winner. */
export function soldTwice(file: string): string[] {
  return asking(file, (database) =>
    database
      .prepare(
        `SELECT json ->> 'service_id' AS service, sum(json ->> 'places') AS places, count(json ->> 'place') AS sold,
           count(DISTINCT json ->> 'place') AS different
         FROM events WHERE json ->> 'place' IS NOT NULL OR json ->> 'places' IS NOT NULL
         GROUP BY service HAVING sold > places OR different <> sold`,
      )
      .all()
      .map(
        ({ service, places, sold, different }) =>
          `${String(service)}: ${String(sold)} sold, ${String(different)} of ${String(places)} places`,
      ),
  );
}

/** Orders and purchases that were carried out twice, under whatever command ids. */
export function doneTwice(file: string): string[] {
  return asking(file, (database) =>
    database
      .prepare(
        `SELECT coalesce(json ->> 'buyer_id', json ->> 'order_id') AS id, count(*) AS times FROM events
         WHERE json ->> 'nth' IS NOT NULL OR json ->> 'place' IS NOT NULL GROUP BY id HAVING times > 1`,
      )
      .all()
      .map(({ id, times }) => `${String(id)} was carried out ${String(times)} times`),
  );
}

/** Acknowledged outcomes that the log doesn't hold once, at their position, with the same content. */
export function lost(file: string, all: readonly Acknowledged[]): string[] {
  return asking(file, (database) => {
    const commits = database.prepare('SELECT * FROM commits WHERE command_id = ? AND attempt = 0');
    const events = database.prepare(
      'SELECT name AS type, json FROM events JOIN names ON names.number = type WHERE position BETWEEN ? AND ? ORDER BY position',
    );
    return all.flatMap(({ id, position, status, reason, events: expected }) => {
      const [commit, another] = commits.all(id);
      if (!commit) return [`${id} was acknowledged at ${position} and is lost`];
      if (another) return [`${id} is stored twice`];
      const last = Number(commit['position']) + Number(commit['event_count']) - 1;
      if (last !== position) return [`${id} was acknowledged at ${position} and is at ${last}`];
      const found = events
        .all(commit['position']!, last)
        .map(({ type, json }) => Object.assign(JSON.parse(String(json)) as object, { type }));
      const outcome = commit['outcome'] === 0 ? 'succeeded' : 'failed';
      const same =
        outcome === status && (commit['reason'] ?? undefined) === reason && isDeepStrictEqual(found, [...expected]);
      return same ? [] : [`${id} is stored with another content than acknowledged`];
    });
  });
}
