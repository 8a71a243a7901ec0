/** How much a store answers with at once, and other bounds of the contract. */
/**
 * Most events that one `load` returns: a store that answers without waiting holds the event loop meanwhile, and so does the
 * fold. 10,000 took over 100 ms together.
 */
export const LOAD_EVENTS_MAX = 1_000;
/** Most events, commits or documents that one page holds. */
export const PAGE_ROWS_MAX = 1_000;
/**
 * Most bytes of event text (UTF-8) that one `read`, one `load` or the stale documents of one `append` return, over all its
 * documents together: the text of an event that several of them share counts once. The first event is returned however long
 * it is.
 */
export const PAGE_BYTES_MAX = 8 * 2 ** 20;
/**
 * Most attachments of the events that one `read` or one `scan` returns, over all of them together: 700 events with 1,000
 * each took more than a second. The first event is returned however many it has.
 */
export const PAGE_ATTACHMENTS_MAX = 10_000;
/** Most positions that one `read` looks at, so that a rare type doesn't keep a statement open for the whole log. */
export const PAGE_POSITIONS_MAX = 10_000;
/** Most events that an append answers with for each stale document; the engine loads the rest. */
export const STALE_EVENTS_MAX = 100;
/** How long it may take until `moved` sees another process's commit, in milliseconds, on an idle machine. */
export const MOVED_MS = 50;
/** How far ahead of the store's clock a decision's time may be, in milliseconds, unless an option says otherwise. */
export const CLOCK_AHEAD_MAX_MS = 5 * 60_000;

/** Most documents that one step of a set stores, and most that are asked for by id at once. */
export const STEP_DOCUMENTS_MAX = 1_000;
