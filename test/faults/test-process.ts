/** The other end of `server-process.ts`, inside a server process: what it says to the test that started it, and hears of it. */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * Says a line: it has left the process when this returns, whatever happens to the process then. A thread that the process
 * started makes the pipe one that doesn't wait, and takes no more than there is room for.
 */
export function say(what: string, more: object = {}): void {
  let rest: Buffer = Buffer.from(`${JSON.stringify({ say: what, ...more })}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

const told: unknown[] = [];
let waiting: ((message: unknown) => void) | undefined;
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message: unknown = JSON.parse(line);
    if (waiting) waiting(message);
    else told.push(message);
    waiting = undefined;
  })
  // The test is gone.
  .on('close', () => process.exit());

/** The next thing that the test tells. */
export function hear<T>(): Promise<T> {
  if (told.length > 0) return Promise.resolve(told.shift() as T);
  return new Promise((resolve) => (waiting = resolve as (message: unknown) => void));
}
