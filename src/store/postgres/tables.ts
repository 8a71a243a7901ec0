/** Format 1: the tables. schema.ts says what each holds. `schema` is quoted. */
export const tables = (schema: string): string =>
  [aboutTheLog, registry, facts, indexesAndLocks, documentSets].map((part) => part(schema)).join('');

/** Which log it is, its settings, and the names that other tables give by number. */
const aboutTheLog = (schema: string): string => `
  CREATE TABLE ${schema}.log (
    id uuid PRIMARY KEY,
    schema text COLLATE "C" NOT NULL
  );

  CREATE TABLE ${schema}.meta (
    name text COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
  );

  INSERT INTO ${schema}.log (id, schema) VALUES (gen_random_uuid(), '${schema.slice(1, -1)}');
  INSERT INTO ${schema}.meta (name, value) VALUES ('generation', 0), ('last', 0);

  CREATE TABLE ${schema}.names (
    number integer PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
  );

  CREATE TABLE ${schema}.documents (
    number bigint PRIMARY KEY,
    collection integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    UNIQUE (collection, id)
  );
`;

/** For which documents events are attached, and which definitions and indexes are in use. */
const registry = (schema: string): string => `
  CREATE TABLE ${schema}.keyings (
    name text COLLATE "C" PRIMARY KEY,
    collection text COLLATE "C" NOT NULL,
    key text NOT NULL,
    definition bigint,
    state text COLLATE "C" NOT NULL,
    filled bigint NOT NULL,
    unswept text COLLATE "C"
  );

  CREATE TABLE ${schema}.definitions (
    id bigint PRIMARY KEY,
    collection text COLLATE "C" NOT NULL,
    definition bigint NOT NULL,
    handled text NOT NULL,
    keying text COLLATE "C" NOT NULL,
    document_set bigint NOT NULL,
    rebuilt bigint,
    rebuild_note text,
    used_at bigint NOT NULL
  );

  CREATE TABLE ${schema}.indexes (
    number bigint PRIMARY KEY,
    document_set bigint NOT NULL,
    fields text NOT NULL,
    state text COLLATE "C" NOT NULL,
    filled text COLLATE "C",
    used_at bigint NOT NULL
  );
`;

/** What happened: the chain covers these two tables. */
const facts = (schema: string): string => `
  CREATE TABLE ${schema}.commits (
    position bigint PRIMARY KEY,
    event_count integer NOT NULL,
    command_id text COLLATE "C" NOT NULL,
    attempt bigint NOT NULL,
    name integer NOT NULL,
    fingerprint bytea NOT NULL,
    actor text,
    correlation text,
    causation text,
    outcome smallint NOT NULL,
    reason text,
    details text,
    time bigint NOT NULL,
    recorded_at bigint NOT NULL,
    hash bytea NOT NULL,
    UNIQUE (command_id, attempt)
  );

  CREATE TABLE ${schema}.events (
    position bigint PRIMARY KEY,
    type integer NOT NULL,
    schema_version bigint NOT NULL,
    time bigint NOT NULL,
    attachments text NOT NULL,
    json text NOT NULL
  );
`;

/** What is found by the facts, and what keeps writers apart. */
const indexesAndLocks = (schema: string): string => `
  CREATE TABLE ${schema}.types (
    type integer PRIMARY KEY,
    position bigint NOT NULL,
    succeeded bigint
  );

  CREATE TABLE ${schema}.attachments (
    document bigint NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    type integer NOT NULL,
    PRIMARY KEY (document, version)
  );

  CREATE TABLE ${schema}.later (
    position bigint NOT NULL,
    document bigint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (position, document)
  );

  CREATE TABLE ${schema}.fences (
    session uuid PRIMARY KEY,
    fence bigint NOT NULL,
    raised_at timestamptz NOT NULL
  );

  CREATE TABLE ${schema}.write_lock ();
`;

/**
 * Stored documents. A page keeps room for new versions of its rows: what changes often is in no index, so most updates stay on
 * their page and write to no index.
 */
const documentSets = (schema: string): string => `
  CREATE TABLE ${schema}.sets (
    number bigint PRIMARY KEY,
    generation bigint NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL
  ) WITH (fillfactor = 20);

  CREATE TABLE ${schema}.stored (
    document_set bigint NOT NULL,
    id bytea NOT NULL,
    version bigint NOT NULL,
    changed bigint NOT NULL,
    state text NOT NULL,
    failed text,
    PRIMARY KEY (document_set, id)
  ) WITH (fillfactor = 80);

  CREATE INDEX stored_failed ON ${schema}.stored (document_set, id) WHERE failed IS NOT NULL;

  CREATE TABLE ${schema}.entries (
    index_number bigint NOT NULL,
    key bytea NOT NULL,
    id bytea NOT NULL,
    PRIMARY KEY (index_number, key)
  );
`;
