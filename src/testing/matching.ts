/**
 * Expected values with matchers in them, as `expect.any(String)`. Vitest's, Jest's, and any that are made by hand for
 * node:test have one thing in common: `asymmetricMatch(actual)` says whether a value is as expected.
 */
interface Matcher {
  asymmetricMatch(actual: unknown): boolean;
  toAsymmetricMatcher?(): string;
}

/**
 * What is expected beside what is there, both as JSON has them: where a matcher takes what is there, that stands in its
 * place, and where it doesn't, its name. So they are equal if all is as expected, and otherwise show where it isn't.
 */
export function expectedBeside(expected: unknown, actual: unknown): unknown {
  if (isMatcher(expected)) return expected.asymmetricMatch(actual) ? actual : nameOf(expected);
  if (Array.isArray(expected)) {
    return expected.map(
      (item: unknown, index) => expectedBeside(item, (actual as unknown[] | undefined)?.[index]) ?? null,
    );
  }
  if (typeof expected !== 'object' || expected === null || 'toJSON' in expected) return asJson(expected);
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(expected)) {
    const field = expectedBeside(value, (actual as Record<string, unknown> | null | undefined)?.[name]);
    if (field !== undefined) fields[name] = field;
  }
  return fields;
}

/** As JSON has it: without undefined fields. */
export function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value) ?? 'null');
}

export function isMatcher(value: unknown): value is Matcher {
  return typeof (value as Partial<Matcher> | null | undefined)?.asymmetricMatch === 'function';
}

function nameOf(matcher: Matcher): string {
  return `what matches ${matcher.toAsymmetricMatcher?.() ?? String(matcher)}`;
}
