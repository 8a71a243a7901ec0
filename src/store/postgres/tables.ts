/** Format 1: the tables. What each holds is told in schema.ts. `schema` is quoted already. */
export const tables = (schema: string): string =>
  [ofTheLogItself, ofNames, ofFacts, ofIndexes, ofWriters].map((statements) => statements(schema)).join('\n');

/** Which log it is, its settings and its registry. */
const ofTheLogItself = (schema: string): string => `
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
`;

/** What is written as a number elsewhere. */
const ofNames = (schema: string): string => `
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

/** What happened: the chain covers these two. */
const ofFacts = (schema: string): string => `
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

/** What follows from the facts, and is kept so that no look has to go through them. */
const ofIndexes = (schema: string): string => `
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
`;

/** What writers keep each other away by. */
const ofWriters = (schema: string): string => `
  CREATE TABLE ${schema}.fences (
    session uuid PRIMARY KEY,
    fence bigint NOT NULL,
    raised_at timestamptz NOT NULL
  );

  CREATE TABLE ${schema}.write_lock ();
`;
