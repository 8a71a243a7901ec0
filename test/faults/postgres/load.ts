/** What a server under load is told, and the commands that it makes up. */
import { parts as orderParts, order, orderOf } from '../orders.ts';
import { buy, openService, parts as placeParts } from '../places.ts';
import type { Random } from '../../support/seed.ts';

export interface LoadOptions {
  readonly url: string;
  readonly schema: string;
  readonly name: string;
  readonly seed: number;
  /** How many commands are under way at once. 6. */
  readonly callers?: number;
  /** How long the store waits: for a connection, for the lock and for an answer, in milliseconds. As it does by itself. */
  readonly waitMs?: number;
  /** For controls: the commit comes so long after its acknowledgement, in milliseconds. */
  readonly hastyMs?: number;
  /** For controls: a commit is acknowledged before it is on the disk. */
  readonly asynchronous?: boolean;
  /** For controls: what got no answer is sent again under another id. */
  readonly careless?: boolean;
}

export const SERVICES = 60;
export const PLACES = 12;

export const parts = {
  collections: [...orderParts.collections, ...placeParts.collections],
  commands: [order, openService, buy],
} as const;

export type Command =
  | { readonly command: typeof order; readonly input: ReturnType<typeof orderOf> }
  | { readonly command: typeof openService; readonly input: { readonly service_id: string; readonly places: number } }
  | {
      readonly command: typeof buy;
      readonly input: { service_id: string; buyer_id: string; wait_ms: number; burn_ms: number };
    };

export function serviceAt(number: number): string {
  return `service${number}`;
}

/** An order, or one of few places: every server wants the same. */
export function commandOf(id: string, random: Random): Command {
  if (random() < 0.6) return { command: order, input: orderOf(id, random) };
  const service_id = serviceAt(Math.floor(random() * SERVICES));
  return { command: buy, input: { service_id, buyer_id: id, wait_ms: random() * 2, burn_ms: random() * 0.3 } };
}
