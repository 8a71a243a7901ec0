/** Where the report goes: how wide it is, and what may be written there. */
import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';

export type Output = NodeJS.WriteStream & Partial<Pick<WriteStream, 'columns'>>;
type Colour = 'green' | 'red' | 'yellow' | 'bold';

const COLUMNS_DEFAULT = 80;

export class Screen {
  readonly output: Output;
  /** A terminal that can draw over what it has shown. */
  readonly live: boolean;
  /** Whether escape codes may be written at all: not into a pipe, not with NO_COLOR. */
  readonly escapes: boolean;

  constructor(output: Output, environment: NodeJS.ProcessEnv = process.env) {
    this.output = output;
    this.live = output.isTTY && environment['TERM'] !== 'dumb';
    this.escapes = this.live && !environment['NO_COLOR'];
  }

  /** Asked each time: a window may be resized. */
  get columns(): number {
    return this.output.columns || COLUMNS_DEFAULT;
  }

  paint(colour: Colour, text: string): string {
    return this.escapes ? styleText(colour, text, { stream: this.output }) : text;
  }

  line(text = ''): void {
    this.output.write(`${text}\n`);
  }

  /** A sentence, wrapped at its spaces where a terminal would cut through words; what follows is indented. */
  prose(text: string, mark = '', indent = 0): void {
    const width = this.output.isTTY ? this.columns - indent : Infinity;
    const [first = '', ...more] = wrap(text, width);
    this.line(mark + first);
    for (const line of more) this.line(' '.repeat(indent) + line);
  }
}

/** Lines of at most `width` characters; a word that is longer stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
