/** How much a query may ask for, and how long it works in one piece. */

/** Documents of a page where no limit is given, and the most that one may have. */
export const FIND_LIMIT = 50;
export const FIND_LIMIT_MAX = 1_000;
/** Levels of `AND`, `OR` and `NOT` within each other. */
export const WHERE_DEPTH_MAX = 10;
/** Operators, over all fields of a `where`. */
export const WHERE_CONDITIONS_MAX = 1_000;
/** Values of one `in`. */
export const WHERE_IN_MAX = 1_000;
/** UTF-16 code units of all names and texts of a `where`. */
export const WHERE_UNITS_MAX = 1024 * 1024;
/** Parts of a path: `'a.b.c'` has three. States are at most as deep. */
export const PATH_PARTS_MAX = 100;
/** Fields of an order. */
export const ORDER_FIELDS_MAX = 6;
/** Bytes of a text, as UTF-8, that its place in an order is made of. */
export const ORDER_BYTES_MAX = 256;
/** Milliseconds that documents are looked at in one piece. */
export const SLICE_MS = 5;
/** Bytes of the states of a page's documents, as UTF-8: a page ends before the document that is too much, if it isn't the first. */
export const FIND_BYTES_MAX = 16 * 1024 * 1024;
/** Events that are looked through for documents that may have moved in an index while it was read. */
export const TOUCHED_EVENTS_MAX = 10_000;
/** Ids of counted documents that are kept meanwhile. */
export const COUNTED_IDS_MAX = 100_000;
/** Documents that are asked for at once where most of them are expected not to be wanted. */
export const SCAN_ROWS = 500;
