/**
 * Marks what this package has made, so that every copy of it knows it again: a monorepo's packages may each bring one, and
 * Jest loads modules anew for `require` and `import`. A mark can't come out of JSON, and a spread leaves it behind.
 */
import { InvalidDefinition } from '../errors.ts';
import { VERSION } from '../version.ts';

interface Brand {
  readonly version: string;
  readonly content: unknown;
}

/** Puts a mark on an object that isn't frozen yet, and what is to be known behind it. */
export function brand<T extends object>(made: T, mark: symbol, content: unknown): T {
  return Object.defineProperty(made, mark, { value: Object.freeze({ version: VERSION, content } satisfies Brand) });
}

/**
 * What is known behind an object that has the mark; undefined for anything else.
 *
 * @throws InvalidDefinition if another version of the package has made it: what it means may have changed
 */
export function brandOf(value: unknown, mark: symbol): unknown {
  const found = brandOn(value, mark);
  if (found === undefined || found.version === VERSION) return found?.content;
  throw new InvalidDefinition(
    `Two versions of tidemark are in use: ${found.version} has made what ${VERSION} is given (${mark.description}). Install one ` +
      'of them: npm ls tidemark shows who asks for which.',
    { made: found.version, used: VERSION },
  );
}

function brandOn(value: unknown, mark: symbol): Brand | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as { readonly [mark]?: Brand })[mark as never];
  } catch {
    // A proxy of the user's, that throws when it is asked.
    return undefined;
  }
}
