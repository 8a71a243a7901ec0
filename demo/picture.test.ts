/** The picture: every sale a stroke, and small enough to be looked at on a page. */
import { describe, expect, it } from 'vitest';
import { pictureOf } from './picture.ts';
import { FIGURES, strokesIn } from './sample.ts';
import type { Answer } from './server.ts';
import { Timeline } from './timeline.ts';

const answer = (at: number, sold: boolean, replayed = false): Answer => ({
  id: 'c1',
  reason: sold ? null : 'SOLD_OUT',
  position: 1,
  sold,
  replayed,
  at,
});

/** Of ten rounds Paris sells in six. */
function timelineOf(rounds: number): Timeline {
  const timeline = new Timeline(['Paris', 'Tokyo']);
  for (let round = 0; round < rounds; round += 1) {
    const [from, to, parisSells] = [round * 10 + 0.123, round * 10 + 6.789, round % 10 < 6];
    const raced = (sold: boolean) => ({ answers: [answer(from + 3, sold), answer(to, false)], conflicts: 1, from, to });
    const turns = [
      { name: 'Paris', raced: raced(parisSells) },
      { name: 'Tokyo', raced: raced(!parisSells) },
    ];
    timeline.take(round % 2 === 0 ? turns : turns.reverse());
  }
  return timeline;
}

describe('the picture', () => {
  it('has a stroke for each sale of each server, and is small', () => {
    const picture = pictureOf({ ...FIGURES, store: 'sqlite:/tmp/market.db' }, timelineOf(1000));
    expect(strokesIn(picture).map((strokes) => strokes.length)).toEqual([600, 400]);
    expect(picture.length).toBeLessThan(30_000);
    expect(picture).toContain('Two server processes race for 1,000 places on one SQLite file');
    expect(picture).toContain('Rounds 295 to 300, 57 ms');
  });

  it('shows the first sales only where there are too many, and says so', () => {
    const picture = pictureOf({ ...FIGURES, sold: 1500 }, timelineOf(1500));
    expect(strokesIn(picture).flat()).toHaveLength(1000);
    expect(picture).toContain('The first 1,000 sales');
  });

  it('can be drawn of one round', () => {
    const picture = pictureOf({ ...FIGURES, sold: 1 }, timelineOf(1));
    expect(strokesIn(picture).flat()).toHaveLength(1);
    expect(picture).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('says what is broken, and escapes it', () => {
    const laws = [{ name: 'chain', ok: false, found: 'The hash chain breaks at "12" & <more>' }] as const;
    expect(pictureOf({ ...FIGURES, laws }, timelineOf(3))).toMatch(
      /✗[^]*breaks at &quot;12&quot; &amp; &lt;more>[^]*A law is broken\./,
    );
  });

  it('gives a place that was sent for twice to the server that sold it', () => {
    const timeline = new Timeline(['Paris', 'Tokyo']);
    timeline.take([
      { name: 'Paris', raced: { answers: [answer(3, true, true)], conflicts: 0, from: 1, to: 4 } },
      { name: 'Tokyo', raced: { answers: [answer(2, true)], conflicts: 0, from: 1, to: 4 } },
    ]);
    expect(timeline.sales).toEqual([{ server: 1, at: 2 }]);
  });
});
