/** What is shown, at any width. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { barLine, progressOn } from './progress.ts';
import { report } from './report.ts';
import { FIGURES } from './sample.ts';
import { Screen, wrap, type Output } from './screen.ts';

function screenOf(output: { isTTY: boolean; columns?: number; rows?: number }, environment: NodeJS.ProcessEnv = {}) {
  const stream = Object.assign(new PassThrough(), { getColorDepth: () => 24 }, output);
  return {
    screen: new Screen(stream as unknown as Output, { TERM: 'xterm', ...environment }),
    text: () => String(stream.read() ?? ''),
  };
}

/** How often a bar is drawn in a run of a little more than twelve seconds, with a round in each millisecond. */
function drawings(isTTY: boolean): number {
  const { screen, text } = screenOf({ isTTY, columns: 80, rows: 24 }, { NO_COLOR: '1' });
  let now = 0;
  const progress = progressOn(screen, 12_050, () => now);
  for (let rounds = 1; rounds <= 12_050; rounds += 1) {
    now += 1;
    progress.show({ ...STANDING, rounds });
  }
  return text().split('commands/s').length - 1;
}

const CHEAPEST = { title: 'Piano lesson', seller: 'seller1', price: 12, left: 1 };
const STANDING = { rounds: 500, commands: 9000, conflicts: 700, cheapest: CHEAPEST };

describe('the report', () => {
  it('is a table where there is room', () => {
    const { screen, text } = screenOf({ isTTY: true, columns: 70, rows: 24 });
    report(screen, FIGURES);
    const shown = text();
    expect(shown).toContain('│ conflicts met │  1,396 │');
    expect(shown).toContain('\u001B[31m✗');
  });

  it('remarks that a server never won, where so few rounds are no race lost', () => {
    for (const [rounds, remarked] of [
      [99, true],
      [100, false],
    ] as const) {
      const { screen, text } = screenOf({ isTTY: false });
      report(screen, { ...FIGURES, rounds });
      expect(text().includes('Tokyo never won')).toBe(remarked);
    }
  });

  it.each([
    [69, { NO_COLOR: '1' }],
    [40, { NO_COLOR: '1' }],
    [20, { NO_COLOR: '1' }],
    [40, { TERM: 'dumb' }],
  ])('is plain lines in %i columns with %j, none of them cut through a word', (columns, environment) => {
    const { screen, text } = screenOf({ isTTY: true, columns, rows: 24 }, environment);
    report(screen, FIGURES);
    const shown = text();
    expect(shown).toContain('conflicts met: 1,396\n');
    expect(shown).toContain('Paris p99 ms: 9.25\n');
    expect(shown).not.toMatch(/[│┌]/);
    for (const line of shown.split('\n')) expect(line.length).toBeLessThanOrEqual(Math.max(columns, 22));
  });

  it.each([
    [{ isTTY: true, columns: 80, rows: 24 }, { NO_COLOR: '1' }],
    [{ isTTY: true, columns: 80, rows: 24 }, { TERM: 'dumb' }],
    [{ isTTY: false }, {}],
    [{ isTTY: false }, { FORCE_COLOR: '1' }],
  ])('and the progress hold no escape code on %j with %j', (output, environment) => {
    const { screen, text } = screenOf(output, environment);
    let now = 0;
    const progress = progressOn(screen, 1000, () => (now += 6_000));
    progress.show(STANDING);
    progress.end();
    report(screen, FIGURES);
    const shown = text();
    expect(shown).toContain('700 conflicts');
    expect(shown).toContain('Piano lesson');
    expect(shown).not.toContain('\u001B');
  });
});

describe('the progress', () => {
  it('never is wider than the terminal', () => {
    for (let width = 1; width < 200; width += 1) {
      for (const rounds of [0, 1, 500, 999, 1000]) {
        const line = barLine({ ...STANDING, rounds }, 1000, 3, width);
        expect(line.length).toBeLessThanOrEqual(width);
        expect(line).toContain(`${Math.floor(rounds / 10)}%`.padStart(4).slice(0, width));
      }
    }
  });

  it('shows what fits: all of it in 80 columns, bar and percent in 20', () => {
    expect(barLine(STANDING, 1000, 3, 79)).toMatch(
      /^█+░+ {2}50% {2}3,000 commands\/s {2}500\/1,000 rounds {2}700 conflicts$/,
    );
    expect(barLine(STANDING, 1000, 3, 99)).toMatch(/ {2}700 conflicts {2}Piano lesson from 12$/);
    expect(barLine(STANDING, 1000, 3, 39)).toMatch(/^█+░+ {2}50% {2}3,000 commands\/s$/);
    expect(barLine(STANDING, 1000, 3, 19)).toMatch(/^█+░+ {2}50%$/);
  });

  it('is drawn at most ten times a second, and at the end; without a terminal every five seconds', () => {
    expect(drawings(true)).toBe(122);
    expect(drawings(false)).toBe(2);
  });
});

it('wrap keeps every word', () => {
  expect(wrap('each sold exactly once', 11)).toEqual(['each sold', 'exactly', 'once']);
  expect(wrap('unbreakable word', 4)).toEqual(['unbreakable', 'word']);
  expect(wrap('one line', Infinity)).toEqual(['one line']);
});
