/**
 * Whether a stored event still is what its schema promises. A schema that changed while its version wasn't raised changes
 * what readers are promised, and not what is stored: events come out as they went in.
 */
import type { AnyEvent, EventDefinition } from '../model/event.ts';
import { thrown } from '../model/foreign.ts';
import { describeIssues, validate } from '../model/schema.ts';

/** What is wrong with an event that was stored at the version that its definition has now; undefined if nothing is. */
export function shapeProblem({ type, schema }: EventDefinition, event: AnyEvent): string | undefined {
  const { type: _, ...fields } = event;
  try {
    const checked = validate(schema, fields, 'event', type);
    if ('issues' in checked) return `its schema refuses it now: ${describeIssues(checked.issues)}`;
    const path = missing(checked.value, fields);
    return (
      path && `its schema promises ${path}, which it doesn't have: a default is filled in only when an event is made`
    );
  } catch (error) {
    return `its schema can't look at it: ${thrown(error)}`;
  }
}

/** The path to a field that a schema's output has and the stored value lacks. Other differences may be a transform's. */
function missing(promised: unknown, stored: unknown): string | undefined {
  if (!isObject(promised) || !isObject(stored)) return undefined;
  for (const field of Object.keys(promised)) {
    const value = promised[field];
    if (value === undefined) continue;
    if (!Object.hasOwn(stored, field)) return field;
    const inner = missing(value, stored[field]);
    if (inner !== undefined) return Array.isArray(promised) ? `[${field}].${inner}` : `${field}.${inner}`;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
