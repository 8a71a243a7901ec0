/** Documents as the reduction stores them, and as they are folded on. */
import { Buffer } from 'node:buffer';
import { LimitExceeded, LogCorrupt } from '../../errors.ts';
import { STORED_STATE_BYTES_MAX } from '../../limits.ts';
import { thrown } from '../../model/foreign.ts';
import { keptCopy } from '../../model/json.ts';
import type { Folded } from '../../model/reduce.ts';
import type { StoredDocument } from '../../store/store.ts';

/** A document as it is stored, in memory. */
export interface Known {
  readonly folded: Folded;
  /** Why it can't be folded further. */
  readonly failed?: string | undefined;
}

/** Where the order of ids goes on after a document. */
export function afterId(id: string): Uint8Array {
  // An id has no NUL.
  return Buffer.from(`${id}\0`);
}

/** @throws LogCorrupt if the stored state can't be read */
export function knownFrom(collection: string, { id, version, changed, state, failed }: StoredDocument): Known {
  const copied = keptCopy(parsed(collection, id, state));
  if ('fault' in copied) throw damaged(collection, id);
  const { copy, bytes } = copied;
  return { folded: { version, changed, state: copy, bytes }, failed };
}

function parsed(collection: string, id: string, state: string): unknown {
  try {
    return JSON.parse(state);
  } catch (cause) {
    throw damaged(collection, id, cause);
  }
}

function damaged(collection: string, id: string, cause?: unknown): LogCorrupt {
  return new LogCorrupt(
    `The stored state of ${collection} ${JSON.stringify(id)} isn't valid JSON. The log itself may be whole: run verify, then ` +
      'rebuild the collection.',
    { collection, id },
    cause,
  );
}

/** One numeral may take as many characters: a state has at most so many times its least bytes. */
const BYTES_A_PART = 24;

/** Whether its state may be too large to be stored: only then it must be known how it is stored. */
export function mayBeLarge({ bytes }: Folded): boolean {
  return bytes * BYTES_A_PART > STORED_STATE_BYTES_MAX;
}

/** As it is to be stored; undefined if its state is too large for that. */
export function storedFrom(id: string, { folded, failed }: Known): StoredDocument | undefined {
  const { version, changed, state, bytes } = folded;
  if (bytes > STORED_STATE_BYTES_MAX) return undefined;
  const text = JSON.stringify(state);
  if (mayBeLarge(folded) && Buffer.byteLength(text) > STORED_STATE_BYTES_MAX) return undefined;
  return failed === undefined ? { id, version, changed, state: text } : { id, version, changed, state: text, failed };
}

/** Whether its state isn't too large to be stored. */
export function isStorable(folded: Folded): boolean {
  return !mayBeLarge(folded) || storedFrom('', { folded }) !== undefined;
}

/** A document before its first event: nothing is known of its state. */
export const NOTHING: Folded = Object.freeze({ version: 0, changed: 0, state: null, bytes: 0 });

/** Why a document isn't stored whose state has become too large. */
export function tooLarge(collection: string, id: string): LimitExceeded {
  return new LimitExceeded(
    `The state of ${collection} ${JSON.stringify(id)} has more than ${STORED_STATE_BYTES_MAX} bytes of JSON: it isn't stored until it ` +
      'has fewer.',
    { collection, id, max: STORED_STATE_BYTES_MAX },
  );
}

/**
 * Whether a stored document isn't at its last version only because its state has become too large: what comes may make it smaller.
 * A stored reason begins with the name of its error, and what fails by itself is `ReducerFailed` or `UpcastFailed`.
 */
export function isTooLarge(stored: { readonly failed?: string | undefined } | undefined): boolean {
  return stored?.failed?.startsWith('LimitExceeded: ') === true;
}

/** A stored reason is for operators: `get` gives the whole error. */
const FAILURE_CHARS_MAX = 1_000;

/** Why a document can't be folded further, as it is stored. */
export function failureText(error: unknown): string {
  return thrown(error).slice(0, FAILURE_CHARS_MAX);
}
