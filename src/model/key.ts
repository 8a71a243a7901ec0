/** Keys: where a collection finds the ids of its documents in an event, as it is declared. */
import { InvalidDefinition } from '../errors.ts';
import type { AnyEvent, EventDefinition } from './event.ts';
import { FAILURE_FIELDS } from './failure.ts';
import { nameFault } from './id.ts';
import { isTemplate, templateFault, templateOf, type Template } from './template.ts';

/** A field, a path to one, or a template. The last is an object, which releases that don't know templates refuse. */
export type DeclaredPlace = string | { readonly template: string };

/**
 * A key in the registry: another program can attach by it without the user's code, unless it is a function. A map speaks the
 * names under which event types are stored.
 */
export type DeclaredKey =
  | { readonly fields: readonly DeclaredPlace[] }
  | { readonly types: { readonly [type: string]: readonly DeclaredPlace[] | 'function' } };

type KeyFunction = (event: AnyEvent) => unknown;

/** A key after it was checked. */
export interface KeyDefinition {
  readonly declared: DeclaredKey;
  /** By the names under which their event types are stored. */
  readonly functions: ReadonlyMap<string, KeyFunction>;
  /** Its templates: no two of them have the same fields. */
  readonly templates: readonly Template[];
}

/** The event types that a key may name: what is needed of them. */
type KnownTypes = ReadonlyMap<string, Pick<EventDefinition, 'stored' | 'fields'>>;

/** Checks a collection's key and brings it into its declared form. */
export function defineKey(collection: string, key: unknown, types: KnownTypes): KeyDefinition {
  const wrong = (problem: string): never => {
    throw new InvalidDefinition(`Collection ${collection}: key ${problem}.`, { collection });
  };
  const templates = new Map<string, Template>();
  if (typeof key === 'string' || Array.isArray(key)) {
    const fields = placesOf(key, '', templates, wrong);
    const names = new Set(fields.flatMap(fieldsIn));
    const taken = FAILURE_FIELDS.find((field) => names.has(field));
    if (taken) wrong(`must not be the field ${taken}, which every failure has itself. Give your field another name`);
    for (const template of templates.values()) {
      if (![...types.values()].some((type) => mayHave(type, template.fields))) {
        wrong(`has the template ${JSON.stringify(template.text)}, but no event of the domain has all its fields`);
      }
    }
    return { declared: { fields }, functions: new Map(), templates: [...templates.values()] };
  }
  if (typeof key !== 'object' || key === null)
    wrong('must be a field name, a template, several, or a map from event type');

  const functions = new Map<string, KeyFunction>();
  const places = new Map<string, readonly DeclaredPlace[] | 'function'>();
  for (const type of Object.keys(key as object)) {
    const known = types.get(type);
    if (!known) return wrong(`names the event type ${JSON.stringify(type)}, which the domain doesn't have`);
    const value = (key as Record<string, unknown>)[type];
    if (value === undefined) continue;
    if (typeof value === 'function') functions.set(known.stored, value as KeyFunction);
    const declared = typeof value === 'function' ? 'function' : placesOf(value, `for ${type} `, templates, wrong);
    for (const place of declared === 'function' ? [] : declared) {
      if (typeof place === 'string') parsePath(place, wrong);
      else {
        const missing = fieldsIn(place).find((field) => !mayHave(known, [field]));
        if (missing !== undefined)
          wrong(`for ${type} has the template ${place.template}, but ${type} has no field ${missing}`);
      }
    }
    places.set(known.stored, declared);
  }
  const declared = Object.fromEntries([...places].sort(([one], [other]) => (one < other ? -1 : 1)));
  return { declared: { types: declared }, functions, templates: [...templates.values()] };
}

/** Whether events of a type may have all these fields: their schema says so, or doesn't tell. */
function mayHave({ fields: tell }: Pick<EventDefinition, 'fields'>, fields: readonly string[]): boolean {
  const known = tell();
  return known === undefined || fields.every((field) => known.has(field));
}

