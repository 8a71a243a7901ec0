import { setTimeout as sleep } from 'node:timers/promises';

const PAUSE_MS = 5;
const TRIES_MAX = 5_000;

/** Resolves once something is so. @throws Error if it never comes to that */
export async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await what()); tries += 1) {
    if (tries > TRIES_MAX) throw new Error('it never came to that');
    await sleep(PAUSE_MS);
  }
}
