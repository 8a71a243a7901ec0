/** What `check` says of damage: one sentence for one kind of damage, whichever store has found it. */
import { declaredKeyOf, handledOf } from './declared-key.ts';

/** Most findings of each kind. */
export const FINDINGS_MAX = 5;

/** One row that breaks a rule, as its columns, in a sentence. */
export const FINDING = {
  eventsMissing: (position: unknown, expected: unknown) =>
    `Events are missing from position ${expected} up to ${position}.`,
  commitElsewhere: (position: unknown, expected: unknown) =>
    `A commit begins at position ${position}, where ${expected} was expected.`,
  commitWithoutEvents: (position: unknown, count: unknown) =>
    `The commit at position ${position} says that it has ${count} events.`,
  otherEnds: (events: unknown, commits: unknown) => `The events end at position ${events}, the commits at ${commits}.`,
  eventWithoutList: (position: unknown) => `The event at position ${position} has no list of its documents.`,
  notInIndex: (position: unknown, document: unknown, version: unknown) =>
    `The event at position ${position} says that it is version ${version} of document ${document}, the index doesn't.`,
  otherCounts: (indexed: unknown, listed: unknown) => `The index holds ${indexed} attachments, the events ${listed}.`,
  versionsOutOfOrder: (document: unknown, version: unknown) =>
    `Version ${version} of document ${document} comes before the version below it.`,
  typeWithoutName: (position: unknown, type: unknown) =>
    `The event at position ${position} has the type ${type}, which has no name.`,
  commandWithoutName: (position: unknown, name: unknown) =>
    `The commit at position ${position} has the command ${name}, which has no name.`,
  documentWithoutId: (document: unknown) => `Document ${document} has events but no id.`,
  documentWithoutEvents: (document: unknown) => `Document ${document} has no collection or no events.`,
  wrongCommit: (position: unknown) =>
    `The commit at position ${position} has a hash, fingerprint, outcome or time that isn't valid.`,
  recordedTooEarly: (position: unknown) => `The commit at position ${position} was recorded before the one before it.`,
  otherTime: (position: unknown) => `The event at position ${position} has another time than its commit.`,
  otherFirstEvent: (type: unknown, stored: unknown, listed: unknown) =>
    `The first event of type ${type} is at position ${stored}, the list of types says ${listed}.`,
  trigger: (table: unknown, trigger: unknown) =>
    `The trigger ${trigger} changes what is written to the table ${table}.`,
  otherFirstSuccess: (type: unknown, stored: unknown, listed: unknown) =>
    `The first event of type ${type} in a success is at position ${stored}, the list of types says ${listed}.`,
} as const;

/**
 * What is wrong with the registry. A row is the generation, then a collection's name, declared key and handled types as they
 * are stored; of an empty registry there is one row without a name. All of it must be read in one statement.
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
 * How often a collection can have raised the generation: each rise has added at least one collection, or one type to a
 * key map or to what is handled. Undefined if its JSON can't be read.
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
