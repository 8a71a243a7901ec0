/** What a session for reading says to a change of the registry: by name what would have to be changed, and what to do. */
import { NotWritable } from '../../errors.ts';
import type { Definition, Index, Registry, RegistryChange } from '../store.ts';
import { notRegistered, openedForReading } from './errors.ts';

export function refused(file: string, registry: Registry, change: RegistryChange): NotWritable {
  const { keyings = [], definitions = [], indexes = [], removed = [] } = change;
  const known = new Map(registry.definitions.map((one) => [one.id, one]));
  const added = [
    ...definitions.filter((one) => isOther(one, known.get(one.id))),
    ...keyings.filter(({ state }) => state !== 'retired'),
  ];
  if (added.length > 0) return notRegistered(file, [...new Set(added.map(({ collection }) => collection))]);
  const numbers = new Set(registry.indexes.map(({ number }) => number));
  const index = indexes.find(({ number }) => !numbers.has(number));
  if (index) return lacksIndex(file, index, [...registry.definitions, ...definitions]);
  const gone = registry.definitions.find(({ id }) => removed.includes(id));
  if (gone) return isntRetired(file, gone);
  const rebuilt = definitions.find((one) => one.rebuilt !== known.get(one.id)!.rebuilt);
  return rebuilt ? isntRebuilt(file, rebuilt) : openedForReading(file);
}

function isOther(one: Definition, registered: Definition | undefined): boolean {
  return registered?.keying !== one.keying || registered.handled.join('\0') !== one.handled.join('\0');
}

function lacksIndex(file: string, { set, fields }: Index, definitions: readonly Definition[]): NotWritable {
  const { collection } = definitions.find((one) => one.set === set || one.rebuilt === set) ?? {};
  return refusal(
    file,
    `${collection} has no index of ${fields.join(', ')} in it, as in this code. Open it once without readOnly, with these ` +
      'collections, or leave the index out',
    { collection, index: fields },
  );
}

function isntRetired(file: string, { collection, definition }: Definition): NotWritable {
  return refusal(
    file,
    `the definition ${definition} of ${collection} is registered in it, which would be removed. Open it once without readOnly, or ` +
      'leave it out of retired',
    { collection, definition },
  );
}

function isntRebuilt(file: string, { collection, definition }: Definition): NotWritable {
  return refusal(
    file,
    `the documents of ${collection} would be made again in it. Do that with a session that isn't readOnly`,
    { collection, definition },
  );
}

function refusal(file: string, what: string, details: Readonly<Record<string, unknown>>): NotWritable {
  return new NotWritable(`${file} was opened for reading (readOnly), and ${what}.`, {
    file,
    readOnly: true,
    ...details,
  });
}
