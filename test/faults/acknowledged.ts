/** What a server acknowledges of a command, said in a line: all that the log must then hold for ever. */
import type { Outcome } from 'tidemark';

export interface Acknowledged {
  readonly id: string;
  /** Of the last event. */
  readonly position: number;
  readonly status: 'succeeded' | 'failed';
  readonly reason?: string | undefined;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

export function acknowledged(id: string, { position, status, reason, events }: Outcome): Acknowledged {
  return { id, position, status, reason, events: events.map(({ event }) => event) };
}
