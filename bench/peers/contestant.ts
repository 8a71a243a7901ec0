/** What takes part, what it is asked, and what came of it. */

export interface Case {
  readonly callers: number;
  /** All callers on one document, another in each round; otherwise over all of them. */
  readonly hot: boolean;
}

/** A single caller on one document is a single caller: not measured twice. 128 are 64 for each of two processes. */
export const CASES: readonly Case[] = [
  { callers: 1, hot: false },
  { callers: 64, hot: false },
  { callers: 128, hot: false },
  { callers: 512, hot: false },
  { callers: 64, hot: true },
  { callers: 512, hot: true },
];

export const nameOfCase = ({ callers, hot }: Case): string => `${callers}${hot ? ' hot' : ''}`;

/** The sizes of a run. */
export interface Sizes {
  readonly services: number;
  readonly rounds: number;
  readonly warmMs: number;
  readonly ms: number;
  readonly drainMs: number;
}

export interface Trial extends Case {
  /** Counts the cases of all rounds, from 0. */
  readonly turn: number;
  /** Commands a batch, as Tidemark made them in this case of this round. */
  readonly group?: number | undefined;
}

/** One run of one system. */
export interface Run {
  /** Commands a second that were acknowledged. */
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: Readonly<Record<string, number>>;
  /** Callers that still waited when waiting was given up. */
  readonly unanswered: number;
  /** What callers were told was stored, and what was: in the whole run. */
  readonly acknowledged: number;
  readonly stored: number;
  /** Calls of which the callers don't know whether they were stored. */
  readonly unknown: number;
  readonly group?: number | undefined;
  /** How often a command was decided until it was stored. */
  readonly tries?: number | undefined;
  /** Of one core: how busy its processes were, together. */
  readonly busy?: number | undefined;
}

export interface Contestant {
  readonly name: string;
  readonly database: 'PostgreSQL' | 'SQLite' | 'memory';
  /** Versions and how it was set up, once it is prepared. */
  readonly about: () => { readonly versions: string; readonly setup: string };
  /** Whether the case can be put to it. */
  takes(asked: Case): boolean;
  /** Makes its tables and the services. @throws NotMeasured */
  prepare(): Promise<void>;
  measure(asked: Trial): Promise<Run>;
  close(): Promise<void>;
}

/** Why a system can't be measured: told by name, never silently. */
export class NotMeasured extends Error {}

/** What was stored is what was acknowledged; where callers don't know, at least that and at most what they asked. */
export function kept({ acknowledged, stored, unknown }: Run): boolean {
  return stored >= acknowledged && stored <= acknowledged + unknown;
}
