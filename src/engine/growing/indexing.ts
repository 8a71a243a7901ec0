/** Filling an index of a set that has documents already: page by page, beside the reduction, which keeps it from its first entry on. */
import { Buffer } from 'node:buffer';
import type { Index, Locked } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { entriesOf } from '../queries/sort-key.ts';
import { knownFrom } from '../reading/stored-document.ts';

/** Documents of a page: their entries are made with the write lock held. */
const PAGE_DOCUMENTS = 200;

/** Adds the next page. False if the index isn't filling from there any more. */
export function fillIndex(core: Core, collection: string, index: Index): Promise<boolean> {
  return core.session.exclusive((locked) => fillPage(collection, locked, index), { isMade: true });
}

async function fillPage(collection: string, locked: Locked, index: Index): Promise<boolean> {
  const { number, set, filled } = index;
  const page = await locked.stored({
    set,
    from: filled === undefined ? undefined : after(filled),
    limit: PAGE_DOCUMENTS,
  });
  if (!page) return false;
  const entries = page.documents.flatMap((document) => {
    const { folded } = knownFrom(collection, document);
    return entriesOf([index], document.id, folded.changed > 0 ? folded.state : undefined);
  });
  const to = page.documents.at(-1)?.id ?? filled;
  return locked.fillIndex({ index: number, from: filled, to, entries, live: !page.more });
}

/** The first key after a document's in the order of ids. */
function after(id: string): Uint8Array {
  return Buffer.concat([Buffer.from(id), Buffer.of(0)]);
}
