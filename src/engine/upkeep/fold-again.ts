/** Folds every document again, and compares it with the cache. */
import type { CollectionDefinition } from '../../model/collection.ts';
import { canonicalJson } from '../../model/json.ts';
import { unborn, type Folded } from '../../model/reduce.ts';
import type { DocumentEvent, DocumentHead, DocumentRef } from '../../store/store.ts';
import { eventReader, foldEvents, type ReadEvent } from '../reading/fold-events.ts';
import { attachmentText, DOCUMENTS_PAGE, isTurn, judge, note, type Walk } from './walk.ts';

export async function walkDocuments(walk: Walk): Promise<void> {
  let after: DocumentHead | undefined;
  for (;;) {
    const page = await walk.reads.documents({ after, limit: DOCUMENTS_PAGE });
    if (page.length === 0) return;
    await foldAgain(walk, page);
    after = page.at(-1);
  }
}

interface OpenDocument {
  readonly ref: DocumentRef;
  /** Undefined if this application has no reducers for it: its versions are checked all the same. */
  folded: Folded | undefined;
  version: number;
  /** Whether the cache held it at one of its versions. */
  compared: boolean;
}

async function foldAgain(walk: Walk, page: readonly DocumentHead[]): Promise<void> {
  const { core, reads, end } = walk;
  let open: OpenDocument[] = page.map(({ collection, id }) => {
    const definition = core.collections.get(collection);
    return { ref: { collection, id }, folded: definition && born(walk, definition, id), version: 0, compared: false };
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
        foldOne(walk, document, read, event, wrong);
        if (isTurn(walk, 1)) await core.runtime.turn();
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

/** Folds one more event, and compares with the cache if that is at the same version. */
function foldOne(
  walk: Walk,
  document: OpenDocument,
  read: ReadEvent,
  event: DocumentEvent,
  wrong: (message: string) => void,
): void {
  const { core } = walk;
  const { collection, id } = document.ref;
  const definition = core.collections.get(collection);
  if (!definition || !document.folded) return;
  const { folded, error } = foldEvents(read, definition, id, document.folded, [event]);
  if (error !== undefined) {
    judge(walk, error, (what) =>
      wrong(`${attachmentText(document.ref)} can't be folded beyond version ${folded.version}: ${what}`),
    );
    document.folded = undefined;
    return;
  }
  document.folded = folded;
  const cached = core.cache.get(collection, id);
  if (cached?.version !== folded.version) return;
  document.compared = true;
  if (cached.changed !== folded.changed || canonicalJson(cached.state) !== canonicalJson(folded.state)) {
    wrong(
      `${attachmentText(document.ref)} at version ${folded.version} is not what its events fold to: the reducers are not pure, or the log was changed.`,
    );
  }
}
