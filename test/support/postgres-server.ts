/**
 * A PostgreSQL of the test run's own: started before the first test, ended after the last.
 * `TIDEMARK_TEST_POSTGRES=postgres://…` uses a server that runs already (its role must be a superuser).
 */
import type { TestProject } from 'vitest/node';
import { start } from '../../scripts/postgres-server.ts';

export {
  freePort,
  initialised,
  launch,
  makePlace,
  start,
  type Place,
  type Server,
} from '../../scripts/postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's URL of the database `postgres`; undefined where the machine has no server. */
    postgres: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TIDEMARK_TEST_POSTGRES'];
  if (given !== undefined && given !== '') {
    project.provide('postgres', given);
    return async () => {};
  }
  const server = await start();
  project.provide('postgres', server.url);
  return server.end;
}
