/**
 * Marks the objects that this package makes, so that every copy of the package knows them: the packages of a monorepo may
 * each bring one, and Jest loads modules anew. A mark can't come out of JSON, and a spread drops it.
 */
import { InvalidDefinition } from '../errors.ts';
import { VERSION } from '../version.ts';

interface Brand {
  readonly version: string;
  readonly content: unknown;
}

/** Puts a mark with its content on an object that isn't frozen yet. */
export function brand<T extends object>(made: T, mark: symbol, content: unknown): T {
  return Object.defineProperty(made, mark, { value: Object.freeze({ version: VERSION, content } satisfies Brand) });
}

/** The content of an object's mark; undefined without one. @throws InvalidDefinition if another version of the package made it */
export function brandOf(value: unknown, mark: symbol): unknown {
  const found = brandOn(value, mark);
  if (found === undefined || found.version === VERSION) return found?.content;
  throw new InvalidDefinition(
    `Two versions of tidemark are in use: ${found.version} made a value (${mark.description}) that ${VERSION} is given. Install ` +
      'only one of them: npm ls tidemark shows which packages ask for which.',
    { made: found.version, used: VERSION },
  );
}

function brandOn(value: unknown, mark: symbol): Brand | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as { readonly [mark]?: Brand })[mark as never];
  } catch {
    // The value may be a proxy that throws.
    return undefined;
  }
}
