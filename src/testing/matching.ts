/**
 * Expected values with matchers in them, such as `expect.any(String)`. Matchers of vitest and Jest, and those that users write
 * for node:test, have a method `asymmetricMatch(actual)`, which says whether a value is as expected.
 */
import { deepStrictEqual } from 'node:assert/strict';
import { InvalidDefinition } from '../errors.ts';
import { reading } from '../model/foreign.ts';
import { describeFault, JSON_DEPTH_MAX, plainCopy, type Fault } from '../model/json.ts';
import { isPlainArray, isPlainObject, isPromise } from '../realm.ts';

interface Matcher {
  asymmetricMatch(actual: unknown): boolean;
  toAsymmetricMatcher?(): string;
}

/** Whether what is there is as expected. @throws AssertionError that shows both */
export function same(what: string, actual: unknown, expected: unknown): void {
  const is = asJson(actual);
  const wanted = expectedBeside(what, expected, is);
  deepStrictEqual(is, wanted, `${what}\n  is       ${JSON.stringify(is)}\n  expected ${JSON.stringify(wanted)}`);
}

/**
 * The expected value, to be compared with the actual one as JSON. A matcher that accepts its part of the actual value is
 * replaced by that part, and any other matcher by its name. So the two are equal if all is as expected, and else show the difference.
 *
 * @throws InvalidDefinition if something in it is neither plain JSON nor a matcher
 */
function expectedBeside(what: string, expected: unknown, actual: unknown): unknown {
  return filled(
    reading('expect', () => outline(expected, (fault) => refuse(what, fault))),
    actual,
  );
}

function refuse(what: string, fault: Fault): never {
  throw new InvalidDefinition(
    `What is expected of ${what} is neither plain JSON nor a matcher: ${describeFault(fault)}.`,
    { ...fault },
  );
}

/** A copy of a plain value, with the matchers in it as they are. */
function outline(value: unknown, wrong: (fault: Fault) => never, path = '', depth = 0): unknown {
  if (isMatcher(value)) return value;
  if (depth > JSON_DEPTH_MAX) wrong({ path: '', problem: `nested deeper than ${JSON_DEPTH_MAX} levels, or a cycle` });
  if (Array.isArray(value) && isPlainArray(value)) {
    return Array.from(value, (item: unknown, index) => outline(item, wrong, `${path}[${index}]`, depth + 1));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && isPlainObject(value)) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    const step = path === '' ? '' : `${path}.`;
    return Object.fromEntries(fields.map(([name, field]) => [name, outline(field, wrong, step + name, depth + 1)]));
  }
  const copied = plainCopy(value);
  return 'copy' in copied ? copied.copy : wrong({ ...copied.fault, path });
}

function filled(expected: unknown, actual: unknown): unknown {
  if (isMatcher(expected)) return takes(expected, actual) ? actual : nameOf(expected);
  if (typeof expected !== 'object' || expected === null) return expected;
  if (Array.isArray(expected)) return expected.map((item, index) => filled(item, own(actual, index)) ?? null);
  const fields = Object.entries(expected).map(([name, field]) => [name, filled(field, own(actual, name))] as const);
  return Object.fromEntries(fields.filter(([, field]) => field !== undefined));
}

function own(value: unknown, name: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string | number, unknown>)[name];
}

/** As JSON has it: without undefined fields. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value) ?? 'null');
}

export function isMatcher(value: unknown): value is Matcher {
  return typeof (value as Partial<Matcher> | null | undefined)?.asymmetricMatch === 'function';
}

/** @throws InvalidDefinition if it returns a promise, which would count as true */
export function takes(matcher: Matcher, actual: unknown): boolean {
  const taken: unknown = matcher.asymmetricMatch(actual);
  if (!isPromise(taken)) return Boolean(taken);
  throw new InvalidDefinition(`${nameOf(matcher)} returned a promise: a matcher must be synchronous.`);
}

function nameOf(matcher: Matcher): string {
  return `what matches ${matcher.toAsymmetricMatcher?.() ?? String(matcher)}`;
}
