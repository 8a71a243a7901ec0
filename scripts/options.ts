/** How every script of this repository is asked: `--help` and what is wrong with its options are answered here. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What was asked for can't be done: a message of one line, and exit code 2. */
export class Misused extends Error {}

const MISUSED = 2;

/**
 * Runs a script. Its exit code is what `main` gives. (Not by `process.exit`: what was printed to a pipe would be cut off.)
 *
 * @param read makes of the arguments what `main` is given
 */
export async function script<Options>(
  help: string,
  read: (args: readonly string[]) => Options,
  main: (options: Options) => Promise<number> | number,
): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help);
    return;
  }
  try {
    process.exitCode = await main(read(args));
  } catch (error) {
    if (!(error instanceof Misused)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = MISUSED;
  }
}

/** @throws Misused for an option that is unknown or has no value, and for whatever isn't an option */
export function parsed<const Config extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Config,
) {
  return parsedWithNames(args, options, false).values;
}

/** The same where names of files may be given as well. */
export function parsedWithNames<const Config extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Config,
  allowPositionals = true,
) {
  try {
    return parseArgs({ args: [...args], strict: true, allowPositionals, options });
  } catch (error) {
    // parseArgs explains `--` and positionals at length; its first sentence says what is wrong.
    const [first = ''] = (error as Error).message.split(/\.\s|\n/);
    const [, argument] = /^Unexpected argument '(.*)'$/s.exec(first) ?? [];
    const what = argument === undefined ? first.replace(/\.$/, '') : `Unexpected argument: ${shown(argument)}`;
    throw new Misused(`${what}. See --help.`);
  }
}

/** @throws Misused unless it is a whole number in that range */
export function whole(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Misused(`--${name} must be a whole number from ${min} to ${max}, not ${shown(text)}.`);
}

/** A length of time: a number from 0, as `0.5`. @throws Misused if it is something else */
export function amount(name: string, text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new Misused(`--${name} must be a number from 0, not ${shown(text)}.`);
}

/** The one that is asked for, or all of them if none is named. @throws Misused if there is none of that name */
export function chosen<Choice extends string>(
  name: string,
  text: string | undefined,
  choices: readonly Choice[],
): readonly Choice[] {
  const found = choices.filter((choice) => text === undefined || choice === text);
  if (found.length > 0) return found;
  throw new Misused(`--${name} must be one of ${choices.join(', ')}; not ${shown(text ?? '')}.`);
}

/** What was given, as a message may repeat it: not where it may hold a password. */
export function shown(given: string): string {
  return /@|:\/\//.test(given) ? 'what was given' : JSON.stringify(given);
}
