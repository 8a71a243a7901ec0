/** The last events of the log's tail, for all who follow it: each is made readable once, when the first asks for it. */
import type { StoredEvent } from '../../store/store.ts';
import { recorded, type EventDefinitions, type RecordedEvent } from './recorded.ts';

export class KeptEvent {
  readonly stored: StoredEvent;
  readonly #definitions: EventDefinitions;
  #made: { readonly event: RecordedEvent } | { readonly error: unknown } | undefined;

  constructor(definitions: EventDefinitions, stored: StoredEvent) {
    this.#definitions = definitions;
    this.stored = stored;
  }

  get position(): number {
    return this.stored.position;
  }

  /** Frozen, and the same for all. @throws what keeps it from being read, for each who wants it */
  recorded(): RecordedEvent {
    this.#made ??= this.#make();
    if ('error' in this.#made) throw this.#made.error;
    return this.#made.event;
  }

  #make(): { readonly event: RecordedEvent } | { readonly error: unknown } {
    try {
      return { event: recorded(this.#definitions, this.stored) };
    } catch (error) {
      return { error };
    }
  }
}

/** An attachment is an object with an id of its own. */
const ATTACHMENT_UNITS = 100;

/** Events without a gap, up to where the log was read; the oldest go once there are too many. */
export class KeptEvents {
  readonly #eventsMax: number;
  readonly #unitsMax: number;
  #events: KeptEvent[] = [];
  /** What they weigh: UTF-16 code units of their texts, and what their attachments take up as well. */
  #units = 0;
  #reached: number;

  /** @param unitsMax UTF-16 code units of all their texts; an attachment counts as 100 */
  constructor(reached: number, { eventsMax, unitsMax }: { readonly eventsMax: number; readonly unitsMax: number }) {
    this.#reached = reached;
    this.#eventsMax = eventsMax;
    this.#unitsMax = unitsMax;
  }

  /** The position up to which the log was read. */
  get reached(): number {
    return this.#reached;
  }

  /** Whether all events after a position are kept. */
  hasAllAfter(position: number): boolean {
    return position >= this.#reached - this.#events.length;
  }

  /** The first after a position that is asked for. All after it must be kept. */
  find(position: number, wanted: (event: StoredEvent) => boolean): KeptEvent | undefined {
    const { length } = this.#events;
    for (let index = length - (this.#reached - position); index < length; index += 1) {
      if (wanted(this.#events[index]!.stored)) return this.#events[index];
    }
    return undefined;
  }

  /** Takes in the events that come next. */
  add(events: readonly KeptEvent[]): void {
    for (const event of events) {
      this.#events.push(event);
      this.#units += weightOf(event);
    }
    this.#reached += events.length;
    let over = 0;
    while (this.#events.length - over > this.#eventsMax || this.#units > this.#unitsMax) {
      this.#units -= weightOf(this.#events[over]!);
      over += 1;
    }
    if (over > 0) this.#events.splice(0, over);
  }
}

function weightOf({ stored: { json, attachments } }: KeptEvent): number {
  return json.length + ATTACHMENT_UNITS * attachments.length;
}
