/**
 * Writes docs/reference/hash-chain.vectors.json. The vectors are checked by a second implementation, written from the document
 * alone (src/store/chain.test.ts), so this only needs to be run when the format gets a new tag.
 */
import { writeFileSync } from 'node:fs';
import { canonicalBytes, chainHash, commitDigest, GENESIS_HASH } from '../src/store/chain.ts';
import type { CommitFacts, EventFacts } from '../src/store/store.ts';

type Commit = CommitFacts & { readonly events: readonly EventFacts[]; readonly recordedAt: number };

const print = (byte: number): string => byte.toString(16).padStart(2, '0').repeat(32);
const commits: readonly Commit[] = [
  {
    command: { id: 'c1', name: 'CREATE_SERVICE', fingerprint: print(0x11) },
    outcome: 'succeeded',
    final: true,
    time: 1_700_000_000_000,
    recordedAt: 1_700_000_000_003,
    events: [{ type: 'SERVICE_CREATED', schemaVersion: 1, json: '{"service_id":"s1","title":"Caf\u00e9 \u{1d4b3}"}' }],
  },
  {
    command: {
      id: 'checkout-81',
      name: 'BUY_SERVICE',
      fingerprint: print(0x22),
      actor: 'bob',
      correlation: 'cart-7',
      causation: 'c1',
    },
    outcome: 'failed',
    final: true,
    reason: 'SOLD_OUT',
    details: '{"left":0}',
    time: 1_700_000_000_500,
    recordedAt: 1_700_000_000_900,
    events: [
      {
        type: 'BUY_SERVICE_FAILED',
        schemaVersion: 1,
        json: '{"service_id":"s1","reason":"SOLD_OUT","details":{"left":0}}',
      },
    ],
  },
  {
    command: { id: 'e\u0301', name: 'IMPORT', fingerprint: print(0x00), actor: 'importer' },
    outcome: 'succeeded',
    final: true,
    time: 1_700_000_000_700,
    recordedAt: 1_700_000_000_900,
    events: [
      { type: 'PRICE_CHANGED', schemaVersion: 2, json: '{}' },
      { type: 'PRICE_CHANGED', schemaVersion: 3, json: 'not JSON: ciphertext' },
    ],
  },
  {
    command: { id: 'c4', name: 'BROKEN', fingerprint: print(0xff) },
    outcome: 'failed',
    final: false,
    reason: 'ERROR',
    details: '{"name":"TypeError","message":""}',
    time: 0,
    recordedAt: 1_700_000_000_900,
    events: [
      {
        type: '$ERRORED',
        schemaVersion: 1,
        json: '{"command":"BROKEN","reason":"ERROR","name":"TypeError","message":""}',
      },
    ],
  },
];

let position = 1;
let previous = GENESIS_HASH;
const vectors = commits.map(({ recordedAt, ...commit }) => {
  const digest = commitDigest(commit);
  const hash = chainHash(previous, position, recordedAt, digest);
  const vector = {
    commit,
    position,
    recordedAt,
    facts: Buffer.from(canonicalBytes(commit)).toString('hex'),
    digest,
    previous,
    hash,
  };
  position += commit.events.length;
  previous = hash;
  return vector;
});
writeFileSync('docs/reference/hash-chain.vectors.json', `${JSON.stringify(vectors, null, 2)}\n`);
