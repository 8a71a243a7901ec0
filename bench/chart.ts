/** A picture of bars in groups, readable on white and on black. */

export interface Group {
  readonly title: string;
  /** From top to bottom. Each group has a scale of its own. */
  readonly bars: readonly Bar[];
}

export interface Bar {
  /** What it is, in words that a stranger knows. */
  readonly label: string;
  readonly value: number;
  /** Behind the figure. */
  readonly note?: string | undefined;
  readonly isOurs: boolean;
}

const ROW = 26;
const LEFT = 310;
const WIDTH = 800;
const TOP = 42;
const BAR = 16;
/** Above the first bar of a group. */
const HEAD = 30;
/** Room for the figure behind the longest bar. */
const RIGHT = 90;
const OURS = '#2f81f7';
const OTHERS = '#8b949e';

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** An SVG; `below` is a line in small letters under the title. */
export function chart(title: string, below: string, groups: readonly Group[]): string {
  let y = TOP;
  const rows: string[] = [];
  for (const { title: heading, bars } of groups) {
    rows.push(`  <text x="0" y="${y + 18}" font-weight="600">${escaped(heading)}</text>`);
    y += HEAD;
    const most = Math.max(1, ...bars.map(({ value }) => value));
    for (const { label, value, note, isOurs } of bars) {
      const width = Math.max(1, (value / most) * (WIDTH - LEFT - RIGHT));
      const figure = `${Math.round(value).toLocaleString('en')}${note === undefined ? '' : ` (${note})`}`;
      rows.push(`  <text x="${LEFT - 8}" y="${y + 12.5}" text-anchor="end">${escaped(label)}</text>
  <rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${isOurs ? OURS : OTHERS}"/>
  <text x="${(LEFT + width + 6).toFixed(1)}" y="${y + 12.5}">${escaped(figure)}</text>`);
      y += ROW;
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 4}" role="img" aria-label="${escaped(title)}">
  <style>
    text { font: 12px system-ui, sans-serif; fill: #1f2328 }
    .small { font-size: 11px; fill: #59636e }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } }
  </style>
  <text x="0" y="14" font-weight="600">${escaped(title)}</text>
  <text x="0" y="31" class="small">${escaped(below)}</text>
${rows.join('\n')}
</svg>
`;
}
