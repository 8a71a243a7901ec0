/**
 * Collections of which `verify` expects nothing: their events were still being attached when it began, or aren't attached any
 * more, or another server has brought them along since.
 */
import type { DocumentRef, Registry } from '../../store/store.ts';
import type { Names } from '../registry/names.ts';
import type { ReadingSession } from '../until-closed.ts';

export interface Settling {
  readonly names: Names;
  /** All that are known, settled or not. */
  readonly known: Set<string>;
  readonly unsettled: Set<string>;
}

export function settlingOf(names: Names, registry: Registry): Settling {
  const settling = { names, known: new Set<string>(), unsettled: new Set<string>() };
  for (const { name, state } of registry.keyings) {
    const collection = nameIn(names, name);
    settling.known.add(collection);
    if (state !== 'live') settling.unsettled.add(collection);
  }
  return settling;
}

/** Those of the documents that something is expected of. What isn't known at all is damage, unless the registry has grown. */
export async function settledOf<T extends DocumentRef>(
  { settling, reads }: { readonly settling: Settling; readonly reads: Pick<ReadingSession, 'registry'> },
  documents: readonly T[],
): Promise<readonly T[]> {
  const { names, known, unsettled } = settling;
  const unknown = documents.filter(({ collection }) => !known.has(collection));
  if (unknown.length > 0) {
    const { keyings } = await reads.registry();
    const brought = keyings.map(({ name }) => nameIn(names, name)).filter((collection) => !known.has(collection));
    for (const collection of brought) unsettled.add(collection);
    for (const collection of [...brought, ...unknown.map((one) => one.collection)]) known.add(collection);
  }
  if (unsettled.size === 0) return documents;
  return documents.filter(({ collection }) => !unsettled.has(collection));
}

function nameIn({ arePlain, toEngine }: Names, keying: string): string {
  return arePlain ? keying : toEngine(keying);
}
