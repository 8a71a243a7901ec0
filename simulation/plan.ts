/** What a run is like: drawn from its seed before anything happens. */
import type { Limits } from '../src/limits.ts';
import type { Chance } from '../src/testing/conformance/random.ts';
import { drawDomain, IDS } from './domain/draw.ts';
import type { DomainShape } from './domain/shape.ts';
import { drawClimate, NEVER, type Climate } from './weather.ts';

/** What happens to servers and store while callers are at work. */
export type Trouble = 'crash' | 'away' | 'clock' | 'grow' | 'back' | 'close' | 'deploy';

export interface Plan {
  readonly shape: DomainShape;
  readonly climate: Climate;
  readonly troubles: readonly Trouble[];
  /** The mean pause between two troubles, in milliseconds. */
  readonly troubleMs: number;
  readonly servers: number;
  readonly clients: number;
  /** What each client does. */
  readonly actions: number;
  /** Whether clients change what they are given, as far as it lets itself be changed. */
  readonly changesGiven: boolean;
  /** Documents that there are: few, so that commands meet. */
  readonly ids: readonly string[];
  /** Whether the store goes by the clock of the server that writes, as a file does; otherwise by one of its own. */
  readonly serversClock: boolean;
  readonly limits: Partial<Limits>;
  /** The most events, or documents, of a page of the store. */
  readonly pageRows: number;
  /** Whether the first server knows every collection. */
  readonly fullFirst: boolean;
}

const TROUBLES: readonly Trouble[] = ['crash', 'away', 'clock', 'grow', 'back', 'close', 'deploy'];

/**
 * In some worlds there are many commands on a few documents, by servers that remember all of them and store one command
 * of a batch at a time: what is decided is then often not what was looked at.
 */
const CROWDED: Partial<Limits> = { batchCommitsMax: 100, batchBytesMax: 1, cacheEntriesMax: 1_000 };

/** In others many commands come into one batch, of which a part falls: two servers, who remember all of few documents. */
const BUSY: Partial<Limits> = { triesMax: 6, batchCommitsMax: 100, batchBytesMax: 100_000, cacheEntriesMax: 1_000 };

/** In others releases with raised definitions come one after the other, while many write: old events are attached meanwhile. */
const GROWING: readonly Trouble[] = ['deploy', 'deploy', 'close'];

export function drawPlan(chance: Chance): Plan {
  const crowded = chance.once(8);
  const busy = !crowded && chance.once(6);
  const grows = !crowded && !busy && chance.once(3);
  return {
    shape: drawDomain(chance, { grows }),
    climate: grows ? NEVER : drawClimate(chance),
    troubles: grows ? GROWING : chance.once(4) ? [] : chance.some(TROUBLES),
    troubleMs: grows ? 60 : chance.pick([30, 100, 300]),
    servers: crowded ? 3 : busy ? 2 : 1 + chance.below(3),
    clients: busy ? 10 : (grows ? 4 : 1) + chance.below(5),
    actions: (crowded ? 10 : 4) + chance.below(10),
    changesGiven: chance.once(2),
    ids: IDS.slice(0, 1 + chance.below(crowded ? 2 : IDS.length)),
    serversClock: chance.once(2),
    limits: {
      triesMax: 1 + chance.below(4),
      batchCommitsMax: chance.pick([1, 2, 100]),
      batchBytesMax: chance.pick([1, 400, 100_000]),
      cacheEntriesMax: chance.pick([1, 2, 4, 1_000]),
      queueCommandsMax: chance.once(5) ? 2 : 1_000,
      ...(crowded && CROWDED),
      ...(busy && BUSY),
    },
    // What is made in pages of two takes too long where it is made for one release after the other.
    pageRows: chance.pick(grows ? [7, 1_000] : [2, 7, 1_000]),
    fullFirst: grows || chance.once(2),
  };
}
