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
} as const satisfies Readonly<Record<string, (...columns: readonly unknown[]) => string>>;

/**
 * What is wrong with the registry. A row is the generation, then a collection's name, declared key and handled types as they
 * are stored; an empty registry is one row without a name. All rows must be read in one statement.
 */
export function registryFindings(rows: readonly (readonly unknown[])[]): readonly string[] {
  const findings: string[] = [];
  const generation = rows[0]?.[0] ?? undefined;
  if (generation === undefined) findings.push('The generation of the registry is missing.');
  const collections = rows.filter(([, name]) => name !== null);
  let most = 0;
  for (const [, name, key, handled] of collections) {
    const changes = changesOf(String(key), String(handled));
    most += changes ?? Infinity;
    if (changes !== undefined) continue;
    findings.push(`The declared key or the handled types of the collection ${String(name)} aren't valid.`);
  }
  const least = Math.min(collections.length, 1);
  if (generation !== undefined && !(Number(generation) >= least && Number(generation) <= most)) {
    findings.push(`The registry is of generation ${String(generation)}, and holds ${collections.length} collections.`);
  }
  return findings.slice(0, FINDINGS_MAX);
}

/**
 * How often a collection can have raised the generation, at most: each time it was added, or got at least one type in its key
 * map or in what it handles. Undefined if its JSON can't be read.
 */
function changesOf(key: string, handled: string): number | undefined {
  try {
    const declared = declaredKeyOf(key, Error);
    const types = 'types' in declared ? Object.keys(declared.types).length : 0;
    return 1 + handledOf(handled, Error).length + types;
  } catch {
    return undefined;
  }
}
