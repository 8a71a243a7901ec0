/** The other end of `server.ts`, inside a server process: what it says to the test that started it, and hears of it. */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Says a line: it has left the process when this returns, whatever happens to the process then. */
export function say(what: string, more: object = {}): void {
  writeSync(1, `${JSON.stringify({ say: what, ...more })}\n`);
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
