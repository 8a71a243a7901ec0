/**
 * Marks: what a server writes in the place of the hash when it changes a set without moving it on. Each is there once, so whoever
 * has read the set before sees that it isn't as it was, and stores nothing that rests on that.
 *
 *     ff × 16, f and 31 hexadecimal digits    a server is making the set: nobody reads it
 *     ff × 16, 0 and 31 hexadecimal digits    documents that had failed were mended: it is as of its position, as any other set
 *
 * The next step that moves the set on writes a hash of the log again.
 */
import { Buffer } from 'node:buffer';
import { PLACE_MARK, type LogPoint } from '../../store/store.ts';
import type { Runtime } from '../runtime.ts';

const MAKING = `${PLACE_MARK}f`;
const MENDED = `${PLACE_MARK}0`;

type Randomness = Pick<Runtime, 'randomBytes'>;

function marked(mark: string, { randomBytes }: Randomness): string {
  return mark + Buffer.from(randomBytes()).toString('hex').slice(1);
}

export function makingAt(runtime: Randomness, { position }: Pick<LogPoint, 'position'>): LogPoint {
  return { position, hash: marked(MAKING, runtime) };
}

export function mendedAt(runtime: Randomness, { position }: Pick<LogPoint, 'position'>): LogPoint {
  return { position, hash: marked(MENDED, runtime) };
}

export function isBeingMade({ hash }: LogPoint): boolean {
  return hash.startsWith(PLACE_MARK) && !hash.startsWith(MENDED);
}

/** False where one isn't known. */
export function isSamePlace(one: LogPoint | undefined, other: LogPoint | undefined): boolean {
  return one !== undefined && one.position === other?.position && one.hash === other.hash;
}
