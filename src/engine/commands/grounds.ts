/** The ground of a command: the documents that it reads, and those in `unchanged`. */
import { Conflict, hasCode, InvalidInput } from '../../errors.ts';
import type { Decision, Deciding } from '../../model/decide.ts';
import type { AnyRef, Read } from '../../model/reads.ts';
import { readOf } from '../../model/reduce.ts';
import type { Core } from '../core.ts';
import { unknownCollection } from '../not-given.ts';
import type { Entry } from './entry.ts';
import type { Working, WorkingSet } from './working-set.ts';

/** Each document once: marked there, as a set for each command would cost all of them. */
export class Grounds {
  readonly documents: Working[] = [];

  add(document: Working): void {
    if (document.ground === this) return;
    document.ground = this;
    this.documents.push(document);
  }
}

/**
 * Whether the documents in `unchanged` have changed: a conflict if the stored ones have. If only the batch itself has changed
 * them, that is known once it is stored.
 */
export function unchangedOf(
  core: Pick<Core, 'membership'>,
  { request }: Entry,
  working: WorkingSet,
  ground: Grounds,
): 'unchanged' | 'tentative' | Conflict {
  let unchanged: 'unchanged' | 'tentative' = 'unchanged';
  for (const document of request.unchanged) {
    const { collection, id, version, definition } = document;
    const found = working.find(document)!;
    if (found.error !== undefined) throw found.error;
    if (definition !== undefined && !isSameKeying(core, collection, definition)) {
      return new Conflict(
        `Command ${request.command.name}: ${collection} ${JSON.stringify(id)} in unchanged was read by definition ${definition}, whose key is another one: its versions count other events. Nothing was recorded: read it again, and decide again.`,
        { collection, id, version, definition },
      );
    }
    if (found.stored.version < version) {
      throw new InvalidInput(
        `Command ${request.command.name}: ${collection} ${JSON.stringify(id)} in unchanged has no version ${version} yet: it is at ${found.stored.version}.`,
        { path: 'unchanged', collection, id, version, head: found.stored.version },
      );
    }
    if (found.stored.changed > version) {
      return new Conflict(
        `Command ${request.command.name}: ${collection} ${JSON.stringify(id)} has changed since version ${version}. Nothing was recorded: read it again, and decide again.`,
        { collection, id, version, changed: found.stored.changed },
      );
    }
    if (found.now.changed > version) unchanged = 'tentative';
    ground.add(found);
  }
  return unchanged;
}

/** Whether versions by that definition of the collection count the same events as this code's. */
function isSameKeying({ membership }: Pick<Core, 'membership'>, collection: string, definition: number): boolean {
  const own = membership.own.get(collection);
  return (
    own?.definition.definition === definition || membership.keyingsOf(collection, definition).includes(own!.keying.name)
  );
}

/** Takes a command one stage further: gives it the documents it asked for, as the batch has left them. */
export function proceed(
  deciding: Deciding,
  refs: readonly AnyRef[],
  working: WorkingSet,
  core: Core,
  ground: Grounds,
): IteratorResult<readonly AnyRef[], Decision> {
  const found: Read<unknown>[] = [];
  for (const ref of refs) {
    if (!core.collections.has(ref.collection)) return deciding.throw(unknownCollection(ref.collection));
    const document = working.find(ref)!;
    if (document.error !== undefined) {
      // An error of the user's code is recorded; a log that is damaged, or too new for this code, is not.
      const { error } = document;
      if (document.refusesBatch) ground.add(document);
      if (!hasCode(error, 'ReducerFailed', 'UpcastFailed')) throw error;
      return deciding.throw(error);
    }
    ground.add(document);
    found.push(readOf(document.id, document.now));
  }
  return deciding.next(found);
}
