/** The room of an answer, counted where it is read. */
import { PAGE_BYTES_MAX } from '../../store.ts';

/**
 * How much of an answer's room an event takes: its text, the first time that it is in the answer. A longer text than all the
 * room takes just all of it, so that it fits if it comes first, and nothing fits after it.
 */
export const roomSql = (first: string, json: string): string =>
  `CASE WHEN ${first} THEN least(greatest(octet_length(${json}), 1), ${PAGE_BYTES_MAX}) ELSE 0 END`;
