/**
 * The parts of `append_v1` (append-v1.ts) that run before anything is stored. They find out whether the log is the one that
 * the caller knows, what is in the way of the batch, and which commits fall. A part that has the answer leaves the block
 * `answer`.
 */
import { LOAD_EVENTS_MAX, PAGE_BYTES_MAX, STALE_EVENTS_MAX } from '../../store.ts';
import { holdsSql } from '../reading/commits.ts';
import { roomSql } from '../reading/room.ts';

const answerSql = (status: string): string => `status := '${status}';
    EXIT answer;`;

const GENESIS = "decode(repeat('00', 32), 'hex')";

/** The end of the log, and whether the session has raised its fence since it sent this. */
export const endSql = (schema: string): string => `
  SELECT c.position + c.event_count - 1, c.hash, c.recorded_at INTO end_position, end_hash, end_recorded_at
    FROM ${schema}.commits c ORDER BY c.position DESC LIMIT 1;
  IF NOT FOUND THEN
    end_position := 0;
    end_hash := ${GENESIS};
    end_recorded_at := 0;
  END IF;
  IF EXISTS (SELECT FROM ${schema}.fences f WHERE f.session = append_v1.session AND f.fence > append_v1.fence) THEN
    ${answerSql('fenced')}
  END IF;
`;

/** Whether the log holds what the caller has seen. That is mostly its end, so nothing has to be looked up. */
export const seenSql = (schema: string): string => `
  IF seen_position IN (end_position, 0) THEN
    IF seen_hash <> (CASE WHEN seen_position = end_position THEN end_hash ELSE ${GENESIS} END) THEN
      ${answerSql('diverged')}
    END IF;
  ELSIF NOT ${holdsSql(schema, 'seen_position', 'seen_hash')} THEN
    ${answerSql('diverged')}
  END IF;
  SELECT m.value AS generation, EXISTS (SELECT FROM ${schema}.keyings k WHERE k.state = 'filling') AS filling INTO point
    FROM ${schema}.meta m WHERE m.name = 'generation';
  IF generation IS DISTINCT FROM point.generation THEN
    ${answerSql('behind')}
  END IF;
`;

/**
 * Which part of what the caller knows of documents is right: nothing in another log, no heads if another session has written, or
 * may have attached events that are stored already. (Heads are given with the generation that they are known of: once all is
 * attached, it is another.)
 */
export const knownSql = (schema: string): string => `
  IF point.filling THEN
    known_heads := NULL;
  END IF;
  IF known_position <> end_position OR known_hash <> end_hash THEN
    known_heads := NULL;
    IF NOT ${holdsSql(schema, 'known_position', 'known_hash')} THEN
      ${answerSql('replaced')}
    END IF;
  END IF;
`;

export const nameNumbersSql = (schema: string): string => `
  name_numbers := ARRAY(SELECT (SELECT n.number FROM ${schema}.names n WHERE n.name = given.name) FROM unnest(names) AS given (name));`;

/** The numbers of names and documents, and the heads of documents: one seek for each that isn't known. */
export const documentsSql = (schema: string): string => `${nameNumbersSql(schema)}
  document_numbers := ARRAY(
    SELECT coalesce(given.number, (SELECT d.number FROM ${schema}.documents d
                                   WHERE d.collection = name_numbers[given.collection] AND d.id = given.id))
    FROM unnest(document_collections, document_ids, known_numbers) AS given (collection, id, number));
  heads := ARRAY(
    SELECT coalesce(given.head, (SELECT a.version FROM ${schema}.attachments a
                                 WHERE a.document = given.number ORDER BY a.version DESC LIMIT 1), 0)
    FROM unnest(document_numbers, known_heads) AS given (number, head));
`;

/** Rows of `reads` that are stale, and command ids that have a final outcome. */
export const obstaclesSql = (schema: string): string => `
  SELECT bool_or(read.version > heads[read.document]) AS ahead, bool_or(read.version < heads[read.document]) AS moved
    INTO point FROM unnest(read_documents, read_versions) AS read (document, version);
  IF point.ahead THEN
    ${answerSql('diverged')}
  END IF;
  IF point.moved THEN
    handled_numbers := ARRAY(
      SELECT (SELECT n.number FROM ${schema}.names n WHERE n.name = given.type) FROM unnest(handled_types) AS given (type));
    SELECT array_agg(read.ordinal ORDER BY read.ordinal) INTO stale
      FROM unnest(read_documents, read_versions) WITH ORDINALITY AS read (document, version, ordinal)
      WHERE read.version < heads[read.document] AND (
        SELECT true FROM ${schema}.attachments a
        WHERE a.document = document_numbers[read.document] AND a.version > read.version AND a.type = ANY (ARRAY(
          SELECT handled.number FROM unnest(handled_collections, handled_numbers) AS handled (collection, number)
          WHERE handled.collection = names[document_collections[read.document]])) LIMIT 1);
  END IF;
  SELECT array_agg(given.ordinal ORDER BY given.ordinal) INTO duplicates
    FROM unnest(command_ids) WITH ORDINALITY AS given (id, ordinal)
    WHERE (SELECT true FROM ${schema}.commits c WHERE c.command_id = given.id AND c.attempt = 0 LIMIT 1);
`;

