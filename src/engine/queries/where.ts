/** Checks a `where` and brings it into the form that it is planned and matched by. */
import { InvalidInput } from '../../errors.ts';
import { textFault } from '../../model/json.ts';
import { nearestTo, shownName } from '../../nearest.ts';
import { isPlainArray, isPlainObject } from '../../realm.ts';
import { WHERE_CONDITIONS_MAX, WHERE_DEPTH_MAX, WHERE_IN_MAX, WHERE_UNITS_MAX } from './bounds.ts';
import { pathFault } from './path.ts';

export type Scalar = string | number | boolean | null;

/** What a test asks of the value at a path; `$id`, `$version` and `$changed` are paths here. */
export type Test =
  | { readonly kind: 'eq' | 'ne' | 'has'; readonly path: string; readonly value: Scalar }
  | { readonly kind: 'lt' | 'lte' | 'gt' | 'gte'; readonly path: string; readonly value: number | string }
  | { readonly kind: 'in'; readonly path: string; readonly values: readonly Scalar[] }
  | { readonly kind: 'startsWith'; readonly path: string; readonly value: string }
  | { readonly kind: 'exists'; readonly path: string; readonly value: boolean };

export type Filter =
  | Test
  | { readonly kind: 'all'; readonly filters: readonly Filter[] }
  | { readonly kind: 'any'; readonly filters: readonly Filter[] }
  | { readonly kind: 'not'; readonly filter: Filter };

type Operator = Test['kind'];
const OPERATORS: readonly Operator[] = [
  'eq',
  'ne',
  'lt',
  'lte',
  'gt',
  'gte',
  'in',
  'startsWith',
  'exists',
  'has',
] satisfies Operator[];

/** Facts of a document that have a path of their own, and the type of each. */
export const FACTS: Readonly<Record<string, 'string' | 'number'>> = Object.freeze({
  $id: 'string',
  $version: 'number',
  $changed: 'number',
});

/** What of the bounds is left. */
interface Room {
  conditions: number;
  units: number;
  readonly named: Map<string, string>;
}

/**
 * Reads a caller's `where` once.
 *
 * @param named takes in each path, and where it was named first
 * @throws InvalidInput with the path of the fault
 */
export function filterOf(where: unknown, named = new Map<string, string>()): Filter {
  if (where === undefined) return { kind: 'all', filters: [] };
  return allOf(where, 'where', 0, { conditions: WHERE_CONDITIONS_MAX, units: WHERE_UNITS_MAX, named });
}

function allOf(where: unknown, at: string, depth: number, room: Room): Filter {
  if (depth > WHERE_DEPTH_MAX) refuse(at, `is nested deeper than ${WHERE_DEPTH_MAX} levels`);
  const filters: Filter[] = [];
  for (const [name, value] of fieldsOf(where, at, 'of conditions')) {
    const inner = `${at}.${name}`;
    take(room, name.length, at);
    if (value === undefined) refuse(inner, 'is undefined: leave the field out, or ask for { exists: false } or null');
    if (name === 'NOT') {
      filters.push({ kind: 'not', filter: allOf(value, inner, depth + 1, room) });
    } else if (name === 'AND' || name === 'OR') {
      const several = listOf(value, inner, WHERE_CONDITIONS_MAX);
      const parts = several.map((one, index) => partOf(one, `${inner}[${index}]`, depth + 1, room));
      filters.push({ kind: name === 'AND' ? 'all' : 'any', filters: parts });
    } else {
      assertPath(name, inner);
      if (!room.named.has(name)) room.named.set(name, inner);
      filters.push(...testsOf(name, value, inner, room));
    }
  }
  return filters.length === 1 ? filters[0]! : { kind: 'all', filters };
}

function partOf(part: unknown, at: string, depth: number, room: Room): Filter {
  const before = room.conditions;
  const filter = allOf(part, at, depth, room);
  // One without a condition counts too: a list of empty lists has a bound.
  if (room.conditions === before && (room.conditions -= 1) < 0) tooMany(at);
  return filter;
}

/** @throws InvalidInput if it isn't a path that a query can name */
export function assertPath(path: string, at: string): void {
  if (Object.hasOwn(FACTS, path)) return;
  const fault = pathFault(path);
  if (fault === undefined) return;
  const known = path.startsWith('$') ? `. There are ${Object.keys(FACTS).join(', ')}` : '';
  refuse(at, `${fault}${known}`);
}

function testsOf(path: string, asked: unknown, at: string, room: Room): Test[] {
  if (typeof asked !== 'object' || asked === null) {
    return [testOf(path, 'eq', asked, at, room)];
  }
  if (Array.isArray(asked))
    refuse(at, 'is an array: ask for one of several values with { in: […] }, for an item with { has }');
  const tests: Test[] = [];
  for (const [operator, value] of fieldsOf(asked, at, 'of operators')) {
    if (!(OPERATORS as readonly string[]).includes(operator)) unknownOperator(operator, at);
    tests.push(testOf(path, operator as Operator, value, `${at}.${operator}`, room));
  }
  if (tests.length === 0) refuse(at, 'has no operator: leave the field out to ask nothing of it');
  return tests;
}

