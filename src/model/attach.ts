/** Attaching: which documents of which collections an event belongs to. */
import { DomainOutdated, hasCode, InvalidEvent, LimitExceeded } from '../errors.ts';
import type { AnyEvent } from './event.ts';
import { describeFault, jsonFault } from './json.ts';
import { idFinder, type IdFinder } from './find-ids.ts';
import { functionTypes, keyFields, type DeclaredKey, type KeyDefinition } from './key.ts';
import { thrown } from './foreign.ts';
import { idFault } from './id.ts';
import { templateIds, templateOf } from './template.ts';

/** What attaching needs of a collection. `functions` are there only if this application has the code. */
export interface Attachable {
  /** What its documents are attached as. */
  readonly name: string;
  /** Its name in messages. */
  readonly collection: string;
  /** Whether it is of this code. What no id is in the key of another release attaches nothing. */
  readonly isOwn: boolean;
  readonly key: DeclaredKey;
  readonly functions?: KeyDefinition['functions'] | undefined;
}

export interface Attachment {
  readonly collection: string;
  readonly id: string;
}

/** Attaches events to documents of a fixed set of collections, which this code knows or only the registry does. */
export interface Attacher {
  /**
   * The documents of an event: collections by name, ids as found.
   *
   * @param stored the name under which its type is stored, if it has another one in code
   * @throws InvalidEvent if a place for an id holds something else
   * @throws LimitExceeded if there are more documents than allowed
   */
  attach(event: AnyEvent, stored?: string): readonly Attachment[];
  /** How many of them are of this code's own collections: only these count where a limit says how many there may be. */
  ownAmong(attachments: readonly Attachment[]): number;
  /** The ids among an input's or event's top-level fields, by the names that keys use. */
  idFieldsOf(input: unknown): { readonly [field: string]: unknown };
  /** What is wrong with an id in a field that an own key names for all event types; undefined if nothing is. */
  inputFault(input: unknown): { readonly path: string; readonly problem: string } | undefined;
}

export interface AttachingOptions {
  /** The most documents of own collections that an event may be attached to. */
  readonly attachmentsMax: number;
  /** Told when an event isn't attached as a key of another release finds something that is no id. */
  readonly unattached: (collection: string) => void;
}

/** A key as it is registered, with the functions that it names. @throws DomainOutdated if this application doesn't have one of them */
export function registeredKey({
  collection,
  key,
  functions,
}: Pick<Attachable, 'collection' | 'key' | 'functions'>): Pick<KeyDefinition, 'declared' | 'functions'> {
  const types = functionTypes(key);
  const missing = types.filter((type) => !functions?.has(type));
  if (missing.length > 0) {
    throw new DomainOutdated(
      `The collection ${collection} is registered with a key function for ${missing.join(', ')}, which this code doesn't have: deploy the code that defines it here, or retire that definition (open's option retired).`,
      { collection, types: missing },
    );
  }
  // Where another definition's key is declared, a function of this code says nothing.
  return { declared: key, functions: new Map(types.map((type) => [type, functions!.get(type)!])) };
}

