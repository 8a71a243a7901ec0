/** Filling an index of a set that has documents already: page by page, beside the reduction, which keeps it from its first entry on. */
import type { Index, IndexEntry, Locked } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { entriesOf } from '../queries/sort-key.ts';
import { Pace } from '../pace.ts';
import { afterId, knownFrom } from '../reading/stored-document.ts';
import { inPortion, type Portions } from './portions.ts';

/** Adds the next page. False if the index isn't filling from there any more. */
export function fillIndex(core: Core, collection: string, index: Index, portions: Portions): Promise<boolean> {
  const limit = portions.size;
  return inPortion(core, portions, limit, (locked) => fillPage(core, collection, locked, { index, limit }));
}

interface Page {
  readonly index: Index;
  readonly limit: number;
}

async function fillPage(core: Core, collection: string, locked: Locked, { index, limit }: Page): Promise<boolean> {
  const { number, set, filled } = index;
  const from = filled === undefined ? undefined : afterId(filled);
  const page = await locked.stored({ set, from, limit });
  if (!page) return false;
  const pace = new Pace(core.runtime);
  const entries: IndexEntry[] = [];
  for (const document of page.documents) {
    const { folded } = knownFrom(collection, document);
    if (folded.changed > 0) entries.push(...entriesOf([index], document.id, folded.state));
    if (pace.isOver()) await pace.turn();
  }
  const to = page.documents.at(-1)?.id ?? filled;
  return locked.fillIndex({ index: number, from: filled, to, entries, live: !page.more });
}
