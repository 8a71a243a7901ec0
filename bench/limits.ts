/**
 * What is asked of Tidemark on one machine, written down before anything is compared. Each figure stands next to one of
 * a bare loop over `node:sqlite` that writes or reads the same rows, with the same durability and batch sizes, in the
 * same run: ratios hold on a noisy machine, times don't.
 */
export const LIMITS = {
  /** Commands a second, of the bare loop's, by callers at once. */
  throughput: { 1: undefined, 64: 0.6, 1024: 0.7 },
  /** A single caller's median latency, of one bare durable write. */
  singleLatencyMax: 1.5,
  /** All callers on one document, of the figure over 5,000. */
  hot: 0.7,
  /** More server processes on one log, of one, with 64 callers each unless it says otherwise. */
  servers: {
    /** CPU time a command of four, servers and database together. */
    cpu: 1.3,
    /** Commands a second of two and of four; of four with 64 callers in all. */
    each: 1,
    inAll: 0.6,
    /** How often a command is decided. */
    tries: 1.1,
    /** Commands of the slowest of four, of an even share. */
    slowest: 0.8,
    /** Takings of the write lock for a last try, a thousand commands. */
    exclusive: 1,
    /** The 99th percentile of four, at the same commands a second. */
    p99: 3,
    /** Commands a second of two and four with a database that answers 2 ms later. */
    awayTwo: 1.6,
    awayFour: 2.5,
  },
  /** Loading a document of 20 events that isn't in memory, of the bare query for its rows. */
  coldLoadMax: 10,
  /** Loading a stored document of 100,000 events that isn't in memory, of one of 20. */
  coldLongMax: 5,
  /** Folding the whole log, of reading and parsing the same rows. */
  fold: 0.5,
  /** Peak memory of folding 1,000,000 events, of that of 400,000 into the same documents. */
  foldMemoryMax: 1.2,
  /** A cold `get` of a state of 20,000 entries from as many events, of the bare reducer loop. */
  largeStateMax: 1.5,
  /** The most CPU time between two turns of the event loop while a large state is folded or a log verified, in milliseconds. */
  turnMaxMs: 20,
  /** Longest delay of the event loop that one in a hundred turns may have, in milliseconds, with 64 callers. */
  loopDelayP99MaxMs: 20,
  /** A commit's time, and its CPU time, with followers of other documents and types, of that with one follower. */
  followersMax: 1.5,
  /** How long the event loop is held where deciding is slow, in milliseconds: batchDecideMs, a decision, and the storing. */
  slowDecisionsHeldMaxMs: 100,
  /** A refusal's cost with a full queue of 100,000, of that with one of 1,000; and a send's of an id that many send at once. */
  refusalGrowthMax: 3,
  sameIdGrowthMax: 3,
  reduction: {
    /** Commands a second of 64 callers beside the reduction, of those without it. */
    rate: 2 / 3,
    /** How far it is behind them, in milliseconds. */
    lagMaxMs: 200,
    /** Until an own write is found, in milliseconds. */
    ownWriteMaxMs: 20,
  },
  /** Making the documents of a raised definition, of folding the same in memory. */
  making: 0.7,
  /** Events attached to a new collection, a second. */
  attaching: 100_000,
  finding: {
    /** By an index, of the bare query. */
    indexedMax: 2,
    /** A page deep in a list, of the first. */
    deepMax: 1.3,
  },
  /** A command's cost with ten million events in the log, of that with ten thousand. */
  growthMax: 1.3,
  /** Heap after 1,000,000 commands, of that after 100,000. */
  heapGrowthMax: 1.2,
} as const;

/**
 * Figures of bare loops on the two-core machines that the design was measured on, in rows or writes a second. A bare
 * loop here that falls below half of them is itself broken, and what is compared with it says nothing.
 */
export const BARE_FLOORS = {
  /** Durable single writes. */
  durableWrites: 4_000 / 2,
  /** Events with two attachments each, ledger and chain, in groups of 1,024. */
  eventsInGroups: 67_000 / 2,
} as const;
