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
    const found = difference(checked.value, fields);
    if (found === undefined) return undefined;
    const { path, promised, stored } = found;
    return stored === undefined
      ? `its schema promises ${path}, which it doesn't have: a default is filled in only when an event is made`
      : `its schema promises ${promised} at ${path}, and ${stored} is stored: nothing is converted that is stored already`;
  } catch (error) {
    return `its schema can't look at it: ${thrown(error)}`;
  }
}

interface Difference {
  readonly path: string;
  readonly promised: string;
  /** Undefined if nothing is stored there. */
  readonly stored: string | undefined;
}

/**
 * Where a schema's output has a field that the stored value lacks, or a value of another kind. Other differences may be
 * those of a transform, which looks here at what it gave before.
 */
function difference(promised: unknown, stored: unknown): Difference | undefined {
  if (promised === undefined) return undefined;
  if (kindOf(promised) !== kindOf(stored)) {
    return { path: '', promised: kindOf(promised), stored: stored === undefined ? undefined : kindOf(stored) };
  }
  if (!isObject(promised) || !isObject(stored)) return undefined;
  for (const field of Object.keys(promised)) {
    const inner = difference(promised[field], Object.hasOwn(stored, field) ? stored[field] : undefined);
    if (inner === undefined) continue;
    const step = Array.isArray(promised) ? `[${field}]` : field;
    return {
      ...inner,
      path: inner.path === '' || inner.path.startsWith('[') ? step + inner.path : `${step}.${inner.path}`,
    };
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
