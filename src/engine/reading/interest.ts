/** What a follower wants of the log, and the waiting followers by what they want: an event touches no others. */
import type { DocumentRef, StoredEvent } from '../../store/store.ts';

/** The events of a document, of some types (as stored: they are checked again when shown), or all. */
export interface Interest {
  readonly document?: DocumentRef | undefined;
  readonly types?: ReadonlySet<string> | undefined;
}

export function concerns({ document, types }: Interest, { type, attachments }: StoredEvent): boolean {
  if (document === undefined) return types === undefined || types.has(type);
  return attachments.some(({ collection, id }) => id === document.id && collection === document.collection);
}

export class Audience<Listener extends { readonly interest: Interest }> {
  readonly #all = new Set<Listener>();
  readonly #byInterest = new Map<string, Set<Listener>>();
  /** How many listen to documents: an event may be attached to a thousand documents that nobody follows. */
  #ofDocuments = 0;

  get size(): number {
    return this.#all.size;
  }

  add(one: Listener): void {
    this.#all.add(one);
    if (one.interest.document) this.#ofDocuments += 1;
    for (const name of namesOf(one.interest)) {
      const group = this.#byInterest.get(name);
      if (group) group.add(one);
      else this.#byInterest.set(name, new Set([one]));
    }
  }

  delete(one: Listener): void {
    if (!this.#all.delete(one)) return;
    if (one.interest.document) this.#ofDocuments -= 1;
    for (const name of namesOf(one.interest)) {
      const group = this.#byInterest.get(name);
      group?.delete(one);
      if (group?.size === 0) this.#byInterest.delete(name);
    }
  }

  everybody(): readonly Listener[] {
    return [...this.#all];
  }

  /** The listeners that want this event, each once. */
  of({ type, attachments }: StoredEvent): readonly Listener[] {
    const found = [...(this.#byInterest.get(ALL) ?? []), ...(this.#byInterest.get(ofType(type)) ?? [])];
    if (this.#ofDocuments === 0) return found;
    for (const document of attachments) {
      for (const one of this.#byInterest.get(ofDocument(document)) ?? []) found.push(one);
    }
    return found;
  }
}

// Names, ids and types have no NUL in them (store.ts).
const ALL = '';
const ofType = (type: string): string => `\0${type}`;
const ofDocument = ({ collection, id }: DocumentRef): string => `${collection}\0${id}`;

function namesOf({ document, types }: Interest): readonly string[] {
  if (document) return [ofDocument(document)];
  return types ? Array.from(types, ofType) : [ALL];
}
