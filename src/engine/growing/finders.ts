/** Finding the ids in stored events for which a keying is filled. */
import { hasCode, InvalidDefinition } from '../../errors.ts';
import { registeredKey } from '../../model/attach.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import { definitionOf, type AnyEvent } from '../../model/event.ts';
import { idFinder, type IdFinder } from '../../model/find-ids.ts';
import { thrown } from '../../model/foreign.ts';
import type { Keying, ScannedEvent } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { AS_STORED, eventFromStore, placed } from '../reading/recorded.ts';
import { functionsFor } from '../registry/membership.ts';

/**
 * Finds ids in stored events by a collection's key as it is registered: a newer release may have added event types that this code
 * doesn't know. Keys see events as they were stored.
 */
export class Finders {
  readonly #core: Core;
  readonly #collection: string;
  readonly #key: Parameters<typeof idFinder>[1];
  readonly #finders = new Map<string, IdFinder | undefined>();

  /** @throws DomainOutdated if a function finds ids that this code doesn't have */
  constructor(core: Core, code: CollectionDefinition, keying: Keying) {
    this.#core = core;
    this.#collection = code.name;
    const { collection, key } = keying;
    this.#key = registeredKey({ collection, key, functions: functionsFor(keying, code) });
  }

  /** What is no id attaches nothing. @throws InvalidDefinition if an upcast changes the ids, or a key function throws; UpcastFailed */
  idsOf(stored: ScannedEvent): readonly string[] {
    const { type, time, schemaVersion, position } = stored;
    const find = this.#finder(type);
    if (!find) return [];
    const ids = this.#find(find, eventFromStore(AS_STORED, stored, time), stored);
    const definition = definitionOf(this.#core.events, type);
    if (!definition || schemaVersion >= definition.version) return ids;
    const upcast = this.#upcast(stored);
    const now = upcast.type === definition.type ? this.#find(find, upcast, stored) : ids;
    if (JSON.stringify([...now].sort()) === JSON.stringify([...ids].sort())) return ids;
    throw changedIds(this.#collection, stored, position, ids, now);
  }

  #finder(type: string): IdFinder | undefined {
    if (!this.#finders.has(type)) {
      this.#finders.set(type, idFinder(this.#collection, this.#key, type));
    }
    return this.#finders.get(type);
  }

  #upcast(stored: ScannedEvent): AnyEvent {
    try {
      return eventFromStore(this.#core.events, stored, stored.time);
    } catch (error) {
      throw placed(error, stored.position, []);
    }
  }

  #find(find: IdFinder, event: AnyEvent, stored: ScannedEvent): readonly string[] {
    try {
      return find(event);
    } catch (error) {
      if (!hasCode(error, 'InvalidEvent')) throw hasThrown(this.#collection, stored, error);
      this.#core.unattached.count += 1;
      return [];
    }
  }
}

/** Events aren't left out because of it: that may be a defect, and nobody would see that documents lack them. */
function hasThrown(collection: string, { type, position }: ScannedEvent, cause: unknown): InvalidDefinition {
  return new InvalidDefinition(
    `The key function of the collection ${collection} for ${type} can't attach the event at position ${position}: it threw ` +
      `${thrown(cause)}. It must take every event of its type that the log holds: mend it, let it return undefined where an event ` +
      'belongs to no document, and open again.',
    { collection, type, position },
    cause,
  );
}

function changedIds(
  collection: string,
  { type, schemaVersion }: ScannedEvent,
  position: number,
  stored: readonly string[],
  upcast: readonly string[],
): InvalidDefinition {
  return new InvalidDefinition(
    `The upcast of ${type} from version ${schemaVersion} changes what the key of ${collection} finds: the event at position ` +
      `${position} has ${JSON.stringify(stored.slice(0, 5))}, and ${JSON.stringify(upcast.slice(0, 5))} after the upcast. Keys see ` +
      'events as they were stored: an upcast must not change ids.',
    { collection, type, schemaVersion, position },
  );
}
