/**
 * Attachments of keyings that were filled later: the table `later`, merged into the lists of events when these are read. `any`
 * is a query of its own that PostgreSQL runs once at most: where there are none, the others aren't asked for any event.
 */

/** Whether there are any in the log. */
export const anyLaterSql = (schema: string): string => `(SELECT true FROM ${schema}.later LIMIT 1)`;

/** How many an event has, by its position. */
export const laterCountSql = (schema: string, position: string, any: string): string =>
  `CASE WHEN ${any} THEN (SELECT count(*) FROM ${schema}.later l WHERE l.position = ${position}) ELSE 0 END`;

/**
 * The whole list of an event: those it was appended with, then those added later, by the names of their documents. Nearly always
 * one was added, and names aren't needed: to sort them takes several times as long as all the rest.
 */
export const wholeListSql = (schema: string, event: string, any: string): string => {
  const later = `FROM ${schema}.later l WHERE l.position = ${event}.position`;
  const pair = "l.document || ',' || l.version";
  return `CASE WHEN ${any} THEN concat_ws(',', nullif(${event}.attachments, ''), (
      SELECT CASE WHEN count(*) < 2 THEN string_agg(${pair}, ',') ELSE (
        SELECT string_agg(${pair}, ',' ORDER BY n.name, d.id) FROM ${schema}.later l
        LEFT JOIN ${schema}.documents d ON d.number = l.document
        LEFT JOIN ${schema}.names n ON n.number = d.collection
        WHERE l.position = ${event}.position
      ) END ${later}
    )) ELSE ${event}.attachments END`;
};
