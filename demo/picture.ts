/** `--svg FILE`: the race as it ran, with a stroke for each place that was sold, and the results of the checks. */
import { COLOURS, escaped, GREY, svg, TOP, WIDTH } from '../scripts/svg.ts';
import type { Figures } from './figures.ts';
import { number } from './laws.ts';
import type { Timeline, Turn } from './timeline.ts';

/** Room for a name on the left, and for a time on the right. */
const LEFT = 64;
const RIGHT = 56;
const LINE = 18;
/** Above the first line of a part. */
const HEAD = 28;
/** A lane of the rounds close up, and the bar in it. */
const LANE = 24;
const BAR = 14;
/** The strokes of the servers: one lane under the other, in rows like lines of text. */
const STROKE = 10;
const GAP = 12;
const SALES_PER_ROW = 100;
const GREEN = '#2da44e';
const RED = '#e5534b';

export function pictureOf(figures: Figures, timeline: Timeline): string {
  const parts = [closeUp(timeline), strokes(figures, timeline), results(figures)];
  const rows: string[] = [];
  let y = TOP;
  for (const { height, draw } of parts) {
    rows.push(...draw(y));
    y += height;
  }
  return svg(titleOf(figures), runOf(figures), y, rows);
}

function titleOf({ servers, sold, store }: Figures): string {
  const who = { 1: 'One server sells', 2: 'Two server processes race for' }[servers];
  const where = store.startsWith('sqlite:')
    ? 'one SQLite file'
    : store === 'memory:'
      ? 'a log in memory'
      : 'PostgreSQL';
  return `${who ?? `${servers} server processes race for`} ${number(sold)} places on ${where}`;
}

function runOf({ rounds, seconds, commands, resent }: Figures): string {
  const again = `${number(resent)} times one was sent again, with the same id`;
  return `A real run: ${number(rounds)} rounds in ${seconds.toFixed(1)} s, ${number(commands)} commands; ${again}`;
}

interface Part {
  readonly height: number;
  draw(top: number): string[];
}

/** A few rounds: a bar while a server is at work, filled for the one that sold the place. */
function closeUp({ names, close, closeFrom }: Timeline): Part {
  const turns = close.flat();
  const [from, to] = [Math.min(...turns.map((turn) => turn.from)), Math.max(...turns.map((turn) => turn.to))];
  const x = scale(from, to);
  const bar = (top: number, turn: Turn): string => {
    const [left, right, y] = [x(turn.from), x(turn.to), top + turn.server * LANE + (LANE - BAR) / 2];
    const colour = COLOURS[turn.server]!;
    const shape = `x="${at(left)}" y="${y}" width="${at(Math.max(2, right - left))}" height="${BAR}" rx="2"`;
    return turn.sales.length > 0
      ? `  <rect ${shape} fill="${colour}"/>`
      : `  <rect ${shape} fill="none" stroke="${GREY}"/>`;
  };
  return {
    height: HEAD + names.length * LANE + GAP,
    draw: (top) => [
      heading(
        top,
        `Rounds ${closeFrom} to ${closeFrom + close.length - 1}, ${(to - from).toFixed(0)} ms: at work at once, and one of them sells the place (filled)`,
      ),
      ...names.map((name, lane) => label(top + HEAD + lane * LANE + LANE / 2, name, lane)),
      ...turns.map((turn) => bar(top + HEAD, turn)),
    ],
  };
}

/** All sales, in rows like lines of text: a stroke in the lane of the server that sold the place. */
function strokes({ sold }: Figures, { names, sales }: Timeline): Part {
  const start = sales[0]?.at ?? 0;
  const end = Math.max(start + 1, ...sales.map((sale) => sale.at));
  const count = Math.max(1, Math.ceil(sales.length / SALES_PER_ROW));
  const ms = (end - start) / count;
  const rowHeight = names.length * STROKE + GAP;
  const x = scale(0, ms);
  const paths = (top: number): string[] =>
    names.map((_, server) => {
      const d = sales
        .filter((sale) => sale.server === server)
        .map((sale) => {
          const row = Math.min(count - 1, Math.floor((sale.at - start) / ms));
          return `M${at(x(sale.at - start - row * ms))} ${top + row * rowHeight + server * STROKE}v${STROKE - 1}`;
        });
      return `  <path d="${d.join('')}" stroke="${COLOURS[server]}" stroke-width="1.5"/>`;
    });
  const which = sales.length < sold ? `The first ${number(sales.length)} sales` : 'Every sale';
  return {
    height: HEAD + count * rowHeight,
    draw: (top) => [
      heading(top, `${which}, a stroke each, in time; from top to bottom ${names.join(', ')}`),
      ...Array.from({ length: count }, (_, row) =>
        small(WIDTH - RIGHT + 8, top + HEAD + (row + 0.5) * rowHeight, `${(((row + 1) * ms) / 1_000).toFixed(1)} s`),
      ),
      ...paths(top + HEAD),
    ],
  };
}

/** How many each server sold, and the laws with their results. */
function results(figures: Figures): Part {
  const { winsByServer, refused, conflicts, laws, ok } = figures;
  return {
    height: HEAD + laws.length * LINE + HEAD,
    draw: (top) => [
      heading(
        top,
        `${Object.entries(winsByServer)
          .map(([name, wins]) => `${name} sold ${number(wins)}`)
          .join(', ')}; ${number(refused)} were refused; ${number(conflicts)} conflicts. Then the log was asked:`,
      ),
      ...laws.flatMap(({ ok, name, found }, index) => {
        const y = top + HEAD + index * LINE + 10;
        return [
          `  <text x="0" y="${y}" style="fill:${ok ? GREEN : RED}">${ok ? '✓' : '✗'}</text>`,
          `  <text x="16" y="${y}" class="strong">${escaped(name)}</text>`,
          `  <text x="84" y="${y}">${escaped(found)}</text>`,
        ];
      }),
      heading(top + HEAD + laws.length * LINE, ok ? 'All laws hold.' : 'A law is broken.'),
    ],
  };
}

function scale(from: number, to: number): (value: number) => number {
  return (value) => LEFT + ((value - from) / Math.max(to - from, 0.001)) * (WIDTH - LEFT - RIGHT);
}

/** Rounded to a tenth of a pixel. */
function at(x: number): string {
  return String(Math.round(x * 10) / 10);
}

function heading(top: number, text: string): string {
  return `  <text x="0" y="${top + 16}" class="strong">${escaped(text)}</text>`;
}

function label(middle: number, text: string, server: number): string {
  return `  <text x="0" y="${middle + 4}" style="fill:${COLOURS[server]}" class="strong">${escaped(text)}</text>`;
}

function small(x: number, middle: number, text: string): string {
  return `  <text x="${x}" y="${at(middle)}" class="small">${escaped(text)}</text>`;
}
