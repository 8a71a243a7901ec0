/** What is kept of the log's end, against a plain list of all of it. */
import { expect, test } from 'vitest';
import { seeded } from '../../../test/support/seed.ts';
import type { StoredEvent } from '../../store/store.ts';
import { KeptEvent, KeptEvents } from './kept-events.ts';

const BOUNDS = { eventsMax: 10, unitsMax: 300 };
const ATTACHED = [{ collection: 'items', id: 'i', version: 1 }];

test('the last events, bounded by their number, their texts and their attachments, found from any position that they reach back to', () => {
  const random = seeded();
  const below = (most: number): number => Math.floor(random() * most);
  const kept = new KeptEvents(7, BOUNDS);
  const all: KeptEvent[] = [];
  for (let round = 0; round < 2_000; round += 1) {
    const added = Array.from({ length: below(14) }, (_, index) => {
      const position = 8 + all.length + index;
      const json = 'x'.repeat(random() < 0.02 ? 350 : below(25));
      return new KeptEvent(new Map(), {
        position,
        json,
        attachments: ATTACHED.slice(0, below(2)),
        type: `T${below(4)}`,
      } as unknown as StoredEvent);
    });
    all.push(...added);
    kept.add(added);
    expect(kept.reached).toBe(7 + all.length);
    let first = all.length;
    const weightFrom = (from: number): number =>
      all.slice(from).reduce((sum, { stored }) => sum + stored.json.length + 100 * stored.attachments.length, 0);
    while (first > 0 && all.length - first < BOUNDS.eventsMax && weightFrom(first - 1) <= BOUNDS.unitsMax) first -= 1;
    for (let after = kept.reached - 12; after <= kept.reached + 3; after += 1) {
      expect(kept.hasAllAfter(after)).toBe(after >= 7 + first);
      if (after < 7 + first) continue;
      const type = `T${below(4)}`;
      const wanted = all.find((one) => one.stored.position > after && one.stored.type === type);
      expect(kept.find(after, (stored) => stored.type === type)).toBe(wanted);
    }
  }
});
