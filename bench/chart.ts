/** A picture of bars in groups. */
import { COLOURS, escaped, GREY, svg, TOP, WIDTH } from '../scripts/svg.ts';

export interface Group {
  readonly title: string;
  /** From top to bottom. Each group has a scale of its own. */
  readonly bars: readonly Bar[];
}

interface Bar {
  /** What it is, in words that a stranger knows. */
  readonly label: string;
  readonly value: number;
  /** Behind the figure. */
  readonly note?: string | undefined;
  readonly isOurs: boolean;
}

const ROW = 26;
const LEFT = 310;
const BAR = 16;
/** Above the first bar of a group. */
const HEAD = 30;
/** Room for the figure behind the longest bar. */
const RIGHT = 90;

/** An SVG; `below` is a line in small letters under the title. */
export function chart(title: string, below: string, groups: readonly Group[]): string {
  let y = TOP;
  const rows: string[] = [];
  for (const { title: heading, bars } of groups) {
    rows.push(`  <text x="0" y="${y + 18}" class="strong">${escaped(heading)}</text>`);
    y += HEAD;
    const most = Math.max(1, ...bars.map(({ value }) => value));
    for (const { label, value, note, isOurs } of bars) {
      const width = Math.max(1, (value / most) * (WIDTH - LEFT - RIGHT));
      const figure = `${Math.round(value).toLocaleString('en')}${note === undefined ? '' : ` (${note})`}`;
      rows.push(`  <text x="${LEFT - 8}" y="${y + 12.5}" text-anchor="end">${escaped(label)}</text>
  <rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${isOurs ? COLOURS[0] : GREY}"/>
  <text x="${(LEFT + width + 6).toFixed(1)}" y="${y + 12.5}">${escaped(figure)}</text>`);
      y += ROW;
    }
  }
  return svg(title, below, y + 4, rows);
}
