/** What identifies a document: its id, or the fields that its collection's template makes the id of. */
import { InvalidInput } from '../errors.ts';
import { assertedId } from './id.ts';
import { fieldSet, type KeyDefinition } from './key.ts';
import { templateIds, type Template } from './template.ts';

/**
 * The id of a document, given as it is or by the fields of a template: the id that the key finds in an event with these fields.
 *
 * @throws InvalidInput if it is neither, or an id can't be made of the fields
 */
export function documentId(
  { name, key }: { readonly name: string; readonly key: Pick<KeyDefinition, 'templates'> },
  given: unknown,
): string {
  const { templates } = key;
  if (templates.length === 0 || typeof given !== 'object' || given === null) return assertedId(name, given as string);
  // Each field is read once: it may be a getter.
  const values: { readonly [field: string]: unknown } = { ...given };
  const fields = Object.keys(values).filter((field) => values[field] !== undefined);
  const template = templates.find((one) => fieldSet(one.fields) === fieldSet(fields));
  if (!template) throw otherFields(name, templates, fields);
  const wrong = (path: string, problem: string): InvalidInput =>
    new InvalidInput(`The id of a document of ${name}: ${path} ${problem}.`, { collection: name, path });
  const found = templateIds(template, (field) => {
    const value = values[field];
    // Ids of events may be made of an array: a document has one id.
    if (typeof value !== 'string') throw wrong(field, `must be a string, not ${kindOf(value)}`);
    return value;
  });
  if ('problem' in found) throw wrong(found.field, found.problem);
  return found[0]!;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : typeof value;
}

/** The most fields that a message names. */
const NAMED_MAX = 10;

function otherFields(collection: string, templates: readonly Template[], fields: readonly string[]): InvalidInput {
  const asked = templates.map((template) => `{ ${template.fields.join(', ')} }`).join(' or ');
  const shown = fields.slice(0, NAMED_MAX).map((field) => field.slice(0, 100));
  const more = fields.length > NAMED_MAX ? ', …' : '';
  const given = fields.length === 0 ? 'no fields' : `{ ${shown.join(', ')}${more} }`;
  return new InvalidInput(`A document of ${collection} is asked for by its id, or by ${asked}, not by ${given}.`, {
    collection,
    path: 'id',
  });
}
