/**
 * `append_v1`: a batch in one call, which is one transaction and one round trip. The hot statement of the store.
 *
 * The order matters. The lock comes first, then the end of the log: under READ COMMITTED each statement in here
 * sees what was committed before it began, so everything is read after the lock was given. (Under REPEATABLE READ the
 * snapshot would be older than the lock: two conflicting appends were both seen to succeed. So that is refused.)
 *
 * The caller has interned the batch: `names` and `documents` hold each name and document once, and all the other arrays
 * point into them, counted from 1. The documents that events are attached to come first, `attached` of them; after them
 * those that are only read. `event_offsets` are the places of events in their commits, from 0; `event_lists` counts the events
 * that are attached to anything, 0 for the others. An attachment's `step` is its place among the batch's attachments of its
 * document.
 *
 * Each commit stands or falls alone: `rest_commits` rest on `rest_reads`, and if one of `taint_commits` falls, what rests on its
 * `taint_reads` after it falls with it (../../ground.ts). Both pairs of lists are in the order of the commits. What falls has no
 * position from then on, and is left out by that. Nothing of this costs a statement where nothing is in the way.
 *
 * `known_documents` are the ids of documents as the caller learned them from earlier answers, up to the commit that ends
 * at `known_position` with `known_hash` (null: look it up). An id never changes, so they hold if the log holds that
 * commit. `known_heads` are their heads there: they hold if the log still ends there.
 *
 * It has no RETURN: whatever the answer, the last statement asks whether it is of the log that was meant (functions.ts).
 *
 * `clock` is the store's: read here, with the lock held, unless the caller was given one by option. Its own wrong clock is
 * thereby nothing to the log: what it decides further ahead than `ahead_ms` is refused.
 */
import { holdsSql } from '../reading/commits.ts';
import { sameLogSql } from '../functions.ts';
import { roomSql } from '../reading/load.ts';
import { lockedSql, writingSql } from './lock.ts';
import { FUNCTION_SETTINGS } from '../connecting/settings.ts';
import { LOAD_EVENTS_MAX, PAGE_BYTES_MAX, STALE_EVENTS_MAX } from '../../store.ts';

