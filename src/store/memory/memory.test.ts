import { describe, expect, it } from 'vitest';
import { ClockAhead, Closed, InvalidDefinition } from '../../errors.ts';
import { storeConformance } from '../../testing/conformance/index.ts';
import { commitDigest, GENESIS_HASH } from '../chain.ts';
import type { Batch, Locked, LogPoint } from '../store.ts';
import { memory } from './index.ts';

storeConformance('memory', (options) => memory(options));

const GENESIS = { position: 0, hash: GENESIS_HASH };

function batch(id: string, time: number, seen: LogPoint = GENESIS, count = 1): Batch {
  const commits = Array.from({ length: count }, (_, n) => {
    const attachments = [{ collection: 'users', id: `u${n % 50}` }];
    const facts = {
      command: { id: `${id}-${n}`, name: 'DO_IT', fingerprint: '0'.repeat(64) },
      outcome: 'succeeded',
      final: true,
      time,
      events: [{ type: 'DONE', schemaVersion: 1, json: '{}', attachments }],
      reads: [],
    } as const;
    return { ...facts, digest: commitDigest(facts) };
  });
  return { seen, generation: 0, handled: new Map(), reads: [], commits };
}

describe('the memory store', () => {
  it('goes by the clock and the bound that it was given', async () => {
    const session = await memory({ clock: () => 1000, clockAheadMs: 10 }).open();
    await expect(session.append(batch('c', 1011))).rejects.toThrow(ClockAhead);
    expect((await session.append(batch('c', 1010))).status).toBe('stored');
  });

  it('refuses options that make no sense', () => {
    expect(() => memory({ clockAheadMs: -1 })).toThrow(InvalidDefinition);
    expect(() => memory({ clockAheadMs: Number.NaN })).toThrow(InvalidDefinition);
    expect(() => memory({ clock: 5 as never })).toThrow(InvalidDefinition);
  });

  it('keeps what was stored when the caller changes what was sent, or tries to change what was read', async () => {
    const session = await memory().open();
    const sent = structuredClone(batch('c', 1));
    await session.append(sent);
    const before = structuredClone((await session.read({ limit: 1 })).events);
    const commit = sent.commits[0]!;
    Object.assign(commit.command, { name: 'CHANGED' });
    Object.assign(commit.events[0]!.attachments[0]!, { id: 'changed' });
    Object.assign(commit.events[0]!, { json: 'changed' });
    const { events } = await session.read({ limit: 1 });
    expect(events).toEqual(before);
    expect(() => Object.assign(events[0]!.attachments[0]!, { version: 9 })).toThrow(TypeError);
    expect(() => Object.assign(events[0]!.commit.command, { name: 'CHANGED' })).toThrow(TypeError);
  });

  it('keeps what was registered when the caller changes what it has sent', async () => {
    const session = await memory().open();
    const fields = ['user_id'];
    const users = { name: 'users', collection: 'users', key: { fields }, state: 'live', filled: 0 } as const;
    const before = structuredClone(await session.change(() => ({ raises: true, last: 0, keyings: [users] })));
    fields.push('other');
    expect(await session.registry()).toEqual(before);
  });

  it('lets nothing be appended through a lock that was given back', async () => {
    const session = await memory().open();
    let kept: Locked | undefined;
    await session.exclusive(async (locked) => {
      kept = locked;
    });
    await expect(kept!.append(batch('late', 1))).rejects.toThrow(Closed);
    expect((await session.read({ limit: 1 })).events).toEqual([]);
  });
});
