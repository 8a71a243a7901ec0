/**
 * Whether a stored event still is what its schema promises. A schema that changed while its version wasn't raised changes
 * what readers are promised, and not what is stored: events come out as they went in.
 */
import type { AnyEvent, EventDefinition } from '../../model/event.ts';
import { thrown } from '../../model/foreign.ts';
import { describeIssues, validate } from '../../model/schema.ts';

/** What is wrong with an event that was stored at the version that its definition has now; undefined if nothing is. */
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
 * Where a schema's output is of another kind than what is stored, or has what that lacks; undefined if nowhere.
 *
 * What is stored was a schema's output already. Most transforms leave their own output as it is (defaults, `trim`, small
 * letters, coercions), and others give another value of the same kind: so another value of the same kind may be a transform's,
 * and isn't reported, though it may also be what has changed (`trim` was added). Nor is a field that the schema leaves out:
 * readers get more than they are promised.
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
