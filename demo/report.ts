/** What is printed after the race: tables, or `name: value` lines in a narrow terminal, then the laws. */
import Table from 'cli-table3';
import type { Figures } from './figures.ts';
import { mustWin, number } from './laws.ts';
import type { Screen } from './screen.ts';

/** Narrower terminals get plain lines. */
const TABLE_COLUMNS_MIN = 70;

type Row = readonly [name: string, ...values: string[]];

export function report(screen: Screen, figures: Figures): void {
  const wide = screen.columns >= TABLE_COLUMNS_MIN;
  const show = wide ? table : lines;
  screen.line();
  show(screen, ['the run', ''], totals(figures));
  show(screen, ['server', 'wins', 'conflicts', 'p50 ms', 'p99 ms'], servers(figures));
  show(screen, ['refused because', ''], refusals(figures));
  show(screen, ['on sale', 'from'], offers(figures));
  show(screen, ['seller', 'on sale', 'sold out'], sellers(figures));
  screen.line();
  for (const { name, ok, found } of figures.laws) {
    const mark = ok ? screen.paint('green', '✓') : screen.paint('red', '✗');
    if (wide) screen.prose(found, `${mark} ${screen.paint('bold', name.padEnd(8))} `, 11);
    else screen.prose(`${name}: ${found}`, `${mark} `, 2);
  }
  for (const warning of warnings(figures)) screen.prose(warning, `${screen.paint('yellow', '!')} `, 2);
  screen.line();
  screen.line(figures.ok ? screen.paint('green', 'All laws hold.') : screen.paint('red', 'A law is broken.'));
}

function totals(figures: Figures): Row[] {
  return [
    ['rounds', number(figures.rounds)],
    ['commands', number(figures.commands)],
    ['sent again', number(figures.resent)],
    ['events', number(figures.events)],
    ['places sold', number(figures.sold)],
    ['still on sale', number(figures.window.onSale)],
    ['window drawn', number(figures.window.pages)],
    ['oversold', number(figures.oversold)],
    ['refused', number(figures.refused)],
    ['conflicts met', number(figures.conflicts)],
    ['seconds', number(figures.seconds)],
    ['commands/s', number(figures.commandsPerSecond)],
  ];
}

function servers({ winsByServer, conflictsByServer, latencyMsByServer }: Figures): Row[] {
  return Object.entries(winsByServer).map(([name, wins]) => {
    const { p50 = 0, p99 = 0 } = latencyMsByServer[name] ?? {};
    return [name, number(wins), number(conflictsByServer[name] ?? 0), p50.toFixed(2), p99.toFixed(2)];
  });
}

function refusals({ refusedByReason }: Figures): Row[] {
  return Object.entries(refusedByReason).map(([reason, refused]) => [reason, number(refused)]);
}

function offers({ window }: Figures): Row[] {
  return window.cheapest.map(({ title, price }) => [title, number(price)]);
}

function sellers({ window }: Figures): Row[] {
  return Object.entries(window.bySeller).map(([name, { onSale, soldOut }]) => [name, number(onSale), number(soldOut)]);
}

/** Not a broken law: with so few rounds it may be chance. */
function warnings({ rounds, servers, winsByServer }: Figures): string[] {
  if (servers < 2 || mustWin(rounds, servers)) return [];
  return Object.entries(winsByServer)
    .filter(([, wins]) => wins === 0)
    .map(([name]) => `${name} never won: try more rounds.`);
}

function table(screen: Screen, head: Row, rows: readonly Row[]): void {
  if (rows.length === 0) return;
  const made = new Table({
    // The table's own colours are off: it would write them into a pipe, too.
    style: { head: [], border: [], compact: true },
    head: head.map((title) => screen.paint('bold', title)),
    colAligns: head.map((_, index) => (index === 0 ? 'left' : 'right')),
  });
  made.push(...rows.map((row) => [...row]));
  screen.line(made.toString());
}

function lines(screen: Screen, head: Row, rows: readonly Row[]): void {
  for (const [name, ...values] of rows) {
    if (values.length === 1) screen.line(`${name}: ${values[0]}`);
    else for (const [index, value] of values.entries()) screen.line(`${name} ${head[index + 1]}: ${value}`);
  }
}
