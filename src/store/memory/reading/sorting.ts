/** Sorting documents piece by piece: all at once, 200,000 of them would hold the event loop for half a second. */
import { compareDocuments } from './order.ts';
import type { DocumentRow } from '../schema.ts';

/** Rows that are sorted, or comparisons that are made, between two pauses: about a millisecond's work. */
const PIECE = 500;

type Rows = readonly DocumentRow[];

/** All rows in order, of those that are in order already and others. Yields between pieces. */
export function* merged(sorted: Rows, others: Rows): Generator<undefined, Rows, undefined> {
  let runs: Rows[] = [];
  for (let from = 0; from < others.length; from += PIECE) {
    runs.push(others.slice(from, from + PIECE).sort(compareDocuments));
    if (runs.length > 1) yield;
  }
  while (runs.length > 1) {
    const longer: Rows[] = [];
    for (let index = 0; index < runs.length; index += 2) longer.push(yield* both(runs[index]!, runs[index + 1] ?? []));
    runs = longer;
  }
  return yield* both(sorted, runs[0] ?? []);
}

function* both(one: Rows, other: Rows): Generator<undefined, Rows, undefined> {
  if (one.length === 0) return other;
  const rows: DocumentRow[] = [];
  let [left, right] = [0, 0];
  while (left < one.length && right < other.length) {
    rows.push(compareDocuments(one[left]!, other[right]!) < 0 ? one[left++]! : other[right++]!);
    if (rows.length % PIECE === 0) yield;
  }
  return rows.concat(one.slice(left), other.slice(right));
}
