/** The fields of an event where its schema tells them: most libraries can describe their schemas as JSON Schema. */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';

/** The names of all fields that a schema's output may have; undefined if it doesn't tell, or allows others as well. */
export function fieldsOfSchema(schema: StandardSchemaV1): ReadonlySet<string> | undefined {
  try {
    const { jsonSchema } = schema['~standard'] as Partial<StandardJSONSchemaV1['~standard']>;
    const names = namesIn(jsonSchema?.output({ target: 'draft-2020-12' }));
    return names && new Set(names);
  } catch {
    // A transform can't be described: then nothing is known, and nothing is checked.
    return undefined;
  }
}

type Described = { readonly [keyword: string]: unknown };

/** What may stand beside `properties` without more fields being allowed. */
const HARMLESS = new Set(['$schema', 'type', 'properties', 'required', 'additionalProperties', 'title', 'description']);
/** What may stand beside a choice of shapes. */
const OF_CHOICE = new Set(['$schema', 'oneOf', 'anyOf', 'title', 'description', 'discriminator']);

function namesIn(described: unknown): readonly string[] | undefined {
  if (typeof described !== 'object' || described === null) return undefined;
  const node = described as Described;
  const choice = node['oneOf'] ?? node['anyOf'];
  const known = choice === undefined ? HARMLESS : OF_CHOICE;
  if (!Object.keys(node).every((keyword) => known.has(keyword))) return undefined;
  if (Array.isArray(choice)) {
    const all = choice.map(namesIn);
    return all.includes(undefined) ? undefined : all.flatMap((names) => names ?? []);
  }
  const { properties } = node;
  if (node['additionalProperties'] !== false || typeof properties !== 'object' || properties === null) return undefined;
  return Object.keys(properties);
}
