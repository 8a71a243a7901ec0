/**
 * The hash chain over commits: it shows if a fact was changed, removed or moved.
 *
 * docs/reference/hash-chain.md specifies the bytes, with test vectors, so that another program can check a log. A change here
 * needs a new domain tag there.
 */
import { Buffer } from 'node:buffer';
import { hash as digestOf } from 'node:crypto';
import type { CommitFacts, EventFacts } from './store.ts';

/** The hash before the first commit: 32 zero bytes. */
export const GENESIS_HASH = '0'.repeat(64);

const TAG = 'tidemark/commit/1';
const ABSENT = 0xffff_ffff;
const OUTCOME = { succeeded: 0, failed: 1, failedNotFinal: 2 } as const;

// One growing buffer for all digests: each is made without a pause, and nothing keeps a view of the buffer.
let bytes = Buffer.allocUnsafe(64 * 1024);
let length = 0;

function reserve(more: number): void {
  if (length + more <= bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, length + more));
  bytes.copy(larger, 0, 0, length);
  bytes = larger;
}

function u32(value: number): void {
  reserve(4);
  length = bytes.writeUInt32BE(value, length);
}

/** A whole number below 2^53. */
function u64(value: number): void {
  u32(Math.floor(value / 2 ** 32));
  u32(value % 2 ** 32);
}

function text(value: string | undefined): void {
  if (value === undefined) return u32(ABSENT);
  // UTF-8 needs at most three bytes for each UTF-16 code unit.
  reserve(4 + value.length * 3);
  if (value.length <= SHORT && ascii(value)) return;
  const written = bytes.write(value, length + 4, 'utf8');
  bytes.writeUInt32BE(written, length);
  length += 4 + written;
}

/** ASCII texts up to this length are written here: a call of the encoder costs more. */
const SHORT = 40;

function ascii(value: string): boolean {
  for (let index = 0; index < value.length; index += 1) {
    const unit = value.charCodeAt(index);
    if (unit > 127) return false;
    bytes[length + 4 + index] = unit;
  }
  bytes.writeUInt32BE(value.length, length);
  length += 4 + value.length;
  return true;
}

function hex(value: string): void {
  reserve(value.length / 2);
  length += bytes.write(value, length, 'hex');
}

function sha256(): string {
  return digestOf('sha256', bytes.subarray(0, length), 'hex');
}

type Hashed = CommitFacts & { readonly events: readonly EventFacts[] };

/** The canonical bytes of a commit's facts, as a copy. */
export function canonicalBytes(commit: Hashed): Uint8Array {
  write(commit);
  return Uint8Array.from(bytes.subarray(0, length));
}

/** SHA-256 over the canonical bytes: nothing that the store decides is in it. */
export function commitDigest(commit: Hashed): string {
  write(commit);
  return sha256();
}

function write(commit: Hashed): void {
  length = 0;
  const { command } = commit;
  text(TAG);
  text(command.id);
  text(command.name);
  hex(command.fingerprint);
  reserve(1);
  length = bytes.writeUInt8(
    commit.outcome === 'succeeded' ? OUTCOME.succeeded : commit.final ? OUTCOME.failed : OUTCOME.failedNotFinal,
    length,
  );
  text(commit.reason);
  text(commit.details);
  text(command.actor);
  text(command.correlation);
  text(command.causation);
  u64(commit.time);
  u32(commit.events.length);
  for (const event of commit.events) {
    text(event.type);
    u32(event.schemaVersion);
    text(event.json);
  }
}

/** `SHA-256(previous ‖ first position ‖ recordedAt ‖ digest)`: the chain's hash after a commit. */
export function chainHash(previous: string, position: number, recordedAt: number, digest: string): string {
  length = 0;
  hex(previous);
  u64(position);
  u64(recordedAt);
  hex(digest);
  return sha256();
}
