/** Which event types the log has held. */
import { lowerBound, pageRows } from '../../page-bounds.ts';
import type { HeldType, LogEnd, TypesRange } from '../../store.ts';
import type { Log } from '../schema.ts';

/** Takes in an event that is stored. */
export function addType({ types }: Log, type: string, position: number, succeeded: boolean): void {
  const held = types.get(type);
  if (held !== undefined && (held.succeeded !== undefined || !succeeded)) return;
  types.set(
    type,
    Object.freeze({ type, position: held?.position ?? position, ...(succeeded && { succeeded: position }) }),
  );
}

/** Forgets what came above a position. */
export function dropTypes({ types }: Log, position: number): void {
  for (const held of types.values()) {
    if (held.position > position) types.delete(held.type);
    else types.set(held.type, upTo(held, position));
  }
}

export function types(log: Log, end: LogEnd, { after, limit }: TypesRange): readonly HeldType[] {
  const from = lowerBound(after);
  return [...log.types.values()]
    .filter(({ position }) => position > from && position <= end.position)
    .slice(0, pageRows(limit))
    .map((held) => upTo(held, end.position));
}

/** As it was when the log ended at a position. */
function upTo(held: HeldType, end: number): HeldType {
  const { type, position, succeeded } = held;
  return succeeded === undefined || succeeded <= end ? held : Object.freeze({ type, position });
}
