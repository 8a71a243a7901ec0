/**
 * A server in a separate process. Each message of its parent is a call of {@link Server}. It ends when the parent disconnects or is
 * gone. Ctrl-C reaches every process of a terminal: the server ignores it, and the parent decides.
 */
import type { Call, Reply } from './remote-server.ts';
import { openServer, type Server } from './server.ts';
import { storeAt } from './store.ts';

const [name = ''] = process.argv.slice(2);
let server: Server | undefined;

process.on('SIGINT', () => undefined);
process.on('disconnect', () => void (server?.close() ?? Promise.resolve()).finally(() => process.exit(0)));
process.on('message', (call: Call) => {
  obey(call).then(
    (value) => reply({ value }),
    (error: unknown) => reply({ error: String(error) }),
  );
});

async function obey(call: Call): Promise<unknown> {
  if ('open' in call) {
    server = await openServer(name, storeAt(call.open));
    return undefined;
  }
  // Each method takes what its caller, who knows the types, has sent.
  const method = server![call.method].bind(server) as (argument: unknown) => Promise<unknown>;
  return method(call.argument);
}

function reply(message: Reply): void {
  // With the parent gone nobody waits for the answer; `disconnect` ends this process.
  if (process.connected) process.send?.(message, () => undefined);
}
