/** The chain against docs/reference/hash-chain.md: its vectors, and a second implementation written from the document alone. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { canonicalBytes, chainHash, commitDigest, GENESIS_HASH } from './chain.ts';
import type { CommitFacts, EventFacts } from './store.ts';

interface Vector {
  readonly commit: CommitFacts & { readonly events: readonly EventFacts[] };
  readonly position: number;
  readonly recordedAt: number;
  readonly facts: string;
  readonly digest: string;
  readonly previous: string;
  readonly hash: string;
}
const vectors = JSON.parse(
  readFileSync(new URL('../../docs/reference/hash-chain.vectors.json', import.meta.url), 'utf8'),
) as readonly Vector[];

const u32 = (value: number): Buffer => Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
const u64 = (value: number): Buffer => Buffer.from(value.toString(16).padStart(16, '0'), 'hex');
const text = (value: string | undefined): Buffer => {
  if (value === undefined) return u32(0xffffffff);
  const bytes = new TextEncoder().encode(value);
  return Buffer.concat([u32(bytes.length), bytes]);
};
const sha256 = (...parts: Buffer[]): string => createHash('sha256').update(Buffer.concat(parts)).digest('hex');

function factsByTheDocument({ command, outcome, final, reason, details, time, events }: Vector['commit']): Buffer {
  return Buffer.concat([
    text('tidemark/commit/1'),
    text(command.id),
    text(command.name),
    Buffer.from(command.fingerprint, 'hex'),
    Buffer.of(outcome === 'succeeded' ? 0 : final ? 1 : 2),
    text(reason),
    text(details),
    text(command.actor),
    text(command.correlation),
    text(command.causation),
    u64(time),
    u32(events.length),
    ...events.flatMap(({ type, schemaVersion, json }) => [text(type), u32(schemaVersion), text(json)]),
  ]);
}

describe('law 9: the hash chain', () => {
  test.each(vectors)(
    'is as the document says: $commit.command.name',
    ({ commit, position, recordedAt, facts, digest, previous, hash }) => {
      expect(factsByTheDocument(commit).toString('hex')).toBe(facts);
      expect(Buffer.from(canonicalBytes(commit)).toString('hex')).toBe(facts);
      expect(sha256(factsByTheDocument(commit))).toBe(digest);
      expect(commitDigest(commit)).toBe(digest);
      expect(sha256(Buffer.from(previous, 'hex'), u64(position), u64(recordedAt), Buffer.from(digest, 'hex'))).toBe(
        hash,
      );
      expect(chainHash(previous, position, recordedAt, digest)).toBe(hash);
    },
  );

  test('starts with zeros and links each commit to the one before', () => {
    expect(vectors.map(({ previous }) => previous)).toEqual([
      GENESIS_HASH,
      ...vectors.slice(0, -1).map(({ hash }) => hash),
    ]);
  });

  test('holds texts of any length', () => {
    const commit = { ...vectors[0]!.commit, events: [{ type: 'LONG', schemaVersion: 1, json: 'é'.repeat(700_000) }] };
    expect(commitDigest(commit)).toBe(sha256(factsByTheDocument(commit)));
  });

  test('every fact counts: none can be changed, moved to another field, or dropped', () => {
    const { commit } = vectors[1]!;
    const { command, events } = commit;
    const [event] = events;
    const changed: Vector['commit'][] = [
      { ...commit, command: { ...command, id: 'checkout-82' } },
      { ...commit, command: { ...command, name: 'BUY' } },
      { ...commit, command: { ...command, fingerprint: '33'.repeat(32) } },
      { ...commit, command: { ...command, actor: 'eve' } },
      { ...commit, command: { ...command, actor: undefined } },
      { ...commit, command: { ...command, actor: '' } },
      { ...commit, command: { ...command, correlation: command.causation, causation: command.correlation } },
      { ...commit, outcome: 'succeeded' },
      { ...commit, final: false },
      { ...commit, reason: undefined },
      { ...commit, details: '{"left":1}' },
      { ...commit, time: commit.time + 1 },
      { ...commit, events: [] },
      { ...commit, events: [event!, event!] },
      { ...commit, events: [{ ...event!, type: 'OTHER' }] },
      { ...commit, events: [{ ...event!, schemaVersion: 2 }] },
      { ...commit, events: [{ ...event!, json: `${event!.json} ` }] },
    ];
    const digests = [commit, ...changed].map((one) => commitDigest(one));
    expect(new Set(digests).size).toBe(digests.length);
    const { previous, position, recordedAt, digest } = vectors[1]!;
    const hashes = [
      chainHash(previous, position, recordedAt, digest),
      chainHash(GENESIS_HASH, position, recordedAt, digest),
      chainHash(previous, position + 1, recordedAt, digest),
      chainHash(previous, position, recordedAt + 1, digest),
    ];
    expect(new Set(hashes).size).toBe(4);
  });
});
