/**
 * A server in a process of its own: does what its parent's messages ask, one message a call of {@link Server}. The first
 * says where the log is.
 * It ends when the parent disconnects, or is gone; Ctrl-C, which reaches every process of a terminal, is the parent's.
 */
import { once } from 'node:events';
import type { Call, Reply } from './remote-server.ts';
import { openServer } from './server.ts';
import { storeAt } from './store.ts';

const [name = ''] = process.argv.slice(2);

process.on('SIGINT', () => undefined);

function reply(message: Reply): void {
  // With the parent gone nobody waits for the answer; `disconnect` ends this process.
  if (process.connected) process.send?.(message, () => undefined);
}

/** Numbered 0: whether the log could be opened. */
async function start(): Promise<void> {
  const [address] = (await once(process, 'message')) as [string];
  const server = await openServer(name, storeAt(address));
  process.on('disconnect', () => {
    void server.close().finally(() => process.exit(0));
  });
  process.on('message', (message: Call) => {
    const { number, method, argument } = message;
    // Each method takes what its caller, who knows the types, has sent.
    const call = server[method].bind(server) as (argument: unknown) => Promise<unknown>;
    call(argument).then(
      (value) => reply({ number, value }),
      (error: unknown) => reply({ number, error: String(error) }),
    );
  });
  reply({ number: 0, value: undefined });
}

await start().catch((error: unknown) => {
  reply({ number: 0, error: String(error) });
  process.disconnect();
});
