/** Comparing two states of a document that may be large: the event loop gets its turns meanwhile. */
import type { Pace } from '../pace.ts';

/** Parts compared between two looks at the clock. */
const PARTS_A_LOOK = 100;

/** Whether two states are the same JSON: the order of fields doesn't count. */
export async function isSameState(one: unknown, other: unknown, pace: Pace): Promise<boolean> {
  const open: unknown[] = [one, other];
  for (let parts = 1; open.length > 0; parts += 1) {
    const [left, right] = [open.pop(), open.pop()];
    if (!isSamePart(left, right, open)) return false;
    if (parts % PARTS_A_LOOK === 0 && pace.isOver()) await pace.turn();
  }
  return true;
}

/** Compares what isn't a part of a part; pairs of inner parts are added to `open`. */
function isSamePart(one: unknown, other: unknown, open: unknown[]): boolean {
  if (one === other) return true;
  if (!isPart(one) || !isPart(other) || Array.isArray(one) !== Array.isArray(other)) return false;
  const fields = Object.keys(one);
  if (fields.length !== Object.keys(other).length) return false;
  for (const field of fields) {
    if (!Object.hasOwn(other, field)) return false;
    const [left, right] = [one[field], other[field]];
    if (left === right) continue;
    if (!isPart(left)) return false;
    open.push(left, right);
  }
  return true;
}

function isPart(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