/** @throws DomainOutdated if a key is a function that this application doesn't have */
export function attacher(
  collections: readonly Attachable[],
  { attachmentsMax, unattached }: AttachingOptions,
): Attacher {
  const sorted = [...collections].sort((a, b) => (a.name < b.name ? -1 : 1));
  const keys = sorted.map(({ name, isOwn, ...registered }) => {
    return { name, collection: registered.collection, isOwn, key: registeredKey(registered) };
  });
  type Finders = readonly { name: string; collection: string; isOwn: boolean; find: IdFinder }[];
  const finders = new Map<string, Finders>();
  const findersFor = (type: string): Finders => {
    let found = finders.get(type);
    if (!found) {
      found = keys.flatMap(({ name, collection, isOwn, key }) => {
        const find = idFinder(collection, key, type);
        return find ? [{ name, collection, isOwn, find }] : [];
      });
      finders.set(type, found);
    }
    return found;
  };
  const named = new Set(sorted.flatMap(({ key }) => keyFields(key)));
  const ownNames = new Set(sorted.flatMap(({ name, isOwn }) => (isOwn ? [name] : [])));
  const isAllOwn = ownNames.size === sorted.length;
  // What another release takes for an id may be anything here.
  const ofAllTypes = sorted.flatMap(({ key, isOwn }) => (isOwn && 'fields' in key ? [key] : []));
  const always = new Set(ofAllTypes.flatMap(keyFields));
  const templates = ofAllTypes.flatMap(({ fields }) =>
    fields.flatMap((place) => (typeof place === 'string' ? [] : [templateOf(place.template)])),
  );

  return {
    attach(event, stored = event.type) {
      const attachments: Attachment[] = [];
      let own = 0;
      for (const { name, collection, isOwn, find } of findersFor(stored)) {
        const ids = isOwn ? idsOf(find, event, collection) : foreignIds(find, event, collection, unattached);
        if (isOwn) own += ids.length;
        for (const id of ids) attachments.push({ collection: name, id });
      }
      if (own <= attachmentsMax) return attachments;
      throw new LimitExceeded(
        `The event ${event.type} is attached to ${own} documents; at most ${attachmentsMax} are allowed. Make several events of it.`,
        { type: event.type, attachments: own, max: attachmentsMax },
      );
    },
    ownAmong(attachments) {
      if (isAllOwn) return attachments.length;
      return attachments.reduce((count, { collection }) => (ownNames.has(collection) ? count + 1 : count), 0);
    },
    idFieldsOf(input) {
      const ids: Record<string, unknown> = {};
      for (const field in fieldsOf(input)) {
        const value = fieldIn(input, field, named);
        if (value !== undefined && !keyValueFault(value)) ids[field] = value;
      }
      return ids;
    },
    inputFault(input) {
      for (const field in fieldsOf(input)) {
        const value = fieldIn(input, field, always);
        const problem = value === undefined ? undefined : keyValueFault(value);
        if (problem) return { path: field, problem };
      }
      // Each field may be well, and what is made of them too long.
      for (const template of templates) {
        const found = templateIds(template, (field) => fieldIn(fieldsOf(input), field, always));
        if ('problem' in found) return { path: found.field, problem: found.problem };
      }
      return undefined;
    },
  };
}

/** The ids that a key of another release finds: none if there is something else in their place. */
function foreignIds(
  find: IdFinder,
  event: AnyEvent,
  collection: string,
  unattached: AttachingOptions['unattached'],
): readonly string[] {
  try {
    return find(event);
  } catch (error) {
    // Events aren't left out because a function throws: that may be a defect.
    if (!hasCode(error, 'InvalidEvent')) throw hasThrown(error, event, collection);
    unattached(collection);
    return [];
  }
}

/** A key function is the user's code: an error names the function. */
function idsOf(find: IdFinder, event: AnyEvent, collection: string): readonly string[] {
  try {
    return find(event);
  } catch (cause) {
    throw hasCode(cause, 'InvalidEvent') ? cause : hasThrown(cause, event, collection);
  }
}

function hasThrown(cause: unknown, { type }: AnyEvent, collection: string): InvalidEvent {
  const message = `The key function of collection ${collection} for ${type} threw ${thrown(cause)}.`;
  return new InvalidEvent(message, { collection, type }, cause);
}

function fieldsOf(input: unknown): object {
  return typeof input === 'object' && input !== null ? input : {};
}

/** The value of an own field that is one of the names; undefined if there is none. */
function fieldIn(input: unknown, field: string, names: ReadonlySet<string>): unknown {
  if (!names.has(field) || !Object.hasOwn(input as object, field)) return undefined;
  return (input as Record<string, unknown>)[field] ?? undefined;
}

function keyValueFault(value: unknown): string | undefined {
  if (!Array.isArray(value)) return idFault(value);
  for (const item of value) {
    const problem = item === null || item === undefined ? undefined : idFault(item);
    if (problem) return problem;
  }
  const fault = jsonFault(value);
  return fault && describeFault(fault);
}
