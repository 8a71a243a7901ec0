/** The list of documents in the row of an event: `[document, version, document, version, …]`, as append writes it. */
import { corrupt } from '../errors.ts';

/** @throws LogCorrupt if the list isn't valid */
export function inlineList(attachments: string, position: number): readonly number[] {
  const list = typeof attachments === 'string' ? wholeNumbers(attachments) : undefined;
  if (list === undefined || list.length % 2 !== 0) {
    throw corrupt("an event's list of documents isn't valid", { position });
  }
  return list;
}

/** How many documents a list has, before it is checked. */
export function attachmentsIn(list: unknown): number {
  if (typeof list !== 'string') return 0;
  let commas = 0;
  for (let at = list.indexOf(','); at >= 0; at = list.indexOf(',', at + 1)) commas += 1;
  return Math.ceil(commas / 2);
}

const [ZERO, NINE, COMMA] = [0x30, 0x39, 0x2c];

/** Reads `[1,23,4]`: whole numbers from 1. By hand: JSON.parse and a check take five times as long. */
function wholeNumbers(text: string): readonly number[] | undefined {
  const last = text.length - 1;
  if (text[0] !== '[' || text[last] !== ']') return undefined;
  const numbers: number[] = [];
  let number = 0;
  for (let index = 1; index < last; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit === COMMA && number > 0) {
      numbers.push(number);
      number = 0;
    } else if (unit >= ZERO && unit <= NINE && (number > 0 || unit > ZERO)) {
      number = number * 10 + (unit - ZERO);
      if (number > Number.MAX_SAFE_INTEGER) return undefined;
    } else return undefined;
  }
  if (number > 0) numbers.push(number);
  // Nothing, or a comma, before the bracket.
  else if (last > 1) return undefined;
  return numbers;
}
