/** Ids of documents and commands, and names of events, collections and commands. */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { InvalidInput } from '../errors.ts';
import type { Check } from '../options.ts';
import { textFault } from './json.ts';

/** Longest id, in bytes of UTF-8. */
export const ID_BYTES_MAX = 512;
/** Longest name of an event type, a collection or a command, in bytes of UTF-8. */
export const NAME_BYTES_MAX = 200;

/** Why a value is no id; undefined if it is one. Ids are compared byte by byte, never normalised. */
export function idFault(value: unknown): string | undefined {
  return boundedTextFault(value, ID_BYTES_MAX);
}

/** Why a value is no name; undefined if it is one. */
export function nameFault(value: unknown): string | undefined {
  return value === '__proto__' ? 'must not be __proto__' : boundedTextFault(value, NAME_BYTES_MAX);
}

/** C0, DEL and C1. */
const CONTROL = /\p{Cc}/u;

/** Why a value can't be a collection's name; undefined if it can. The store marks names of its own by a control character. */
export function collectionNameFault(value: unknown): string | undefined {
  const fault = nameFault(value);
  if (fault || !CONTROL.test(value as string)) return fault;
  return 'must have no control characters';
}

/** The id of a document. @throws InvalidInput if it isn't valid */
export function assertedId(collection: string, id: string): string {
  const fault = idFault(id);
  if (fault) throw new InvalidInput(`The id of a document of ${collection} ${fault}.`, { collection, path: 'id' });
  return id;
}

/** The check of an option that is an id, or like one. */
export const idOption: Check<string> = (value, refuse) => {
  const fault = idFault(value);
  return fault ? refuse(fault) : (value as string);
};

function boundedTextFault(value: unknown, bytesMax: number): string | undefined {
  if (typeof value !== 'string') return `must be a string, not ${value === null ? 'null' : typeof value}`;
  if (value === '') return 'must not be empty';
  // At most three bytes for each UTF-16 code unit: most strings need no count.
  if (value.length * 3 > bytesMax && Buffer.byteLength(value) > bytesMax) {
    return `must be at most ${bytesMax} bytes of UTF-8, not ${Buffer.byteLength(value)}`;
  }
  const fault = textFault(value);
  return fault && `must be well-formed text without NUL, but has ${fault.problem}`;
}

/** The n-th id that a command makes. A UUID of version 8 (RFC 9562): 122 bits of SHA-256 over the command's id and n. */
export function derivedId(commandId: string, n: number): string {
  const bytes = createHash('sha256').update(`tidemark/new-id/1\0${commandId}\0${n}`).digest();
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return formatUuid(bytes);
}

/** A UUID of version 7 (RFC 9562): sorted by time, so an index of them grows at its end. */
export function timedId(time: number, random: Uint8Array): string {
  let rest = time;
  for (let index = 5; index >= 0; index -= 1) {
    SCRATCH[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  for (let index = 6; index < 16; index += 1) SCRATCH[index] = random[index]!;
  SCRATCH[6] = (SCRATCH[6]! & 0x0f) | 0x70;
  SCRATCH[8] = (SCRATCH[8]! & 0x3f) | 0x80;
  return formatUuid(SCRATCH);
}

// Reused for each id: making small byte arrays costs more than the id.
const SCRATCH = new Uint8Array(16);
const UUID = Buffer.from('00000000-0000-0000-0000-000000000000', 'latin1');
const DIGITS = Buffer.from('0123456789abcdef', 'latin1');

function formatUuid(bytes: Uint8Array): string {
  for (let index = 0, at = 0; index < 16; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) at += 1;
    UUID[at++] = DIGITS[bytes[index]! >> 4]!;
    UUID[at++] = DIGITS[bytes[index]! & 15]!;
  }
  return UUID.toString('latin1');
}
