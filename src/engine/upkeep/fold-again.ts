/** Folds every document again, and compares it with the cache and with what the reduction has stored. */
import type { CollectionDefinition } from '../../model/collection.ts';
import { unborn, type Folded } from '../../model/reduce.ts';
import { Twins } from '../../model/same-items.ts';
import type { DocumentEvent, DocumentHead, DocumentRef, StoredDocument } from '../../store/store.ts';
import { DocumentMap } from '../../document-map.ts';
import { knownFrom } from '../reading/stored-document.ts';
import { eventReader, foldEvent, type ReadEvent } from '../reading/fold-events.ts';
import { isSameState } from './same-state.ts';
import { settledOf } from './settling.ts';
import { attachmentText, DOCUMENTS_PAGE, judge, note, type Walk } from './walk.ts';

export async function walkDocuments(walk: Walk): Promise<void> {
  let after: DocumentHead | undefined;
  for (;;) {
    const page = await walk.reads.documents({ after, limit: DOCUMENTS_PAGE });
    if (page.length === 0) return;
    await foldAgain(walk, await settledOf(walk, page));
    after = page.at(-1);
  }
}

interface OpenDocument {
  readonly ref: DocumentRef;
  /** Undefined if this application has no reducers for it: its versions are checked all the same. */
  folded: Folded | undefined;
  version: number;
  /** As the reduction has stored it, until it was compared. */
  stored: StoredDocument | undefined;
  /** Whether the cache held it, or it was stored, at one of its versions. */
  compared: boolean;
}

async function foldAgain(walk: Walk, page: readonly DocumentHead[]): Promise<void> {
  const { core, reads, end, pace } = walk;
  const lists = new Twins();
  const stored = await storedOf(walk, page);
  let open: OpenDocument[] = page.map(({ collection, id }) => {
    const definition = core.collections.get(collection);
    const folded = definition && born(walk, definition, id);
    return { ref: { collection, id }, folded, version: 0, stored: stored.get(collection, id), compared: false };
  });
  while (open.length > 0) {
    const loaded = await reads.load(
      open.map(({ ref, version }) => ({ ...ref, after: version })),
      { asOf: end.position },
    );
    const incomplete: OpenDocument[] = [];
    const read = eventReader(core);
    for (const [index, { head, events }] of loaded.documents.entries()) {
      const document = open[index]!;
      const { collection, id } = document.ref;
      const wrong = (message: string): void => note(walk, { code: 'Document', collection, id, message });
      for (const event of events) {
        document.version += 1;
        if (event.version !== document.version) {
          const where = `${event.version} stands where ${document.version} should`;
          wrong(`The versions of ${attachmentText(document.ref)} are not dense: ${where}.`);
          document.version = event.version;
          document.folded = undefined;
        }
        walk.inDocuments.add(collection, id, event.version, event.position);
        foldOne(walk, document, read, event, lists, wrong);
        if (document.folded) await compare(walk, document, document.folded, wrong);
        if (pace.isOver()) await pace.turn();
      }
      // The first is always given an event, if it has one.
      if (document.version < head && (events.length > 0 || index > 0)) incomplete.push(document);
      else if (document.version < head) {
        const count = `only ${document.version} events are attached to it`;
        wrong(`${attachmentText(document.ref)} is at version ${head}, but ${count}.`);
      }
      // Without a head it was made after the verified end.
      else if (document.folded && head > 0) {
        walk.documents += 1;
        if (document.compared) walk.compared += 1;
      }
    }
    open = incomplete;
  }
}

function born(walk: Walk, collection: CollectionDefinition, id: string): Folded | undefined {
  try {
    return unborn(collection, id);
  } catch (error) {
    judge(walk, error, (message) => note(walk, { code: 'Document', collection: collection.name, id, message }));
    return undefined;
  }
}

function foldOne(
  walk: Walk,
  document: OpenDocument,
  read: ReadEvent,
  event: DocumentEvent,
  lists: Twins,
  wrong: (message: string) => void,
): void {
  const { core } = walk;
  const { collection, id } = document.ref;
  const definition = core.collections.get(collection);
  if (!definition || !document.folded) return;
  const { folded, error } = foldEvent(read, definition, id, document.folded, event, event.version, lists);
  if (error !== undefined) {
    judge(walk, error, (what) =>
      wrong(`${attachmentText(document.ref)} can't be folded beyond version ${folded.version}: ${what}`),
    );
    document.folded = undefined;
    return;
  }
  document.folded = folded;
}

/** What is stored of this code's documents, by its own definitions. */
async function storedOf({ core, reads }: Walk, page: readonly DocumentHead[]): Promise<DocumentMap<StoredDocument>> {
  const found = new DocumentMap<StoredDocument>();
  for (const [collection, { definition }] of core.membership.own) {
    let ids = page.filter((one) => one.collection === collection).map(({ id }) => id);
    while (ids.length > 0) {
      const stored = await reads.stored({ set: definition.set, ids });
      for (const document of stored?.documents ?? []) found.set(collection, document.id, document);
      ids = stored?.more ? ids.filter((id) => !found.get(collection, id)) : [];
    }
  }
  return found;
}

/** Compares with the cache and with what is stored, if these are at the same version. */
async function compare(
  { core, pace }: Walk,
  document: OpenDocument,
  folded: Folded,
  wrong: (message: string) => void,
): Promise<void> {
  const { collection, id } = document.ref;
  const differs = (where: string, why: string): void =>
    wrong(
      `${attachmentText(document.ref)} at version ${folded.version} ${where} is not what its events fold to: ${why}.`,
    );
  const isSame = async (changed: number, state: unknown): Promise<boolean> =>
    changed === folded.changed && (await isSameState(state, folded.state, pace));
  const cached = core.cache.get(collection, id);
  if (cached?.version === folded.version) {
    document.compared = true;
    if (!(await isSame(cached.changed, cached.state))) {
      document.stored = undefined;
      differs('in memory', 'the reducers are not pure, or the log was changed');
    }
  }
  const { stored } = document;
  if (stored?.version !== folded.version) return;
  document.compared = true;
  document.stored = undefined;
  if (!(await isSame(stored.changed, knownFrom(collection, stored).folded.state))) {
    differs('as it is stored', 'the reducers have changed under the same definition, or are not pure. Call rebuild');
  }
}
