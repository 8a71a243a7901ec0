/** A picture of commands/s with 64 callers, readable on white and on black. */
import type { Result } from './results.ts';

const ROW = 26;
const LEFT = 230;
const WIDTH = 720;
const TOP = 46;
const BAR = 16;
/** Room for the figure behind the longest bar. */
const RIGHT = 70;
const OURS = '#2f81f7';
const OTHERS = '#8b949e';

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

export function chart(results: readonly Result[], machine: { cores: number; node: string }, postgres: string): string {
  // Nothing in memory is durable: it stands in the table only.
  const bars = results.filter((one) => one.case === '64' && one.database !== 'memory');
  const most = Math.max(1, ...bars.map(({ rate }) => rate));
  const height = TOP + bars.length * ROW + 10;
  const rows = bars.map(({ system, database, rate, errors, unanswered }, index) => {
    const y = TOP + index * ROW;
    const width = Math.max(1, (rate / most) * (WIDTH - LEFT - RIGHT));
    const failed = unanswered + Object.values(errors).reduce((sum, count) => sum + count, 0) > 0;
    const figure = `${Math.round(rate).toLocaleString('en')}${failed ? ' (errors)' : ''}`;
    return `  <text x="${LEFT - 8}" y="${y + 12.5}" text-anchor="end">${escaped(`${system}, ${database}`)}</text>
  <rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${system.startsWith('Tidemark') ? OURS : OTHERS}"/>
  <text x="${(LEFT + width + 6).toFixed(1)}" y="${y + 12.5}">${figure}</text>`;
  });
  const title = 'Durable commands a second, 64 callers, 5,000 documents';
  const below = `${machine.cores} cores, Node ${machine.node.replace('v', '')}, PostgreSQL ${postgres}; server and callers on one machine`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">
  <style>
    text { font: 12px system-ui, sans-serif; fill: #1f2328 }
    .small { font-size: 11px; fill: #59636e }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } }
  </style>
  <text x="0" y="14" font-weight="600">${title}</text>
  <text x="0" y="31" class="small">${escaped(below)}</text>
${rows.join('\n')}
</svg>
`;
}
