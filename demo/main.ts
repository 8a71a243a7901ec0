/**
 * The marketplace as a program: two server processes on one log race for each place. Then the program checks that
 * each place was sold exactly once. `npm start -- --help` shows the options and exit codes.
 */
import { randomInt } from 'node:crypto';
import { TidemarkError } from 'tidemark';
import { Misused, script } from '../scripts/options.ts';
import { HELP, readOptions, type Options } from './options.ts';
import { run } from './run.ts';
import { Screen } from './screen.ts';
import { placeOf, type Place } from './store.ts';

const EXIT = { sound: 0, broken: 1, misused: 2 } as const;
/** By convention 128 and the signal's number. */
const INTERRUPTED = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
/** How long stopping may take before it is enforced. */
const STOP_MAX_MS = 8_000;

/** Errors of the named store, not of the run. */
const MISPLACED = new Set([
  'NotALog',
  'WrongLog',
  'NotWritable',
  'FormatTooNew',
  'RebuildRequired',
  'DefinitionChanged',
  'DomainOutdated',
  'InvalidDefinition',
]);

async function main(options: Options): Promise<number> {
  const place = await placeOf(options.store).catch((error: unknown) => {
    throw new Misused((error as Error).message);
  });
  const interruption = new AbortController();
  const interrupted = onInterruption(interruption, place);
  try {
    return await sold(options, place, interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) {
      await place.end(false);
      return interrupted();
    }
    if (!(error instanceof Error)) throw error;
    const misplaced = error instanceof TidemarkError && MISPLACED.has(error.code);
    process.stderr.write(`${error.message}\n`);
    if (place.left && !misplaced) process.stderr.write(`${place.left}\n`);
    await place.end(!misplaced);
    return misplaced ? EXIT.misused : EXIT.broken;
  }
}

async function sold(options: Options, place: Place, signal: AbortSignal): Promise<number> {
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const figures = await run(options, place, screen, signal);
  if (!figures.ok && place.left) screen.line(place.left);
  await place.end(!figures.ok);
  if (options.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  return figures.ok ? EXIT.sound : EXIT.broken;
}

/** The first Ctrl-C stops the run in good order. A second one, or too long a wait, ends the program at once. */
function onInterruption(controller: AbortController, place: Place): () => number {
  let code: number | undefined;
  const enforce = (): never => {
    void place.end(false);
    process.stderr.write('Ended without waiting for the servers.\n');
    process.exit(code);
  };
  const stop = (signal: keyof typeof INTERRUPTED): void => {
    const again = code !== undefined;
    code = INTERRUPTED[signal];
    if (again && signal !== 'SIGPIPE') enforce();
    controller.abort(new Error(`Stopped by ${signal}.`));
    setTimeout(enforce, STOP_MAX_MS).unref();
  };
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  // The reader of the output has gone (`npm start | head`): nobody reads a message.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => stop('SIGPIPE'));
  return () => {
    // Printed only if the run ended in good order, and the pipe is still open.
    if (code !== INTERRUPTED.SIGPIPE) process.stderr.write(`${(controller.signal.reason as Error).message}\n`);
    return code ?? EXIT.broken;
  };
}

await script(HELP, (args) => readOptions(args, () => randomInt(2 ** 32)), main);
