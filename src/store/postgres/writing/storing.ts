/**
 * The parts of `append_v1` (append-v1.ts) that store the commits that stand, one part for each table. A commit that fell has no
 * position, and its attachments have no step.
 */
import { nameNumbersSql } from './judging.ts';

/** Names that are new in the log. */
export const newNamesSql = (schema: string): string => `
  IF array_position(name_numbers, NULL) IS NOT NULL THEN
    INSERT INTO ${schema}.names (number, name)
      SELECT coalesce((SELECT n.number FROM ${schema}.names n ORDER BY n.number DESC LIMIT 1), 0)
          + row_number() OVER (ORDER BY given.ordinal), given.name
        FROM unnest(names, name_numbers) WITH ORDINALITY AS given (name, number, ordinal) WHERE given.number IS NULL;
${nameNumbersSql(schema)}
  END IF;
`;

/** Documents that are new in the log; none of a commit that fell, as a document has at least one event. */
export const newDocumentsSql = (schema: string): string => `
  IF array_position(document_numbers[:attached], NULL) IS NOT NULL THEN
    newest := coalesce((SELECT d.number FROM ${schema}.documents d ORDER BY d.number DESC LIMIT 1), 0);
    FOR i IN 1 .. cardinality(attachment_documents) LOOP
      IF document_numbers[attachment_documents[i]] IS NULL AND attachment_steps[i] = 1 THEN
        newest := newest + 1;
        document_numbers[attachment_documents[i]] := newest;
      END IF;
    END LOOP;
    INSERT INTO ${schema}.documents (number, collection, id)
      SELECT given.number, name_numbers[given.collection], given.id
        FROM unnest(document_numbers[:attached], heads[:attached], document_collections[:attached], document_ids[:attached])
          AS given (number, head, collection, id)
        WHERE given.head = 0 AND given.number IS NOT NULL;
  END IF;
`;

/** Positions, times and hashes of the commits that stand: in a loop, as each follows from the one before. */
export const chainSql = (): string => `
  position := end_position;
  recorded := greatest(now, end_recorded_at);
  hash := end_hash;
  FOR i IN 1 .. cardinality(command_ids) LOOP
    IF fell[i] THEN
      positions[i] := NULL;
      recorded_ats[i] := NULL;
      chain[i] := NULL;
      CONTINUE;
    END IF;
    IF times[i] > recorded THEN
      recorded := times[i];
    END IF;
    hash := sha256(hash || int8send(position + 1) || int8send(recorded) || digests[i]);
    positions[i] := position + 1;
    recorded_ats[i] := recorded;
    chain[i] := hash;
    position := position + event_counts[i];
  END LOOP;
`;

export const commitsSql = (schema: string): string => `
  INSERT INTO ${schema}.commits (position, event_count, command_id, attempt, name, fingerprint, actor, correlation,
      causation, outcome, reason, details, time, recorded_at, hash)
    SELECT given.position, given.event_count, given.command_id,
        CASE WHEN given.final THEN 0 ELSE given.position END, name_numbers[given.name], given.fingerprint,
        given.actor, given.correlation, given.causation, given.outcome, given.reason, given.details, given.time,
        given.recorded_at, given.hash
      FROM unnest(positions, event_counts, command_ids, finals, command_names, fingerprints, actors, correlations,
          causations, outcomes, reasons, details, times, recorded_ats, chain)
        AS given (position, event_count, command_id, final, name, fingerprint, actor, correlation, causation, outcome,
          reason, details, time, recorded_at, hash)
      WHERE given.position IS NOT NULL;
`;

/** The events with their lists, which are made all at once: a query for each event would cost more than all the rest. */
export const eventsSql = (schema: string): string => `
  lists := ARRAY(
    SELECT string_agg(document_numbers[given.document] || ',' || (heads[given.document] + given.step), ',' ORDER BY given.ordinal)
      FROM unnest(attachment_documents, attachment_steps, attachment_events)
        WITH ORDINALITY AS given (document, step, event, ordinal)
      GROUP BY given.event ORDER BY given.event);
  INSERT INTO ${schema}.events (position, type, schema_version, time, attachments, json)
    SELECT positions[given.commit] + given.place, name_numbers[given.type], given.schema_version, times[given.commit],
        coalesce(lists[given.list], ''), given.json
      FROM unnest(event_commits, event_offsets, event_types, schema_versions, event_lists, jsons)
        AS given (commit, place, type, schema_version, list, json)
      WHERE positions[given.commit] IS NOT NULL;
`;

export const attachmentsSql = (schema: string): string => `
  INSERT INTO ${schema}.attachments (document, version, position, type)
    SELECT document_numbers[given.document], heads[given.document] + given.step,
        positions[event_commits[given.event]] + event_offsets[given.event], name_numbers[event_types[given.event]]
      FROM unnest(attachment_documents, attachment_steps, attachment_events) AS given (document, step, event)
      WHERE given.step IS NOT NULL;
`;

/** Event types that are new in the log, or new in a success. That is rare, so a query asks first. */
export const typesSql = (schema: string): string => `
  IF EXISTS (
      SELECT FROM (SELECT DISTINCT given.type, outcomes[given.commit] AS outcome
                   FROM unnest(event_types, event_commits) AS given (type, commit)
                   WHERE positions[given.commit] IS NOT NULL) met
      WHERE NOT EXISTS (SELECT FROM ${schema}.types t WHERE t.type = name_numbers[met.type]
                        AND (met.outcome = 1 OR t.succeeded IS NOT NULL))) THEN
    INSERT INTO ${schema}.types AS t (type, position, succeeded)
      SELECT name_numbers[given.type], min(positions[given.commit] + given.place),
          min(positions[given.commit] + given.place) FILTER (WHERE outcomes[given.commit] = 0)
        FROM unnest(event_types, event_commits, event_offsets) AS given (type, commit, place)
        WHERE positions[given.commit] IS NOT NULL GROUP BY given.type
      ON CONFLICT ON CONSTRAINT types_pkey DO UPDATE SET succeeded = coalesce(t.succeeded, excluded.succeeded);
  END IF;
`;
