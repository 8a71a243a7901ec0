/**
 * Whether a stored event still fits its schema: a schema that changed without a new version changes what readers are promised,
 * but not what is stored.
 */
import type { AnyEvent, EventDefinition } from '../../model/event.ts';
import { thrown } from '../../model/foreign.ts';
import { describeIssues, validate } from '../../model/schema.ts';

/** Why an event stored at the current version doesn't fit; undefined if it does. */
export function shapeProblem({ type, schema }: EventDefinition, event: AnyEvent): string | undefined {
  const { type: _, ...fields } = event;
  try {
    const checked = validate(schema, fields, 'event', type);
    if ('issues' in checked) return `its schema refuses it now: ${describeIssues(checked.issues)}`;
    return difference(checked.value, fields, '');
  } catch (error) {
    return `its schema can't look at it: ${thrown(error)}`;
  }
}

/**
 * Where a schema's output has another kind than what is stored, or has more; undefined if nowhere.
 *
 * What is stored was such an output already, and most transforms leave their own output as it is. Another value of the same kind
 * may come from a transform, so it isn't reported. Nor is a field that the schema leaves out: readers get more than promised.
 */
function difference(promised: unknown, stored: unknown, path: string): string | undefined {
  const [kind, was] = [kindOf(promised), kindOf(stored)];
  if (kind !== was) return `its schema makes ${kind} of ${path || 'its fields'}, which is stored as ${was}`;
  if (!isObject(promised) || !isObject(stored)) return undefined;
  for (const field of Object.keys(promised)) {
    const value = promised[field];
    if (value === undefined) continue;
    const inner = Array.isArray(promised) ? `${path}[${field}]` : `${path && `${path}.`}${field}`;
    if (!Object.hasOwn(stored, field))
      return `its schema promises ${inner}, which it doesn't have: a default is filled in only when an event is made`;
    const found = difference(value, stored[field], inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
