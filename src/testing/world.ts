/** The documents of a test, and the rules that its commands are decided by. */
import { InvalidDefinition } from '../errors.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { attacher } from '../model/attach.ts';
import { collectionDefinition, type AnyCollection, type CollectionDefinition } from '../model/collection.ts';
import { commandDefinition, type AnyCommand, type CommandDefinition } from '../model/command.ts';
import type { Rules } from '../model/decide.ts';
import { definitionOf, type DomainDefinition } from '../model/event.ts';
import { makeEvent, makeUncheckedEvent, type MadeEvent } from '../model/make-event.ts';
import { reduce, unborn, type Folded } from '../model/reduce.ts';
import { listOf, optionsOf } from '../options.ts';

/** What is under test: collections, and commands whose failures are among the given events; in a list, or as for `open`. */
export type Parts =
  | readonly (AnyCollection | AnyCommand)[]
  | { readonly collections: readonly AnyCollection[]; readonly commands?: readonly AnyCommand[] };

/** An event that happened at a time; made by {@link at}. */
export interface TimedEvent {
  readonly time: number;
  readonly event: { readonly type: string };
}

export class World {
  readonly rules: Rules;
  readonly #domain: DomainDefinition;
  readonly collections = new Map<string, CollectionDefinition>();
  readonly #failureTypes: ReadonlySet<string>;
  readonly #documents = new Map<string, Folded>();
  readonly #broken = new Map<string, unknown>();
  #commands = 0;
  time = 0;

  constructor(parts: Parts) {
    const list: readonly object[] = Array.isArray(parts) ? parts : partsIn(parts);
    const commands: CommandDefinition[] = [];
    for (const part of list) {
      if ('ref' in part) {
        const definition = collectionDefinition(part);
        this.collections.set(definition.name, definition);
      } else commands.push(commandDefinition(part));
    }
    const [first] = [...this.collections.values(), ...commands];
    if (!first) throw new InvalidDefinition('given: pass the collections that are read or looked at.');
    this.#failureTypes = new Set(commands.map(({ failureType }) => failureType));
    this.#domain = first.domain;
    this.rules = {
      events: first.domain.events,
      attacher: attacher(
        [...this.collections.values()].map(({ name, key: { declared: key, functions } }) => {
          return { name, collection: name, isOwn: true, key, functions };
        }),
        { attachmentsMax: DEFAULT_LIMITS.eventAttachmentsMax, unattached: () => undefined },
      ),
      handled: new Set(),
      limits: DEFAULT_LIMITS,
    };
  }

  /** An event may have the name that its type is stored under. */
  record({ event: given, time }: TimedEvent): void {
    const renamed = definitionOf(this.#domain.stored, given.type);
    const event = renamed && renamed.type !== given.type ? { ...given, type: renamed.type } : given;
    const undeclared = !this.rules.events.has(event.type) && this.#failureTypes.has(event.type);
    this.apply([undeclared ? makeUncheckedEvent(event, this.rules) : makeEvent(event, this.rules)], time);
  }

  /** Folds events. If a reducer throws on one, its document can't be read from then on, as in an application. */
  apply(events: readonly MadeEvent[], time: number): void {
    this.time = Math.max(this.time, time);
    for (const { event, attachments } of events) {
      for (const { collection: name, id } of attachments) {
        const key = `${name}\0${id}`;
        if (this.#broken.has(key)) continue;
        const collection = this.collections.get(name)!;
        try {
          this.#documents.set(key, reduce(collection, id, this.document(collection, id), event, time));
        } catch (error) {
          this.#broken.set(key, error);
        }
      }
    }
  }

  /** @throws ReducerFailed if a reducer of a document that was read throws: then an application doesn't store the events */
  assertTaken(events: readonly MadeEvent[], read: ReadonlySet<string>, time: number): void {
    const folded = new Map<string, Folded>();
    for (const { event, attachments } of events) {
      for (const { collection: name, id } of attachments) {
        const key = `${name}\0${id}`;
        if (!read.has(key)) continue;
        const collection = this.collections.get(name)!;
        folded.set(key, reduce(collection, id, folded.get(key) ?? this.document(collection, id), event, time));
      }
    }
  }

  /** @throws ReducerFailed if it can't be folded */
  document(collection: CollectionDefinition, id: string): Folded {
    const key = `${collection.name}\0${id}`;
    if (this.#broken.has(key)) throw this.#broken.get(key);
    return this.#documents.get(key) ?? unborn(collection, id);
  }

  /** A part, itself or by its name. @throws InvalidDefinition if it isn't among the parts: nothing was folded for it */
  collection(asked: string | CollectionDefinition): CollectionDefinition {
    const name = typeof asked === 'string' ? asked : asked.name;
    const collection = this.collections.get(name);
    if (collection && (asked === name || asked === collection)) return collection;
    throw new InvalidDefinition(
      `given: the collection ${name} is asked for, but ${collection ? 'another of that name is' : 'not'} among the parts.`,
      {
        collection: name,
      },
    );
  }

  nextId(): string {
    return `given-when-expect-${(this.#commands += 1)}`;
  }
}

const objects = listOf((one, refuse) => (typeof one === 'object' && one !== null ? one : refuse('must hold objects')));
const PARTS = { collections: objects, commands: objects };

/** The parts, if they are given as for `open`. */
function partsIn(given: unknown): readonly object[] {
  type Named = Partial<Record<keyof typeof PARTS, readonly object[]>>;
  const { collections = [], commands = [] } = optionsOf<Named>('given', given, PARTS);
  return [...collections, ...commands];
}
