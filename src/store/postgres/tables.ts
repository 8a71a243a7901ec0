/** Format 1: the tables. schema.ts says what each holds. `schema` is quoted. */
export const tables = (schema: string): string => `${aboutTheLog(schema)}${facts(schema)}${indexesAndLocks(schema)}`;

/** Which log it is, its settings and registry, and the names that other tables give by number. */
const aboutTheLog = (schema: string): string => `
  CREATE TABLE ${schema}.log (
    id uuid PRIMARY KEY,
    schema text COLLATE "C" NOT NULL
  );

  CREATE TABLE ${schema}.meta (
    name text COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
  );

  CREATE TABLE ${schema}.registry (
    name text COLLATE "C" PRIMARY KEY,
    definition bigint NOT NULL,
    key text NOT NULL,
    handled text NOT NULL
  );

  INSERT INTO ${schema}.log (id, schema) VALUES (gen_random_uuid(), '${schema.slice(1, -1)}');
  INSERT INTO ${schema}.meta (name, value) VALUES ('generation', 0);

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

/** Two indexes of the facts, and what keeps writers apart. */
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

  CREATE TABLE ${schema}.fences (
    session uuid PRIMARY KEY,
    fence bigint NOT NULL,
    raised_at timestamptz NOT NULL
  );

  CREATE TABLE ${schema}.write_lock ();
`;
