/** The run in figures: what the table shows, and `--json` prints. */
import { winsByServer, type Law } from './laws.ts';
import type { Options } from './options.ts';
import type { Proof } from './proof.ts';
import type { RaceResult } from './race.ts';
import type { Seen } from './shop-window.ts';

/** The object that `--json` prints. Fields are added over time, never renamed. */
export interface Figures {
  /** Whether all laws hold. */
  readonly ok: boolean;
  readonly seed: number;
  /** `sqlite:FILE` or `memory:`. */
  readonly store: string;
  /** What all ids of the run begin with. */
  readonly run: string;
  readonly rounds: number;
  /** How many there were. */
  readonly servers: number;
  /** Different commands that were executed, and how many were sent again with the same id. */
  readonly commands: number;
  readonly resent: number;
  /** Events that they left in the log. */
  readonly events: number;
  readonly sold: number;
  readonly refused: number;
  readonly refusedByReason: Readonly<Record<string, number>>;
  /** Places that were sold but didn't exist, in the whole log. */
  readonly oversold: number;
  /** Batches that were refused because a document had moved, in rounds in which servers were at work at once. */
  readonly conflicts: number;
  readonly conflictsByServer: Readonly<Record<string, number>>;
  /** Rounds in which servers were at work at the same moment. */
  readonly overlapping: number;
  readonly winsByServer: Readonly<Record<string, number>>;
  /** Milliseconds from `execute` to the outcome. */
  readonly latencyMsByServer: Readonly<Record<string, { readonly p50: number; readonly p99: number }>>;
  /** Whether all documents, folded again from event 1, are equal to those of the servers. */
  readonly rebuilt: boolean;
  readonly documents: number;
  /** Whether all documents that queries find are equal to those. */
  readonly stored: boolean;
  /** What a visitor saw. */
  readonly window: Seen;
  /** Whether `verify` found the whole log sound. */
  readonly chain: boolean;
  readonly seconds: number;
  readonly commandsPerSecond: number;
  readonly laws: readonly Law[];
}

export function figuresOf(
  options: Options,
  store: string,
  run: string,
  result: RaceResult,
  { evidence, folded }: Proof,
  window: Seen,
  laws: readonly Law[],
): Figures {
  const held = (name: Law['name']): boolean => laws.some((law) => law.name === name && law.ok);
  return {
    ok: laws.every(({ ok }) => ok),
    seed: options.seed,
    store,
    run,
    rounds: options.rounds,
    servers: options.servers,
    commands: evidence.commands.size,
    resent: result.answers.count - result.answers.told.size,
    events: evidence.events,
    sold: sum(evidence.wins.values()),
    refused: sum(evidence.refusals.values()),
    refusedByReason: Object.fromEntries(evidence.refusals),
    oversold: evidence.oversold,
    conflicts: result.meetings.conflicts,
    conflictsByServer: Object.fromEntries(result.meetings.conflictsByServer),
    overlapping: result.meetings.rounds,
    winsByServer: Object.fromEntries(winsByServer(result)),
    latencyMsByServer: Object.fromEntries(
      result.reports.map(({ name, latency }) => [name, { p50: round(latency.p50), p99: round(latency.p99) }]),
    ),
    rebuilt: held('rebuilt'),
    documents: folded.length,
    stored: held('stored'),
    window,
    chain: held('chain'),
    seconds: round(result.seconds),
    commandsPerSecond: Math.round(result.answers.count / result.seconds),
    laws,
  };
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

/** Rounded to two decimal places. */
function round(value: number): number {
  return Math.round(value * 100) / 100;
}