export const appendV1 = (schema: string): string => `
CREATE OR REPLACE FUNCTION ${schema}.append_v1(
  session uuid, fence bigint, lock_timeout text, durability text,
  seen_position bigint, seen_hash bytea, generation bigint, INOUT clock bigint, ahead_ms bigint,
  names text[], document_collections int[], document_names text[],
  known_position bigint, known_hash bytea, known_documents bigint[], known_heads bigint[], attached int,
  read_documents int[], read_versions bigint[], rest_commits int[], rest_reads int[], taint_commits int[], taint_reads int[],
  handled_collections text[], handled_types text[],
  command_ids text[], command_names int[], fingerprints bytea[], actors text[], correlations text[], causations text[],
  outcomes smallint[], finals boolean[], reasons text[], details text[], times bigint[], event_counts int[],
  digests bytea[],
  event_commits int[], event_offsets int[], event_types int[], schema_versions bigint[], jsons text[], event_lists int[],
  attachment_events int[], attachment_documents int[], attachment_steps bigint[], log uuid,
  OUT status text, OUT end_position bigint, OUT end_hash bytea, OUT end_recorded_at bigint,
  OUT heads bigint[], OUT document_ids bigint[], OUT hashes bytea, OUT stale int[], OUT stale_events json, OUT duplicates int[],
  OUT fallen int[]
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
${FUNCTION_SETTINGS}
AS $function$
#variable_conflict use_variable
DECLARE
  name_ids int[];
  handled_ids int[];
  lists text[];
  point record;
  position bigint;
  recorded bigint;
  hash bytea;
  lost boolean[];
  fell boolean[];
  falls boolean;
  taken int;
  rest int := 1;
  taint int := 1;
  recorded_ats bigint[] := '{}';
  positions bigint[] := '{}';
  chain bytea[] := '{}';
BEGIN
${writingSql(schema)}
  <<answer>>
  BEGIN
  IF durability IS NOT NULL THEN
    PERFORM set_config('synchronous_commit', durability, true);
  ELSIF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
${lockedSql(schema, 1)}

  SELECT c.position + c.event_count - 1, c.hash, c.recorded_at INTO end_position, end_hash, end_recorded_at
    FROM ${schema}.commits c ORDER BY c.position DESC LIMIT 1;
  IF NOT FOUND THEN
    end_position := 0;
    end_hash := decode(repeat('00', 32), 'hex');
    end_recorded_at := 0;
  END IF;

  IF EXISTS (SELECT FROM ${schema}.fences f WHERE f.session = append_v1.session AND f.fence > append_v1.fence) THEN
    status := 'fenced';
    EXIT answer;
  END IF;

  IF seen_position = end_position THEN
    IF seen_hash <> end_hash THEN
      status := 'diverged';
      EXIT answer;
    END IF;
  ELSIF seen_position = 0 THEN
    IF seen_hash <> decode(repeat('00', 32), 'hex') THEN
      status := 'diverged';
      EXIT answer;
    END IF;
  ELSIF NOT ${holdsSql(schema, 'seen_position', 'seen_hash')} THEN
    status := 'diverged';
    EXIT answer;
  END IF;

  IF generation IS DISTINCT FROM (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation') THEN
    status := 'behind';
    EXIT answer;
  END IF;

  IF known_position <> end_position OR known_hash <> end_hash THEN
    known_heads := NULL;
    IF NOT ${holdsSql(schema, 'known_position', 'known_hash')} THEN
      status := 'replaced';
      EXIT answer;
    END IF;
  END IF;

  name_ids := ARRAY(SELECT (SELECT n.id FROM ${schema}.names n WHERE n.name = given.name) FROM unnest(names) AS given (name));
  document_ids := ARRAY(
    SELECT coalesce(given.id, (SELECT d.id FROM ${schema}.documents d
                               WHERE d.collection = name_ids[given.collection] AND d.name = given.name))
    FROM unnest(document_collections, document_names, known_documents) AS given (collection, name, id));
  heads := ARRAY(
    SELECT coalesce(given.head, (SELECT a.version FROM ${schema}.attachments a
                                 WHERE a.document = given.id ORDER BY a.version DESC LIMIT 1), 0)
    FROM unnest(document_ids, known_heads) AS given (id, head));

  SELECT bool_or(read.version > heads[read.document]) AS ahead, bool_or(read.version < heads[read.document]) AS moved
    INTO point FROM unnest(read_documents, read_versions) AS read (document, version);
  IF point.ahead THEN
    status := 'diverged';
    EXIT answer;
  END IF;
  IF point.moved THEN
    handled_ids := ARRAY(
      SELECT (SELECT n.id FROM ${schema}.names n WHERE n.name = given.type) FROM unnest(handled_types) AS given (type));
    SELECT array_agg(read.ordinal ORDER BY read.ordinal) INTO stale
      FROM unnest(read_documents, read_versions) WITH ORDINALITY AS read (document, version, ordinal)
      WHERE read.version < heads[read.document] AND (
        SELECT true FROM ${schema}.attachments a
        WHERE a.document = document_ids[read.document] AND a.version > read.version AND a.type = ANY (ARRAY(
          SELECT handled.id FROM unnest(handled_collections, handled_ids) AS handled (collection, id)
          WHERE handled.collection = names[document_collections[read.document]])) LIMIT 1);
  END IF;
  SELECT array_agg(given.ordinal ORDER BY given.ordinal) INTO duplicates
    FROM unnest(command_ids) WITH ORDINALITY AS given (id, ordinal)
    WHERE (SELECT true FROM ${schema}.commits c WHERE c.command_id = given.id AND c.attempt = 0 LIMIT 1);
  IF stale IS NOT NULL OR duplicates IS NOT NULL THEN
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
            WHERE a.document = document_ids[read_documents[read.ordinal]] AND a.version > read_versions[read.ordinal]
            ORDER BY a.version LIMIT ${STALE_EVENTS_MAX}
          ) a
          ORDER BY read.ordinal, a.version LIMIT ${LOAD_EVENTS_MAX}
        ) a
        LEFT JOIN ${schema}.events e ON e.position = a.position
        LEFT JOIN ${schema}.names n ON n.id = e.type
      ) missed
      WHERE missed.bytes <= ${PAGE_BYTES_MAX};
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
      WHILE rest_commits[rest] = i LOOP
        falls := falls OR lost[rest_reads[rest]];
        rest := rest + 1;
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
      status := 'refused';
      EXIT answer;
    END IF;
    attachment_steps := ARRAY(
      SELECT CASE WHEN given.stands THEN
          count(*) FILTER (WHERE given.stands) OVER (PARTITION BY given.document ORDER BY given.ordinal) END
        FROM (SELECT each.document, each.ordinal, NOT fell[event_commits[each.event]] AS stands
              FROM unnest(attachment_documents, attachment_events) WITH ORDINALITY AS each (document, event, ordinal)) given
        ORDER BY given.ordinal);
  END IF;

  clock := coalesce(clock, floor(extract(epoch FROM clock_timestamp()) * 1000));
  IF EXISTS (SELECT FROM unnest(times, fell) AS given (time, fell)
      WHERE given.fell IS NOT TRUE AND given.time > least(greatest(clock + ahead_ms, end_recorded_at), 8640000000000000)) THEN
    status := 'ahead';
    EXIT answer;
  END IF;

  IF array_position(name_ids, NULL) IS NOT NULL THEN
    INSERT INTO ${schema}.names (id, name)
      SELECT coalesce((SELECT n.id FROM ${schema}.names n ORDER BY n.id DESC LIMIT 1), 0)
          + row_number() OVER (ORDER BY given.ordinal), given.name
        FROM unnest(names, name_ids) WITH ORDINALITY AS given (name, id, ordinal) WHERE given.id IS NULL;
    name_ids := ARRAY(
      SELECT (SELECT n.id FROM ${schema}.names n WHERE n.name = given.name) FROM unnest(names) AS given (name));
  END IF;
  IF array_position(document_ids[:attached], NULL) IS NOT NULL THEN
    position := coalesce((SELECT d.id FROM ${schema}.documents d ORDER BY d.id DESC LIMIT 1), 0);
    -- None for what fell: a document has at least one event.
    FOR i IN 1 .. cardinality(attachment_documents) LOOP
      IF document_ids[attachment_documents[i]] IS NULL AND attachment_steps[i] = 1 THEN
        position := position + 1;
        document_ids[attachment_documents[i]] := position;
      END IF;
    END LOOP;
    INSERT INTO ${schema}.documents (id, collection, name)
      SELECT given.id, name_ids[given.collection], given.name
        FROM unnest(document_ids[:attached], heads[:attached], document_collections[:attached], document_names[:attached])
          AS given (id, head, collection, name)
        WHERE given.head = 0 AND given.id IS NOT NULL;
  END IF;

  position := end_position;
  recorded := greatest(clock, end_recorded_at);
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

  INSERT INTO ${schema}.commits (position, event_count, command_id, attempt, name, fingerprint, actor, correlation,
      causation, outcome, reason, details, time, recorded_at, hash)
    SELECT given.position, given.event_count, given.command_id,
        CASE WHEN given.final THEN 0 ELSE given.position END, name_ids[given.name], given.fingerprint,
        given.actor, given.correlation, given.causation, given.outcome, given.reason, given.details, given.time,
        given.recorded_at, given.hash
      FROM unnest(positions, event_counts, command_ids, finals, command_names, fingerprints, actors, correlations,
          causations, outcomes, reasons, details, times, recorded_ats, chain)
        AS given (position, event_count, command_id, final, name, fingerprint, actor, correlation, causation, outcome,
          reason, details, time, recorded_at, hash)
      WHERE given.position IS NOT NULL;
  lists := ARRAY(
    SELECT string_agg(document_ids[given.document] || ',' || (heads[given.document] + given.step), ',' ORDER BY given.ordinal)
      FROM unnest(attachment_documents, attachment_steps, attachment_events)
        WITH ORDINALITY AS given (document, step, event, ordinal)
      GROUP BY given.event ORDER BY given.event);
  INSERT INTO ${schema}.events (position, type, schema_version, time, attachments, json)
    SELECT positions[given.commit] + given.place, name_ids[given.type], given.schema_version, times[given.commit],
        coalesce(lists[given.list], ''), given.json
      FROM unnest(event_commits, event_offsets, event_types, schema_versions, event_lists, jsons)
        AS given (commit, place, type, schema_version, list, json)
      WHERE positions[given.commit] IS NOT NULL;
  INSERT INTO ${schema}.attachments (document, version, position, type)
    SELECT document_ids[given.document], heads[given.document] + given.step,
        positions[event_commits[given.event]] + event_offsets[given.event], name_ids[event_types[given.event]]
      FROM unnest(attachment_documents, attachment_steps, attachment_events) AS given (document, step, event)
      WHERE given.step IS NOT NULL;
  IF EXISTS (
      SELECT FROM (SELECT DISTINCT given.type, outcomes[given.commit] AS outcome
                   FROM unnest(event_types, event_commits) AS given (type, commit)
                   WHERE positions[given.commit] IS NOT NULL) met
      WHERE NOT EXISTS (SELECT FROM ${schema}.types t WHERE t.type = name_ids[met.type]
                        AND (met.outcome = 1 OR t.succeeded IS NOT NULL))) THEN
    INSERT INTO ${schema}.types AS t (type, position, succeeded)
      SELECT name_ids[given.type], min(positions[given.commit] + given.place),
          min(positions[given.commit] + given.place) FILTER (WHERE outcomes[given.commit] = 0)
        FROM unnest(event_types, event_commits, event_offsets) AS given (type, commit, place)
        WHERE positions[given.commit] IS NOT NULL GROUP BY given.type
      ON CONFLICT ON CONSTRAINT types_pkey DO UPDATE SET succeeded = coalesce(t.succeeded, excluded.succeeded);
  END IF;
  status := 'stored';
  SELECT string_agg(given.hash, '') INTO hashes FROM unnest(chain) AS given (hash);
  END answer;
${sameLogSql(schema, 'log')}
END
$function$;
`;
