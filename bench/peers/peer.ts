/** What an adapter offers: one system, set up as its own documentation does, doing one kind of work. */

/** An event before the measuring: each service was created, and bought so many times. */
export const SALES_BEFORE = 4;
const BUYERS = 20_000;
export const PRICE = 5;
/** Nothing sells out while it is measured. */
export const QUANTITY = 1_000_000_000;

export const serviceId = (n: number): string => `service-${n}`;
export const buyerId = (n: number): string => `buyer-${n % BUYERS}`;

export interface Peer {
  /** Whose versions are printed. */
  readonly packages: readonly string[];
  /** How it is set up, where that isn't its default, and how it retries on conflict: in words, printed. */
  readonly setup: string;
  /** Makes its tables, and so many services with `1 + SALES_BEFORE` events each. */
  seed(place: string, services: number): Promise<void>;
  open(place: string): Promise<Shop>;
  /** The events that it has stored: counted in its tables, by another connection, where it has tables. */
  count(place: string): Promise<number>;
}

export interface Shop {
  /**
   * Loads the service, decides on what is left of it, appends the sale under a check that nothing has changed. Resolves
   * when that is stored; rejects if it isn't, or if nobody knows.
   */
  buy(serviceId: string, buyerId: string): Promise<void>;
  /** Of a system that gathers commands in batches: those written so far, and how often a command was decided again. */
  gathered?(): Promise<Gathered>;
  /** Does the work in a way of its own instead: what isn't made of single calls. */
  run?(work: Work): Promise<Done>;
  close(): Promise<void>;
}

export interface Gathered {
  readonly batches: number;
  /** Commands that were decided once more: each time. */
  readonly retried: number;
}

/** What one process is to do. */
export interface Work {
  readonly callers: number;
  readonly services: number;
  /** All callers buy this one; otherwise each command another. */
  readonly hot?: number | undefined;
  /** Where the sequence of services begins, so that two processes don't follow each other. */
  readonly from: number;
  readonly warmMs: number;
  readonly ms: number;
  /** How long callers that wait at the end are waited for. */
  readonly drainMs: number;
  /** The size of batches that a bare client is to make. */
  readonly group?: number | undefined;
}

export interface Done {
  /** Acknowledged within the measured time, and how long each took, in milliseconds. */
  readonly commands: number;
  readonly latencies: Float64Array;
  /** The measured time, in seconds. */
  readonly seconds: number;
  /** Errors that reached a caller within the measured time, by name. */
  readonly errors: Readonly<Record<string, number>>;
  /** Of the whole run, with warming up and waiting at the end: for the control. */
  readonly acknowledged: number;
  readonly failed: number;
  readonly unanswered: number;
  /** Commands a batch, of a system that gathers. */
  readonly group?: number | undefined;
  /** How often a command was decided until it was stored. */
  readonly tries?: number | undefined;
  /** Of one core: how busy the process was. */
  readonly busy: number;
}
