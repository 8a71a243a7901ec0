/** `npm run postgres`: a PostgreSQL for trying things out. It ends, and what is in it goes, with this process. */
import { once } from 'node:events';
import { parsed, script } from './options.ts';
import { start } from './postgres-server.ts';

const HELP = `Starts a PostgreSQL for trying things out, and prints its URL.

  npm run postgres

It runs until Ctrl-C. What is in it goes with it. TIDEMARK_POSTGRES_BIN=/usr/lib/postgresql/15/bin starts another
version.
`;

async function main(): Promise<number> {
  const server = await start();
  process.stdout.write(`${server.url}\n`);
  process.stderr.write('A PostgreSQL with that URL runs until Ctrl-C. What is in it goes with it.\n');
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), once(process, 'SIGHUP')]);
  await server.end();
  return 0;
}

await script(HELP, (args) => parsed(args, {}), main);
