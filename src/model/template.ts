/**
 * Templates: an id made of several fields, `'{room_id}/{day}'`. No two sets of values make the same id: within a value `/`, `{`,
 * `}` and `%` are percent-encoded, and a `/` stands between any two of them.
 */
import { idFault, nameFault } from './id.ts';

/** A template after it was checked. */
export interface Template {
  /** As it was written, and as it is declared. */
  readonly text: string;
  /** The fields of the event, in their order in the text. */
  readonly fields: readonly string[];
  /** The text before each field, and after the last. */
  readonly literals: readonly string[];
}

/** Whether a text in a key is a template, be it well made or not, instead of a field or a path. */
export function isTemplate(text: string): boolean {
  return /[{}]/.test(text);
}

/** The parts of a template: one that the registry holds was checked where it was declared. */
export function templateOf(text: string): Template {
  const pieces = text.split(/\{([^{}]*)\}/);
  const literals = pieces.filter((_, index) => index % 2 === 0);
  const fields = pieces.filter((_, index) => index % 2 === 1);
  return { text, fields, literals };
}

/** Why a template can't be used; undefined if it can. The problem continues a sentence: `the template {a}{b} …` */
export function templateFault({ text, fields, literals }: Template): string | undefined {
  const fault = idFault(text);
  if (fault) return fault;
  if (fields.length === 0 || literals.some(isTemplate)) return 'must be written like {room_id}/{day}';
  for (const field of fields) {
    const problem = fieldProblem(field);
    if (problem) return `has {${field}}, which ${problem}`;
  }
  const twice = fields.find((field, index) => fields.indexOf(field) !== index);
  if (twice !== undefined) return `has {${twice}} twice`;
  if (fields.length === 1 && text === `{${fields[0]}}`) return `must be more than a single field: write '${fields[0]}'`;
  if (literals.slice(1, -1).every((literal) => literal.includes('/'))) return undefined;
  return 'needs a / between any two fields, or two different things could have the same id';
}

function fieldProblem(field: string): string | undefined {
  if (/[.[]/.test(field)) return 'must be a field of the event itself, not a path';
  return nameFault(field) ?? (field === 'type' ? 'is the event’s type, not an id' : undefined);
}

/** What stands in the place of a value, and can't be a part of an id. */
export interface ValueFault {
  readonly field: string;
  readonly problem: string;
}

const NONE: readonly string[] = [];

/**
 * The ids that a template makes of the values of its fields: one, or one for each item of an array. None if a value is null or
 * missing.
 */
export function templateIds(template: Template, valueOf: (field: string) => unknown): readonly string[] | ValueFault {
  const { fields, literals } = template;
  const values = fields.map(valueOf);
  if (values.some(isNone)) return NONE;
  let ids = [literals[0]!];
  let several: string | undefined;
  for (const [index, value] of values.entries()) {
    const field = fields[index]!;
    const after = literals[index + 1]!;
    if (Array.isArray(value)) {
      if (several !== undefined) return { field, problem: `is an array, as ${several} is: only one of them may be` };
      several = field;
      const before = ids[0]!;
      const items = (value as unknown[]).filter((item) => !isNone(item));
      for (const item of items) {
        const fault = idFault(item);
        if (fault) return { field, problem: fault };
      }
      ids = items.map((item) => before + encoded(item as string) + after);
    } else {
      const fault = idFault(value);
      if (fault) return { field, problem: fault };
      const part = encoded(value as string) + after;
      ids = ids.map((id) => id + part);
    }
  }
  for (const id of ids) {
    const fault = idFault(id);
    if (fault) return { field: fields[0]!, problem: `and the other fields make an id, which ${fault}` };
  }
  return ids;
}

function isNone(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/** What has a meaning in templates, and the sign of the encoding itself. */
const SIGNS = /[/{}%]/g;
const CODES: Readonly<Record<string, string>> = { '/': '%2F', '{': '%7B', '}': '%7D', '%': '%25' };

function encoded(value: string): string {
  return value.replace(SIGNS, (sign) => CODES[sign]!);
}
