/** What every store asks of a batch before it looks at the log. */
import { InvalidInput } from '../errors.ts';
import { DocumentMap } from '../document-map.ts';
import type { Batch } from './store.ts';

const HASH = /^[0-9a-f]{64}$/;

/**
 * Checks a batch before the log is read: a mistake of the caller would otherwise be stored for good.
 *
 * @throws InvalidInput if the batch isn't valid
 *
 * @example
 * ```ts
 * import { assertBatch, GENESIS_HASH } from 'tidemark/store';
 *
 * const seen = { position: 0, hash: GENESIS_HASH };
 * try {
 *   assertBatch({ seen, generation: 0, handled: new Map(), reads: [], commits: [] });
 * } catch (error) {
 *   console.log((error as Error).name); // InvalidInput
 * }
 * ```
 */
export function assertBatch({ commits, reads }: Batch): void {
  if (commits.length === 0) throw invalid('it has no commits', {});
  const ids = new Set<string>();
  for (const { command, events, time, digest, reads: rows } of commits) {
    ids.add(command.id);
    if (!HASH.test(command.fingerprint) || !HASH.test(digest))
      throw invalid('a hash isn’t valid', { command: command.id });
    if (events.length === 0) throw invalid('a commit has no events', { command: command.id });
    if (!Number.isInteger(time) || time < 0) throw invalid('a commit has no time', { command: command.id });
    if (!arePlaces(rows, reads.length))
      throw invalid('a commit rests on a row that reads doesn’t have', { command: command.id });
  }
  if (ids.size < commits.length) {
    const twice = commits.find(({ command }) => !ids.delete(command.id));
    throw invalid('it has a command id twice', { command: twice?.command.id });
  }
  const documents = new DocumentMap<true>();
  for (const { collection, id, version } of reads) {
    if (documents.get(collection, id)) throw invalid('a document is read twice', { collection, id });
    documents.set(collection, id, true);
    if (!Number.isInteger(version) || version < 0) throw invalid('a version read isn’t valid', { collection, id });
  }
}

/** Whether these are indexes of a list with `count` items, each once. */
function arePlaces(places: readonly number[], count: number): boolean {
  for (const place of places) if (!Number.isInteger(place) || place < 0 || place >= count) return false;
  return places.length < 2 || new Set(places).size === places.length;
}

function invalid(what: string, where: Readonly<Record<string, unknown>>): InvalidInput {
  return new InvalidInput(
    `The batch isn’t valid: ${what}. Nothing was stored. Send a batch as the contract of the store says.`,
    where,
  );
}
