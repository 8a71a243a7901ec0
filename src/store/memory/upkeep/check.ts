/** Looks for damage. In memory only a defect of this store could cause it. */
import { FINDING } from '../../findings.ts';
import type { LogEnd } from '../../store.ts';
import { findDocument, type Log } from '../schema.ts';

/** Most findings: the first few show what is wrong. */
const FINDINGS_MAX = 100;
/** Commits, events and attachments between two pauses: about a millisecond's work. */
const PIECE = 2_000;

/** Yields between pieces, so that others have their turn. Meanwhile nothing before the end changes. */
export function* check(log: Log, end: LogEnd): Generator<undefined, readonly string[], undefined> {
  const findings: string[] = [];
  let next = 1;
  let looks = 0;
  for (const { position, eventCount } of log.commits) {
    if (position > end.position) break;
    if (position !== next) findings.push(FINDING.commitElsewhere(position, next));
    next = position + eventCount;
    if ((looks += 1) % PIECE === 0) yield;
  }
  if (next !== end.position + 1) findings.push(FINDING.otherEnds(end.position, next - 1));
  looks = 0;
  for (let index = 0; index < end.position; index++) {
    const event = log.events[index];
    if (event?.position !== index + 1) findings.push(`There is no event at position ${index + 1}.`);
    const attachments = event?.attachments ?? [];
    for (const { collection, id, version } of attachments) {
      if (findDocument(log, collection, id)?.events[version - 1]?.position === index + 1) continue;
      findings.push(`Version ${version} of ${collection} ${id} isn't the event at position ${index + 1}.`);
    }
    if (findings.length >= FINDINGS_MAX) break;
    looks += 1 + attachments.length;
    if (looks < PIECE) continue;
    looks = 0;
    yield;
  }
  yield* checkEntries(log, findings);
  return findings.slice(0, FINDINGS_MAX);
}

/** Each entry is of a document that is stored and hasn't failed, and the only one of it in its index. */
function* checkEntries({ registry, sets, indexes }: Log, findings: string[]): Generator<undefined, void, undefined> {
  for (const { number, set } of registry.indexes) {
    const keys = indexes.get(number);
    const documents = sets.get(set)?.documents;
    const met = new Map<string, string>();
    let looks = 0;
    for (const [key] of keys?.range(undefined, undefined) ?? []) {
      if ((looks += 1) % PIECE === 0) yield;
      // Entries may have gone since: what is compared is there now.
      const id = keys!.get(key);
      if (id === undefined) continue;
      const document = documents?.get(id);
      if (!document || document.failed !== undefined) findings.push(FINDING.entryWithoutDocument(number, id));
      const other = met.get(id);
      if (other !== undefined && keys!.get(other) === id) findings.push(FINDING.severalEntries(number, id));
      met.set(id, key);
    }
  }
}
