/** The program's options: what may be given, what it means, and what is refused. */
import { Misused, parsed, whole } from '../scripts/options.ts';
import { storeSpec, type StoreSpec } from './store.ts';

export interface Options {
  readonly rounds: number;
  readonly buyers: number;
  readonly places: number;
  readonly servers: number;
  readonly store: StoreSpec;
  /** Decides names, titles, prices, and who asks for what. It doesn't decide which server is first. */
  readonly seed: number;
  readonly json: boolean;
  /** The file of a picture of the race. */
  readonly svg: string | undefined;
}

const ROUNDS_MAX = 1_000_000;
const BUYERS_MAX = 1_000;
const PLACES_MAX = 1_000_000;
const SEED_MAX = 2 ** 32 - 1;

/** One for each server: there can be no more servers than names. */
export const SERVER_NAMES = ['Paris', 'Tokyo', 'Lagos', 'Lima', 'Delhi', 'Oslo', 'Quito', 'Perth'] as const;

export const HELP = `Two servers race for a thousand places, and each place is sold exactly once.

  npm start -- [options]

  --rounds N           rounds to race, 1 to ${ROUNDS_MAX} (1000)
  --buyers N           buyers on each server in a round, 1 to ${BUYERS_MAX} (8)
  --places N           places for sale in a round, 1 to ${PLACES_MAX} (1)
  --servers N          server processes on the one log, 1 to ${SERVER_NAMES.length} (2; 1 for memory:)
  --store sqlite:FILE  the log's file; one that exists is continued (a temporary file)
  --store postgres://… a log in a PostgreSQL database, in its schema marketplace (give a password
                       by PGPASSWORD: others can read what a program was started with)
  --store postgres:    the same, in a server that is started for the run
  --store memory:      a log in this process, for one server; nothing is kept
  --seed N             makes names, titles, prices and who asks for what, 0 to ${SEED_MAX} (random, and
                       printed); not who gets through first, nor the run's own name in front of its ids
  --json               the last line of stdout is one JSON object; all else goes to stderr
  --svg FILE           draws the race into a file
  --help               this text

Exit code: 0 all laws hold; 1 a law is broken, the run failed, or there was no race (servers not at
work at once, no conflict while they were, or a server without a win in 50 rounds a server and more);
2 an option or the store's file is wrong; 130 stopped by Ctrl-C.
`;

/** @throws Misused for an option that is unknown or wrong */
export function readOptions(args: readonly string[], randomSeed: () => number): Options {
  const values = parsed(args, {
    rounds: { type: 'string', default: '1000' },
    buyers: { type: 'string', default: '8' },
    places: { type: 'string', default: '1' },
    servers: { type: 'string' },
    store: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    svg: { type: 'string' },
  });
  const store = storeSpec(values.store);
  const defaultServers = store.kind === 'memory' ? '1' : '2';
  const servers = whole('servers', values.servers ?? defaultServers, 1, SERVER_NAMES.length);
  if (store.kind === 'memory' && servers > 1) {
    throw new Misused(
      `--store memory: is a log within one process, so it can't have ${servers} servers. Use --servers 1, or --store sqlite:FILE.`,
    );
  }
  return {
    rounds: whole('rounds', values.rounds, 1, ROUNDS_MAX),
    buyers: whole('buyers', values.buyers, 1, BUYERS_MAX),
    places: whole('places', values.places, 1, PLACES_MAX),
    servers,
    store,
    seed: values.seed === undefined ? randomSeed() : whole('seed', values.seed, 0, SEED_MAX),
    json: values.json,
    svg: values.svg,
  };
}
