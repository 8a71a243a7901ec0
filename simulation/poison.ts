/**
 * Keeps chance and time out: in a run every source of them that Node has throws, if it is asked by our own code. Others in the
 * process go on with theirs: the test runner, and what other tests have left running.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import perfHooks from 'node:perf_hooks';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { dirname } from 'node:path';
import { LawBroken } from './laws/broken.ts';

const OURS = dirname(import.meta.dirname);

interface Running {
  isOver: boolean;
  /** What was asked for: thrown errors may be swallowed on their way. */
  asked: LawBroken | undefined;
}

/** The run that code is part of. */
const runs = new AsyncLocalStorage<Running>();

type Holder = Record<string, unknown>;
const SOURCES: readonly (readonly [holder: object, name: string])[] = [
  ...['setTimeout', 'setInterval', 'setImmediate'].flatMap((name) =>
    [globalThis, timers, timersPromises].map((holder) => [holder, name] as const),
  ),
  ...['randomBytes', 'randomFillSync', 'randomFill', 'randomInt', 'randomUUID', 'getRandomValues'].map(
    (name) => [crypto, name] as const,
  ),
  [Date, 'now'],
  [Math, 'random'],
  [perfHooks.performance, 'now'],
  [globalThis.crypto, 'randomUUID'],
  [globalThis.crypto, 'getRandomValues'],
  [process, 'hrtime'],
  [os, 'uptime'],
];

function install(holder: Holder, name: string): void {
  const sound = holder[name] as (...given: unknown[]) => unknown;
  const guarded = function (this: unknown, ...given: unknown[]): unknown {
    const run = runs.getStore();
    if (run && !run.isOver && askedByUs()) {
      run.asked ??= new LawBroken('determinism', `${name} was asked for: ${new Error('by').stack}`);
      throw run.asked;
    }
    return Reflect.apply(sound, this, given);
  };
  // Node lets some names be seen from two places, of which one can't be changed.
  if (Object.getOwnPropertyDescriptor(holder, name)?.configurable === false) return;
  Object.defineProperty(holder, name, { value: Object.assign(guarded, sound), writable: true, configurable: true });
}

/** The first caller that is neither Node itself nor this file. */
function askedByUs(): boolean {
  const lines = (new Error('who asks').stack ?? '').split('\n').slice(1);
  const caller = lines.find((line) => !line.includes('poison.ts') && !line.includes('node:'));
  return caller !== undefined && caller.includes(OURS) && !caller.includes('node_modules');
}

let installed = false;

/** Runs work that must not ask for time or chance. @throws LawBroken if it did */
export async function poisoned<T>(work: () => Promise<T>): Promise<T> {
  if (!installed) {
    installed = true;
    for (const [holder, name] of SOURCES) install(holder as Holder, name);
    syncBuiltinESMExports();
  }
  const run: Running = { isOver: false, asked: undefined };
  try {
    const result = await runs.run(run, work);
    if (run.asked) throw run.asked;
    return result;
  } finally {
    run.isOver = true;
  }
}