/** The events that were missed of the stale documents, as many as fit into one answer. An event's text is sent once. */
const missedSql = (schema: string): string => `
    SELECT json_agg(json_build_array(missed.ordinal, missed.version, missed.position, missed.type,
        missed.schema_version, missed.time, missed.json) ORDER BY missed.ordinal, missed.version)
      INTO stale_events
      FROM (
        SELECT a.*, n.name AS type, e.schema_version, e.time, CASE WHEN a.first THEN e.json END AS json,
          sum(${roomSql('a.first', 'e.json')}) OVER (ORDER BY a.ordinal, a.version ROWS UNBOUNDED PRECEDING) AS bytes
        FROM (
          SELECT read.ordinal, a.version, a.position,
            row_number() OVER (PARTITION BY a.position ORDER BY read.ordinal) = 1 AS first
          FROM unnest(stale) AS read (ordinal)
          CROSS JOIN LATERAL (
            SELECT * FROM ${schema}.attachments a
            WHERE a.document = document_numbers[read_documents[read.ordinal]] AND a.version > read_versions[read.ordinal]
            ORDER BY a.version LIMIT ${STALE_EVENTS_MAX}
          ) a
          ORDER BY read.ordinal, a.version LIMIT ${LOAD_EVENTS_MAX}
        ) a
        LEFT JOIN ${schema}.events e ON e.position = a.position
        LEFT JOIN ${schema}.names n ON n.number = e.type
      ) missed
      WHERE missed.bytes <= ${PAGE_BYTES_MAX};`;

/** Which commits fall: each in turn, as those that build on one that falls do too. Then the attachments' steps are counted anew. */
export const fallenSql = (schema: string): string => `
  IF stale IS NOT NULL OR duplicates IS NOT NULL THEN${missedSql(schema)}
    lost := array_fill(false, ARRAY[cardinality(read_documents)]);
    FOREACH taken IN ARRAY coalesce(stale, '{}') LOOP
      lost[taken] := true;
    END LOOP;
    fell := array_fill(false, ARRAY[cardinality(command_ids)]);
    FOREACH taken IN ARRAY coalesce(duplicates, '{}') LOOP
      fell[taken] := true;
    END LOOP;
    fallen := '{}';
    FOR i IN 1 .. cardinality(command_ids) LOOP
      falls := fell[i];
      WHILE ground_commits[ground] = i LOOP
        falls := falls OR lost[ground_reads[ground]];
        ground := ground + 1;
      END LOOP;
      WHILE taint_commits[taint] = i LOOP
        IF falls THEN
          lost[taint_reads[taint]] := true;
        END IF;
        taint := taint + 1;
      END LOOP;
      IF falls THEN
        fell[i] := true;
        fallen := fallen || i;
      END IF;
    END LOOP;
    IF cardinality(fallen) = cardinality(command_ids) THEN
      ${answerSql('refused')}
    END IF;
    attachment_steps := ARRAY(
      SELECT CASE WHEN given.stands THEN
          count(*) FILTER (WHERE given.stands) OVER (PARTITION BY given.document ORDER BY given.ordinal) END
        FROM (SELECT each.document, each.ordinal, NOT fell[event_commits[each.event]] AS stands
              FROM unnest(attachment_documents, attachment_events) WITH ORDINALITY AS each (document, event, ordinal)) given
        ORDER BY given.ordinal);
  END IF;
`;

/** The database's clock, read with the lock held, unless the session was given one: the server's own may be wrong. */
export const clockSql = (): string => `
  now := coalesce(clock, floor(extract(epoch FROM clock_timestamp()) * 1000));
  IF EXISTS (SELECT FROM unnest(times, fell) AS given (time, fell)
      WHERE given.fell IS NOT TRUE AND given.time > least(greatest(now + ahead_ms, end_recorded_at), 8640000000000000)) THEN
    ${answerSql('ahead')}
  END IF;
`;
