/**
 * How many places were sold that didn't exist, in the whole log, from the events alone. It uses no versions, documents or reducers
 * of Tidemark, so a fault in those can't hide here.
 *
 * A service that was never created had no places.
 */
export const OVERSOLD = `
  WITH
    offered AS (
      SELECT json_extract(json, '$.service_id') AS service, max(json_extract(json, '$.quantity')) AS places
      FROM log WHERE type = 'SERVICE_CREATED' GROUP BY service
    ),
    sold AS (
      SELECT json_extract(json, '$.service_id') AS service, count(*) AS places
      FROM log WHERE type = 'SERVICE_BOUGHT' GROUP BY service
    )
  SELECT coalesce(sum(max(sold.places - coalesce(offered.places, 0), 0)), 0) AS oversold
  FROM sold LEFT JOIN offered USING (service)
`;

/** Services of this run (\`?\` is the beginning of its ids) of which not \`?\` were sold. */
export const UNEVEN = `
  SELECT service, sold FROM (
    SELECT
      json_extract(created.json, '$.service_id') AS service,
      (SELECT count(*) FROM sales WHERE sales.service = json_extract(created.json, '$.service_id')) AS sold
    FROM log AS created
    WHERE created.type = 'SERVICE_CREATED' AND substr(created.command_id, 1, length(?1)) = ?1
  )
  WHERE sold <> ?2
`;
