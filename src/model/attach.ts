/** Attaching: which documents of which collections an event belongs to. */
import { DomainOutdated, hasCode, InvalidEvent, LimitExceeded } from '../errors.ts';
import type { AnyEvent } from './event.ts';
import { describeFault, jsonFault } from './json.ts';
import { functionTypes, idFinder, keyFields, type DeclaredKey, type IdFinder, type KeyDefinition } from './key.ts';
import { thrown } from './foreign.ts';
import { idFault } from './id.ts';

/** What attaching needs of a collection. `functions` are there only if this application has the code. */
export interface Attachable {
  readonly name: string;
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
   * @throws InvalidEvent if a place for an id holds something else
   * @throws LimitExceeded if there are more documents than allowed
   */
  attach(event: AnyEvent): readonly Attachment[];
  /** The ids among an input's or event's top-level fields, by the names that keys use. */
  idFieldsOf(input: unknown): { readonly [field: string]: unknown };
  /** What is wrong with an id in a field that a key names for all event types; undefined if nothing is. */
  inputFault(input: unknown): { readonly path: string; readonly problem: string } | undefined;
}

/** @throws DomainOutdated if a key is a function that this application doesn't have */
export function attacher(collections: readonly Attachable[], attachmentsMax: number): Attacher {
  const sorted = [...collections].sort((a, b) => (a.name < b.name ? -1 : 1));
  const keys = sorted.map(({ name, key, functions }) => {
    const missing = functionTypes(key).filter((type) => !functions?.has(type));
    if (missing.length > 0) {
      throw new DomainOutdated(
        `The collection ${name} is registered with a key function for ${missing.join(', ')}, which this code doesn't have: deploy the code that defines it here, or declare the key as a path.`,
        { collection: name, types: missing },
      );
    }
    return { name, key: { declared: key, functions: functions ?? new Map() } };
  });
  type Finders = readonly { name: string; find: IdFinder }[];
  const finders = new Map<string, Finders>();
  const findersFor = (type: string): Finders => {
    let found = finders.get(type);
    if (!found) {
      found = keys.flatMap(({ name, key }) => {
        const find = idFinder(name, key, type);
        return find ? [{ name, find }] : [];
      });
      finders.set(type, found);
    }
    return found;
  };
  const named = new Set(sorted.flatMap(({ key }) => keyFields(key)));
  const always = new Set(sorted.flatMap(({ key }) => ('fields' in key ? key.fields : [])));

  return {
    attach(event) {
      const attachments: Attachment[] = [];
      for (const { name, find } of findersFor(event.type)) {
        for (const id of idsOf(find, event, name)) attachments.push({ collection: name, id });
      }
      if (attachments.length <= attachmentsMax) return attachments;
      throw new LimitExceeded(
        `The event ${event.type} is attached to ${attachments.length} documents; at most ${attachmentsMax} are allowed. Make several events of it.`,
        { type: event.type, attachments: attachments.length, max: attachmentsMax },
      );
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
      return undefined;
    },
  };
}

/** A key function is the user's code: an error names the function. */
function idsOf(find: IdFinder, event: AnyEvent, collection: string): readonly string[] {
  try {
    return find(event);
  } catch (cause) {
    if (hasCode(cause, 'InvalidEvent')) throw cause;
    throw new InvalidEvent(
      `The key function of collection ${collection} for ${event.type} threw ${thrown(cause)}.`,
      { collection, type: event.type },
      cause,
    );
  }
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
