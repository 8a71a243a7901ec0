/**
 * Cursors: a place in a list as text. It is valid across releases, and not a secret.
 *
 *     cursor   = base64url of the JSON array [1, query, id, ...values]
 *     query    = the first 16 hexadecimal digits of the SHA-256 of the canonical JSON of [collection, where, orderBy]
 *     values   = those that the list is ordered by: scalars as they are, [] for a missing one, {} for an array or an object.
 *                Of a text the first 257 UTF-16 code units, which have all that its order is made of
 */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { InvalidInput } from '../../errors.ts';
import { idFault } from '../../model/id.ts';
import { canonicalJson } from '../../model/json.ts';
import { ORDER_BYTES_MAX } from './bounds.ts';
import type { Order, Place } from './order.ts';
import type { Filter } from './where.ts';
import type { Cursor } from './where-types.ts';

const VERSION = 1;
/** Longer than any that was made. */
const LENGTH_MAX = 32_768;

/** Names a query, so that a cursor of another one is noticed. */
export function nameOf(collection: string, filter: Filter, { fields }: Order): string {
  const text = canonicalJson([collection, shapeOf(filter), fields.map(({ path, direction }) => [path, direction])]);
  return hash('sha256', text, 'hex').slice(0, 16);
}

/** The filter as plain JSON, the same whatever order its fields were written in. Part of the format: it must stay. */
function shapeOf(filter: Filter): unknown {
  switch (filter.kind) {
    case 'not':
      return ['not', shapeOf(filter.filter)];
    case 'all':
    case 'any': {
      const parts = filter.filters.map((one) => canonicalJson(shapeOf(one))).sort();
      return [filter.kind, parts];
    }
    default:
      return [filter.kind, filter.path, 'values' in filter ? filter.values : filter.value];
  }
}

export function cursorAt(query: string, { values, id }: Place): Cursor {
  const text = JSON.stringify([VERSION, query, id, ...values.map(writtenValue)]);
  return Buffer.from(text).toString('base64url') as Cursor;
}

function writtenValue(value: unknown): unknown {
  if (value === undefined) return [];
  if (typeof value === 'string') return value.slice(0, ORDER_BYTES_MAX + 1);
  return typeof value === 'object' && value !== null ? {} : value;
}

/** @throws InvalidInput if it is no cursor, or that of another query */
export function placeAt(cursor: unknown, query: string, { fields }: Order): Place {
  const [version, named, id, ...values] = typeof cursor === 'string' ? decoded(cursor) : [];
  if (version === undefined) throw wrongCursor('is no cursor: pass `next` of a page as it was given');
  if (version !== VERSION) throw wrongCursor('was made by a newer release');
  if (named !== query) throw wrongCursor('belongs to another query: collection, where and orderBy must be the same');
  if (values.length !== fields.length || idFault(id) !== undefined) throw wrongCursor('is damaged');
  return { values: values.map(readValue), id: id as string };
}

function decoded(cursor: string): readonly unknown[] {
  if (cursor.length > LENGTH_MAX) return [];
  const text = Buffer.from(cursor, 'base64url');
  // Decoding passes over what is no base64url.
  if (text.toString('base64url') !== cursor) return [];
  try {
    const read: unknown = JSON.parse(text.toString());
    return Array.isArray(read) ? read : [];
  } catch {
    return [];
  }
}

function readValue(value: unknown): unknown {
  if (Array.isArray(value)) return undefined;
  return value;
}

function wrongCursor(problem: string): InvalidInput {
  return new InvalidInput(`after ${problem}.`, { path: 'after' });
}
