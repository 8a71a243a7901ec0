/** Errors for a collection or command that wasn't given to `open`. */
import { UnknownCollection } from '../errors.ts';

export function unknownCollection(name: string): UnknownCollection {
  return new UnknownCollection(`The collection ${JSON.stringify(name)} was not given to open: add it to collections.`, {
    collection: name,
    reloaded: false,
  });
}

/** For a command or collection of the right name that isn't the one given to `open`. */
export function reloadedText(kind: 'command' | 'collection', name: string): string {
  return (
    `The ${kind} ${JSON.stringify(name)} isn't the one that was given to open, but another of the same name: the module that ` +
    'defines it was loaded again (a hot reload, a second path to the same file, a second copy of the package), and this ' +
    'application still has the old one. Open the application in a module that is loaded again together with the ' +
    `definitions, and close the old one; or use the ${kind} that this application was opened with.`
  );
}
