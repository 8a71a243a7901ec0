/**
 * A second implementation of the hash chain, from docs/reference/hash-chain.md alone. A store's hashes are compared with these,
 * so an error in one of the two shows.
 */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Commit } from '../../store/store.ts';
import { START } from './batches.ts';

export interface Link {
  /** Of the commit's first event. */
  readonly position: number;
  readonly recordedAt: number;
  readonly hash: string;
}

/**
 * The chain of these commits, stored in this order on an empty log. `clock` gives what the store's clock said for each of them,
 * by default always {@link START}.
 */
export function expectedChain(commits: readonly Commit[], clock: (index: number) => number = () => START): Link[] {
  let position = 1;
  let recordedAt = 0;
  let hash = '00'.repeat(32);
  return commits.map((commit, index) => {
    recordedAt = Math.max(clock(index), commit.time, recordedAt);
    hash = sha256(Buffer.from(hash, 'hex'), integer(position, 8), integer(recordedAt, 8), factsDigest(commit));
    const link = { position, recordedAt, hash };
    position += commit.events.length;
    return link;
  });
}

function factsDigest({ command, outcome, final, reason, details, time, events }: Commit): Buffer {
  const outcomeByte = outcome === 'succeeded' ? 0 : final ? 1 : 2;
  const facts = [
    field('tidemark/commit/1'),
    field(command.id),
    field(command.name),
    Buffer.from(command.fingerprint, 'hex'),
    Buffer.of(outcomeByte),
    field(reason),
    field(details),
    field(command.actor),
    field(command.correlation),
    field(command.causation),
    integer(time, 8),
    integer(events.length, 4),
  ];
  for (const { type, schemaVersion, json } of events) facts.push(field(type), integer(schemaVersion, 4), field(json));
  return Buffer.from(sha256(...facts), 'hex');
}

/** Length and UTF-8 bytes; four bytes of ones for what is absent. */
function field(value: string | undefined): Buffer {
  if (value === undefined) return Buffer.alloc(4, 0xff);
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([integer(bytes.length, 4), bytes]);
}

/** Big-endian. */
function integer(value: number, size: 4 | 8): Buffer {
  return Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex');
}

function sha256(...parts: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
