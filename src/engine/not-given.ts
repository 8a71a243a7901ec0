/** What wasn't given to `open`: told, with where it comes from and what to do. */
import { UnknownCollection } from '../errors.ts';

export function unknownCollection(name: string): UnknownCollection {
  return new UnknownCollection(`The collection ${JSON.stringify(name)} was not given to open: add it to collections.`, {
    collection: name,
    reloaded: false,
  });
}

/** A command or collection of the right name that isn't the one given to open. */
export function reloadedText(kind: 'command' | 'collection', name: string): string {
  return (
    `The ${kind} ${JSON.stringify(name)} isn't the one that was given to open, but another of the same name: the module that ` +
    'defines it was loaded again (a hot reload, a second path to the same file, a second copy of the package) and made a new ' +
    'one, while this application was kept. Open the application in a module that is loaded again together with the ' +
    `definitions, and close the one before; or use the ${kind} that this application was opened with.`
  );
}