/** Whether a key may attach events of a type. */
export function mayAttach(key: DeclaredKey, type: Pick<EventDefinition, 'stored' | 'fields'>): boolean {
  if ('fields' in key) return key.fields.some((place) => mayHave(type, fieldsIn(place)));
  return Object.hasOwn(key.types, type.stored);
}

/** Fields, paths and templates, each once, in the order of their texts. */
function placesOf(
  value: unknown,
  what: string,
  templates: Map<string, Template>,
  wrong: (problem: string) => never,
): readonly DeclaredPlace[] {
  const list: unknown = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list)) return wrong(`${what}must be a field name or several, or a template`);
  const texts = new Set<string>();
  for (const text of list as unknown[]) {
    if (typeof text === 'string' && isTemplate(text)) addTemplate(text, what, templates, wrong);
    else {
      const fault = nameFault(text) ?? (text === 'type' ? 'is the event’s type, not an id' : undefined);
      if (fault) wrong(`${what}has ${JSON.stringify(text)}, which ${fault}`);
    }
    texts.add(text as string);
  }
  if (texts.size === 0) wrong(`${what}must be a field name or several, or a template`);
  return [...texts].sort().map((text) => (isTemplate(text) ? { template: text } : text));
}

/** Fields make one id, however they are asked for: so a second template of the same fields must be the same. */
function addTemplate(
  text: string,
  what: string,
  templates: Map<string, Template>,
  wrong: (problem: string) => never,
): void {
  const template = templateOf(text);
  const fault = templateFault(template);
  if (fault) wrong(`${what}has the template ${JSON.stringify(text)}, which ${fault}`);
  const fields = fieldSet(template.fields);
  const same = templates.get(fields);
  if (same && same.text !== text) {
    wrong(
      `has the templates ${same.text} and ${text}: the same fields would make two ids. Write one of them everywhere`,
    );
  }
  templates.set(fields, template);
}

/** The same text for the same fields, in whichever order. */
export function fieldSet(fields: readonly string[]): string {
  return [...fields].sort().join('}');
}

/** Where a key looks in events of a type, as it is stored; undefined if it finds nothing in them. */
export function keyFor(key: DeclaredKey, type: string): readonly DeclaredPlace[] | 'function' | undefined {
  if ('fields' in key) return key.fields;
  return Object.hasOwn(key.types, type) ? key.types[type] : undefined;
}

/** The event types whose key is a function. */
export function functionTypes(key: DeclaredKey): readonly string[] {
  return 'fields' in key ? [] : Object.keys(key.types).filter((type) => key.types[type] === 'function');
}

/** The top-level field names in a key: a failure's ids are taken from these fields of the input. */
export function keyFields(key: DeclaredKey): readonly string[] {
  if ('fields' in key) return key.fields.flatMap(fieldsIn);
  return Object.values(key.types).flatMap((places) =>
    places === 'function' ? [] : places.filter(isOfFields).flatMap(fieldsIn),
  );
}

/** Whether it is a field or a template, not a path. */
function isOfFields(place: DeclaredPlace): boolean {
  return typeof place !== 'string' || !/[.[]/.test(place);
}

function fieldsIn(place: DeclaredPlace): readonly string[] {
  return typeof place === 'string' ? [place] : templateOf(place.template).fields;
}

/** `lines[].sku` → the fields to follow; `each` marks an array. */
export interface Step {
  readonly field: string;
  readonly each: boolean;
}

export function parsePath(path: string, wrong?: (problem: string) => never): readonly Step[] {
  return path.split('.').map((part) => {
    const each = part.endsWith('[]');
    const field = each ? part.slice(0, -2) : part;
    if (wrong && (field === '' || field.includes('['))) {
      wrong(`has the path ${JSON.stringify(path)}: write it like lines[].sku`);
    }
    return { field, each };
  });
}
