/** Finds where the events of documents differ from what the log says is attached to them, document by document. */
import { PAGE_ROWS_MAX, type DocumentHead } from '../../store/store.ts';
import { settledOf } from './settling.ts';
import { attachmentText, DOCUMENTS_PAGE, note, PROBLEMS_MAX, type Walk } from './walk.ts';

export async function locate(walk: Walk): Promise<void> {
  const found = walk.problems.length;
  let after: DocumentHead | undefined;
  for (;;) {
    const page = await walk.reads.documents({ after, limit: DOCUMENTS_PAGE });
    for (const { collection, id } of await settledOf(walk, page)) {
      let next: number | undefined = 0;
      let version = 0;
      while (next !== undefined && walk.problems.length < PROBLEMS_MAX) {
        const page = { document: { collection, id }, after: next, limit: PAGE_ROWS_MAX };
        const events = await walk.reads.read(page);
        for (const { position, attachments } of events.events) {
          version += 1;
          const said = attachments.find((one) => one.collection === collection && one.id === id);
          if (position > walk.end.position || said?.version === version) continue;
          note(walk, {
            code: 'Attachments',
            position,
            collection,
            id,
            message: `${attachmentText({ collection, id })} has the event at position ${position} as its version ${version}, which ${
              said ? `says that it is version ${said.version}` : 'is not attached to it'
            }.`,
          });
        }
        next = events.next;
      }
    }
    after = page.at(-1);
    if (!after) break;
  }
  if (walk.problems.length > found) return;
  const message = 'The events of the documents are not those that the log says are attached to them.';
  note(walk, { code: 'Attachments', message });
}
