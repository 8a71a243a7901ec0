/** Standard Schema (standardschema.dev): all that a validation library must offer. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { AsyncSchema } from '../errors.ts';
import { isPromise } from '../realm.ts';

/** The result of a schema. */
export type Validated = { readonly value: unknown } | { readonly issues: readonly Issue[] };

export interface Issue {
  readonly path: string;
  readonly message: string;
}

/**
 * A schema that checks nothing and gives a type, for events and inputs that are trusted or checked elsewhere.
 *
 * @example
 * ```ts
 * import { domain, type } from 'tidemark';
 *
 * const shop = domain({ events: { PRICE_CHANGED: type<{ sku: string; price: number }>() } });
 * ```
 */
export function type<T>(): StandardSchemaV1<T, T> {
  return { '~standard': { version: 1, vendor: 'tidemark', validate: (value) => ({ value: value as T }) } };
}

/** Whether a value is a Standard Schema of version 1. Some libraries' schemas are functions. */
export function isSchema(value: unknown): value is StandardSchemaV1 {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const standard = (value as Partial<StandardSchemaV1>)['~standard'];
  return standard?.version === 1 && typeof standard.validate === 'function';
}

/** Validates synchronously. Throws {@link AsyncSchema} for a promise, and whatever the schema throws. */
export function validate(schema: StandardSchemaV1, value: unknown, kind: 'command' | 'event', name: string): Validated {
  const result = schema['~standard'].validate(value);
  if (isPromise(result)) {
    // Zod also ends here where a transform or refinement throws: it tries once more, asynchronously.
    throw new AsyncSchema(
      `The schema of ${kind} ${name} answered with a promise: it is asynchronous, or a function in it threw. Make it synchronous; look things up in prepare.`,
      { of: `${kind} ${name}` },
    );
  }
  const settled = result as StandardSchemaV1.Result<unknown>;
  if (!settled.issues) return { value: settled.value };
  return { issues: settled.issues.map(({ message, path }) => ({ message, path: pathText(path) })) };
}

function pathText(path: StandardSchemaV1.Issue['path']): string {
  let text = '';
  for (const step of path ?? []) {
    const key = typeof step === 'object' ? step.key : step;
    text += typeof key === 'number' ? `[${key}]` : `${text === '' ? '' : '.'}${String(key)}`;
  }
  return text;
}

/** Issues in a message: the first three, each with its path. */
export function describeIssues(issues: readonly Issue[]): string {
  const shown = issues.slice(0, 3).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  return shown.join('; ') + (issues.length > 3 ? `; and ${issues.length - 3} more` : '');
}
