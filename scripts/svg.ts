/** The frame of our pictures: a title, a line in small letters under it, and colours to be read on white and on black. */

export const WIDTH = 800;
/** Below the title and its line. */
export const TOP = 42;
/** Blue, orange, violet …: each stands out on white and on black. */
export const COLOURS = [
  '#2f81f7',
  '#db6d28',
  '#a371f7',
  '#3fb950',
  '#db61a2',
  '#d29922',
  '#39c5cf',
  '#f85149',
] as const;
export const GREY = '#8b949e';

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** @param rows elements, from {@link TOP} to `height` */
export function svg(title: string, below: string, height: number, rows: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">
  <style>
    text { font: 12px system-ui, sans-serif; fill: #1f2328 }
    .strong { font-weight: 600 }
    .small { font-size: 11px; fill: #59636e }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } }
  </style>
  <text x="0" y="14" class="strong">${escaped(title)}</text>
  <text x="0" y="31" class="small">${escaped(below)}</text>
${rows.join('\n')}
</svg>
`;
}