function testOf(path: string, kind: Operator, given: unknown, at: string, room: Room): Test {
  if ((room.conditions -= 1) < 0) tooMany(at);
  if (given === undefined) refuse(at, 'is undefined');
  switch (kind) {
    case 'in': {
      const values = listOf(given, at, WHERE_IN_MAX);
      return { kind, path, values: values.map((one, index) => factOf(path, one, `${at}[${index}]`, room)) };
    }
    case 'exists':
      return typeof given === 'boolean' ? { kind, path, value: given } : refuse(at, 'must be true or false');
    case 'startsWith': {
      const value = scalarOf(given, at, room);
      if (typeof value !== 'string') return refuse(at, 'must be a string');
      if (FACTS[path] === 'number') return refuse(at, 'is of a number');
      return { kind, path, value };
    }
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte': {
      const value = factOf(path, given, at, room);
      if (typeof value === 'number' || typeof value === 'string') return { kind, path, value };
      return refuse(at, 'must be a number or a string: other values have no order to compare by');
    }
    case 'has':
      if (Object.hasOwn(FACTS, path)) refuse(at, `is of ${path}, which is no array`);
      return { kind, path, value: scalarOf(given, at, room) };
    default:
      return { kind, path, value: factOf(path, given, at, room) };
  }
}

/** A value to compare with, of the right type where that is known. */
function factOf(path: string, given: unknown, at: string, room: Room): Scalar {
  const value = scalarOf(given, at, room);
  const type = Object.hasOwn(FACTS, path) ? FACTS[path] : undefined;
  if (type !== undefined && typeof value !== type) refuse(at, `must be a ${type}, as ${path} is`);
  return value;
}

function scalarOf(value: unknown, at: string, room: Room): Scalar {
  switch (typeof value) {
    case 'string': {
      take(room, value.length, at);
      const fault = textFault(value);
      return fault === undefined ? value : refuse(at, `has ${fault.problem}`);
    }
    case 'number':
      // Adding 0 makes 0 of -0.
      return Number.isFinite(value) ? value + 0 : refuse(at, `is ${value}, which is not a JSON number`);
    case 'boolean':
      return value;
    case 'undefined':
      return refuse(at, 'is undefined');
    case 'object':
      if (value === null) return value;
      return refuse(
        at,
        'must be a string, a number, true, false or null: reach into objects with a path, into arrays with has',
      );
    default:
      return refuse(at, `is a ${typeof value}, which is not JSON`);
  }
}

/** The fields of a plain object, each read once. */
function fieldsOf(value: unknown, at: string, what: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !isPlainObject(value)) {
    return refuse(at, `must be a plain object ${what}`);
  }
  const names = Object.keys(value);
  if (names.length > WHERE_CONDITIONS_MAX) tooMany(at);
  return names.map((name) => [name, (value as Record<string, unknown>)[name]]);
}

/** A copy: holes become undefined. */
function listOf(value: unknown, at: string, max: number): readonly unknown[] {
  if (!Array.isArray(value) || !isPlainArray(value)) return refuse(at, 'must be an array');
  if (value.length > max) refuse(at, `has ${value.length} items; at most ${max} are possible`);
  return Array.from(value as readonly unknown[]);
}

function take(room: Room, units: number, at: string): void {
  if ((room.units -= units) < 0) refuse(at, `makes the query longer than ${WHERE_UNITS_MAX} characters`);
}

function tooMany(at: string): never {
  return refuse(at, `is part of more than ${WHERE_CONDITIONS_MAX} conditions`);
}

function unknownOperator(operator: string, at: string): never {
  const nearest = nearestTo(operator, OPERATORS);
  const meant = nearest === undefined ? '' : `: did you mean ${nearest}?`;
  const also =
    meant === '' ? `. Operators are ${OPERATORS.join(', ')}; a field within is named by a path with a dot` : '';
  return refuse(at, `has no operator ${shownName(operator)}${meant}${also}`);
}

/** How much of a path a message shows. */
const PATH_SHOWN = 300;

function refuse(path: string, problem: string): never {
  const shown = path.slice(0, PATH_SHOWN).toWellFormed();
  throw new InvalidInput(`${shown} ${problem}${problem.endsWith('?') ? '' : '.'}`, { path: shown });
}

/** The tests that must all hold, whatever else does. */
export function neededBy(filter: Filter): readonly Test[] {
  if (filter.kind === 'all') return filter.filters.flatMap(neededBy);
  return filter.kind === 'any' || filter.kind === 'not' ? [] : [filter];
}
