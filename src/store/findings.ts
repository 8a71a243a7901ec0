/** What `check` says of damage: one sentence for each kind, the same in all stores. */
import { declaredKeyOf, handledOf } from './declared-key.ts';

/** Most findings of each kind. */
export const FINDINGS_MAX = 5;

/** One row that breaks a rule, given as its columns, in a sentence. */
export const FINDING = {
  eventsMissing: (position, expected) => `Events are missing from position ${expected} up to ${position}.`,
  commitElsewhere: (position, expected) => `A commit begins at position ${position}, where ${expected} was expected.`,
  commitWithoutEvents: (position, count) => `The commit at position ${position} says that it has ${count} events.`,
  otherEnds: (events, commits) => `The events end at position ${events}, the commits at ${commits}.`,
  eventWithoutList: (position) => `The event at position ${position} has no list of its documents.`,
  notInIndex: (position, document, version) =>
    `The event at position ${position} says that it is version ${version} of document ${document}, the index doesn't.`,
  otherCounts: (indexed, listed) => `The index holds ${indexed} attachments, the events ${listed}.`,
  otherHead: (document, count, head) => `Document ${document} has ${count} events and head ${head}.`,
  versionsOutOfOrder: (document, version) =>
    `Version ${version} of document ${document} comes before the version below it.`,
  typeWithoutName: (position, type) => `The event at position ${position} has the type ${type}, which has no name.`,
  commandWithoutName: (position, name) =>
    `The commit at position ${position} has the command ${name}, which has no name.`,
  documentWithoutId: (document) => `Document ${document} has events but no id.`,
  documentWithoutEvents: (document) => `Document ${document} has no collection or no events.`,
  wrongCommit: (position) =>
    `The commit at position ${position} has a hash, fingerprint, outcome or time that isn't valid.`,
  recordedTooEarly: (position) => `The commit at position ${position} was recorded before the one before it.`,
  otherTime: (position) => `The event at position ${position} has another time than its commit.`,
  otherFirstEvent: (type, stored, listed) =>
    `The first event of type ${type} is at position ${stored}, the list of types says ${listed}.`,
  trigger: (table, trigger) => `The trigger ${trigger} changes what is written to the table ${table}.`,
  otherFirstSuccess: (type, stored, listed) =>
    `The first event of type ${type} in a success is at position ${stored}, the list of types says ${listed}.`,
  keyingNotValid: (keying) => `The keying ${keying} has a state, or a place, that isn't valid.`,
  definitionWithoutKeying: (collection, definition) => `Definition ${definition} of ${collection} has no keying.`,
  setNotValid: (set) => `The set ${set} has no definition, no place, or one that the log doesn't hold.`,
  indexNotValid: (index) => `The index ${index} has a state that isn't valid.`,
  lastNotValid: (last, highest) => `The last number of the registry is ${last}, and it holds ${highest}.`,
  storedNotValid: (set, id) => `The document ${id} of the set ${set} has versions that aren't valid.`,
  entryWithoutDocument: (index, id) => `The index ${index} has an entry of the document ${id}, which isn't stored.`,
  severalEntries: (index, id) => `The index ${index} has several entries of the document ${id}.`,
} as const satisfies Readonly<Record<string, (...columns: readonly unknown[]) => string>>;

/**
 * What is wrong with the texts of the registry. A row is the generation, then what the text is ("fields of the index 7"), then a
 * declared key or null, then a list of texts or null, as they are stored; an empty registry is one row with nulls. All rows must be
 * read in one statement.
 */
export function registryFindings(rows: readonly (readonly unknown[])[]): readonly string[] {
  const findings: string[] = [];
  const generation = rows[0]?.[0] ?? undefined;
  if (generation === undefined) findings.push('The generation of the registry is missing.');
  for (const [, what, key, list] of rows) {
    const isWrong = (what ?? undefined) !== undefined && !canBeRead(key, list);
    if (isWrong) findings.push(`The registry can't be read: the ${String(what)}.`);
  }
  return findings.slice(0, FINDINGS_MAX);
}

function canBeRead(key: unknown, list: unknown): boolean {
  try {
    if (typeof key === 'string') declaredKeyOf(key, Error);
    else handledOf(String(list), Error);
    return true;
  } catch {
    return false;
  }
}
