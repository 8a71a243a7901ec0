/** The live line: a bar with rates, as wide as the terminal. Without a terminal, a plain line from time to time. */
import { createLogUpdate } from 'log-update';
import { number } from './laws.ts';
import type { Standing } from './race.ts';
import type { Screen } from './screen.ts';
import type { Offer } from './shop-window.ts';

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5_000;
const BAR_MAX = 30;
const BAR_MIN = 4;

/** The race, and what is on sale while it runs: the cheapest. */
export interface Shown extends Standing {
  readonly cheapest: Offer | undefined;
}

interface Progress {
  show(shown: Shown): void;
  /** Frees the screen for other output. */
  end(): void;
}

export function progressOn(screen: Screen, rounds: number, now: () => number = () => performance.now()): Progress {
  const start = now();
  const every = screen.live ? REDRAW_MS : PLAIN_LINE_MS;
  const draw = screen.live ? drawer(screen) : undefined;
  let drawn = draw ? Number.NEGATIVE_INFINITY : start;
  return {
    show(standing) {
      const time = now();
      if (time - drawn < every && !(draw && standing.rounds === rounds)) return;
      drawn = time;
      const seconds = Math.max(time - start, 1) / 1000;
      if (draw) draw.show(barLine(standing, rounds, seconds, screen.columns - 1));
      else screen.line(plainLine(standing, rounds, seconds));
    },
    end: () => draw?.end(),
  };
}

/** As much as fits: percent and bar first, then rate, rounds, conflicts, what is on sale. Never longer than `width`. */
export function barLine(
  { rounds, commands, conflicts, cheapest }: Shown,
  of: number,
  seconds: number,
  width: number,
): string {
  const percent = `${String(Math.floor((rounds / of) * 100)).padStart(3)}%`;
  const parts = [
    percent,
    `${number(Math.round(commands / seconds))} commands/s`,
    `${number(rounds)}/${number(of)} rounds`,
    `${number(conflicts)} conflicts`,
    ...(cheapest ? [`${cheapest.title} from ${number(cheapest.price)}`] : []),
  ];
  while (parts.length > 1 && parts.join('  ').length + 1 + BAR_MIN > width) parts.pop();
  const text = parts.join('  ');
  const bar = Math.min(BAR_MAX, width - text.length - 1);
  if (bar < BAR_MIN) return text.slice(0, Math.max(width, 0));
  const full = Math.round((rounds / of) * bar);
  return `${'█'.repeat(full)}${'░'.repeat(bar - full)} ${text}`;
}

function plainLine({ rounds, commands, conflicts, cheapest }: Shown, of: number, seconds: number): string {
  const onSale = cheapest ? `, ${cheapest.title} from ${number(cheapest.price)}` : '';
  return `${number(rounds)} of ${number(of)} rounds, ${number(Math.round(commands / seconds))} commands/s, ${number(conflicts)} conflicts${onSale}`;
}

function drawer(screen: Screen): { show(line: string): void; end(): void } {
  // A terminal that doesn't know its size (0 by 0, as under `script`) would otherwise show nothing.
  if (screen.escapes && screen.output.columns && screen.output.rows) {
    const log = createLogUpdate(screen.output);
    return { show: (line) => log(line), end: () => log.done() };
  }
  // Without escape codes there is still the carriage return.
  let length = 0;
  return {
    show(line) {
      screen.output.write(`\r${line.padEnd(Math.min(length, screen.columns - 1))}`);
      length = line.length;
    },
    end: () => void (length > 0 && screen.output.write('\n')),
  };
}
