/** The parent's side of a server process: forks it, and turns calls into messages and replies into results. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Server } from './server.ts';

/** The first says where the log is. Each is sent when the one before it is answered. */
export type Call = { readonly open: string } | { readonly method: Method; readonly argument?: unknown };
export type Reply = { readonly value: unknown } | { readonly error: string };
type Method = Exclude<keyof Server, 'name' | 'close'>;

/** How long a process may take to end after it was asked to; then it is killed. */
const CLOSE_MAX_MS = 3_000;

/** Starts a server process on the log at an address. Resolves when it has opened the log. */
export async function forkServer(name: string, address: string): Promise<Server> {
  const child = fork(fileURLToPath(new URL('./server-process.ts', import.meta.url)), [name], {
    // stdout belongs to the parent's report.
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
  });
  const exited = once(child, 'exit').catch(() => undefined);
  let gone: Error | undefined;
  // However this process ends. (After a SIGKILL the child notices that it is disconnected.)
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', (code, signal) => {
    process.off('exit', end);
    const why = signal ? `it was ended by ${signal}` : `exit code ${code}`;
    gone = new Error(`The server ${name} is gone: ${why}.`);
  });

  const call = async <Value>(message: Call): Promise<Value> => {
    if (gone) throw gone;
    const turn = new AbortController();
    const replied = once(child, 'message', turn) as Promise<[Reply]>;
    const lost = once(child, 'exit', turn).then((): never => {
      throw gone!;
    });
    // If it can't be sent any more, the process is about to end.
    child.send(message, () => undefined);
    try {
      const [reply] = await Promise.race([replied, lost]);
      if ('error' in reply) throw new Error(`The server ${name} failed: ${reply.error}`);
      return reply.value as Value;
    } finally {
      turn.abort();
    }
  };
  /** The process closes its log when it notices that it is disconnected, and ends. */
  const close = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    const impatience = setTimeout(end, CLOSE_MAX_MS);
    await exited;
    clearTimeout(impatience);
  };

  try {
    await call({ open: address });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name,
    ready: (argument) => call({ method: 'ready', argument }),
    go: () => call({ method: 'go' }),
    digests: (argument) => call({ method: 'digests', argument }),
    report: () => call({ method: 'report' }),
    close,
  };
}
