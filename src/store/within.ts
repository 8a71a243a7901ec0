import { setTimeout } from 'node:timers/promises';
import { abortController } from '../realm.ts';

/** Whether `work` ended within `ms` milliseconds. Leaves no timer behind. */
export async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const done = abortController();
  const late = setTimeout(ms, false, { signal: done.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    done.abort();
  }
}
