/** The event types that the log has held. */
import { lowerBound, pageRows } from '../../page-bounds.ts';
import type { HeldType, LogEnd, TypesRange } from '../../store.ts';
import type { Log } from '../schema.ts';

export class Types {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  types(end: LogEnd, { after, limit }: TypesRange): readonly HeldType[] {
    const from = lowerBound(after);
    return [...this.#log.types.values()]
      .filter(({ position }) => position > from && position <= end.position)
      .slice(0, pageRows(limit))
      .map((held) => upTo(held, end.position));
  }

  add(type: string, position: number, succeeded: boolean): void {
    const { types } = this.#log;
    const held = types.get(type);
    if (held !== undefined && (held.succeeded !== undefined || !succeeded)) return;
    const first = held?.position ?? position;
    types.set(type, Object.freeze({ type, position: first, ...(succeeded && { succeeded: position }) }));
  }

  /** Forgets what came after a position. */
  drop(position: number): void {
    const { types } = this.#log;
    for (const held of types.values()) {
      if (held.position > position) types.delete(held.type);
      else types.set(held.type, upTo(held, position));
    }
  }
}

/** As it was when the log ended at a position. */
function upTo(held: HeldType, end: number): HeldType {
  const { type, position, succeeded } = held;
  return succeeded === undefined || succeeded <= end ? held : Object.freeze({ type, position });
}
