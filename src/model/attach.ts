/** Attaching: which documents of which collections an event concerns. */
import { DomainOutdated, hasCode, InvalidEvent, LimitExceeded } from '../errors.ts';
import type { AnyEvent } from './event.ts';
import { describeFault, jsonFault } from './json.ts';
import { functionTypes, idFinder, keyFields, type DeclaredKey, type IdFinder, type KeyDefinition } from './key.ts';
import { thrown } from './foreign.ts';
import { idFault } from './id.ts';

/** A collection as far as attaching needs it. `functions` are there only if this application has its code. */
export interface Attachable {
  readonly name: string;
  readonly key: DeclaredKey;
  readonly functions?: KeyDefinition['functions'] | undefined;
}

export interface Attachment {
  readonly collection: string;
  readonly id: string;
}

/** Attaches events for a fixed set of collections, known to this application's code or only registered. */
export interface Attacher {
  /**
   * The documents that an event is attached to: collections by name, ids as found.
   *
   * @throws InvalidEvent if something that is no id stands where one is looked for
   * @throws LimitExceeded if it concerns more documents than allowed
   */
  attach(event: AnyEvent): readonly Attachment[];
  /** The ids among an input's or event's top-level fields, by the names that keys use. */
  idFieldsOf(input: unknown): { readonly [field: string]: unknown };
  /** What is wrong with an id in a field that a key names whatever the event's type; undefined if nothing is. */
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
  const finders = new Map<string, readonly { name: string; find: IdFinder }[]>();
  const findersFor = (type: string): readonly { name: string; find: IdFinder }[] => {
    const known = finders.get(type);
    if (known) return known;
    const made = keys.flatMap(({ name, key }) => {
      const find = idFinder(name, key, type);
      return find ? [{ name, find }] : [];
    });
    finders.set(type, made);
    return made;
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
        `The event ${event.type} concerns ${attachments.length} documents; at most ${attachmentsMax} are allowed. Make several events of it.`,
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

/** A key function is the user's: what it throws is named, and what it was about. */
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

/** What an input has in a field of its own that is one of the names; undefined if nothing. */
function fieldIn(input: unknown, field: string, names: ReadonlySet<string>): unknown {
  if (!names.has(field) || !Object.hasOwn(input as object, field)) return undefined;
  return (input as Record<string, unknown>)[field] ?? undefined;
}

function keyValueFault(value: unknown): string | undefined {
  if (!Array.isArray(value)) return idFault(value);
  for (const item of value) {
    const problem = item === null || item === undefined ? undefined : idFault(item);
    if (problem) return `in its array an id ${problem}`;
  }
  const fault = jsonFault(value);
  return fault && describeFault(fault);
}
