/** The last events of the log, for all followers: each is made readable once, when it is first asked for. */
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

  /** Frozen, and the same for all. @throws why it can't be read, to each that wants it */
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

/** The weight of an attachment: it is an object with an id of its own. */
const ATTACHMENT_UNITS = 100;

/** Events without a gap, up to where the log was read; the oldest go when there are too many. */
export class KeptEvents {
  readonly #eventsMax: number;
  readonly #unitsMax: number;
  #events: KeptEvent[] = [];
  /** Their weight: UTF-16 code units of their texts, and of their attachments. */
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

  hasAllAfter(position: number): boolean {
    return position >= this.#reached - this.#events.length;
  }

  /** The first wanted event after a position. All events after it must be kept. */
  find(position: number, wanted: (event: StoredEvent) => boolean): KeptEvent | undefined {
    const { length } = this.#events;
    for (let index = length - (this.#reached - position); index < length; index += 1) {
      if (wanted(this.#events[index]!.stored)) return this.#events[index];
    }
    return undefined;
  }

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
