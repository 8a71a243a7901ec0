/** `npm run postgres`: a PostgreSQL for trying things out. It ends, and what is in it goes, with this process. */
import { once } from 'node:events';
import { start } from './postgres-server.ts';

const server = await start();
process.stdout.write(`${server.url}\n`);
process.stderr.write('A PostgreSQL with that URL runs until Ctrl-C. What is in it goes with it.\n');
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), once(process, 'SIGHUP')]);
await server.end();
