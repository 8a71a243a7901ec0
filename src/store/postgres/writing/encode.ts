/**
 * A batch as the parameters of `append_v1`: interned, so that each name and each document goes over the wire and is
 * looked up once, however often the batch speaks of it.
 */
import { Buffer } from 'node:buffer';
import { DocumentMap } from '../../../document-map.ts';
import type { Batch, DocumentRef } from '../../store.ts';
import { booleans, hashes, int2s, int4s, int8s, int8sOrNull, texts, textsOrNull } from '../arrays.ts';
import type { KnownDocuments, Told } from './known.ts';

/** The store's clock, where it was given one: undefined for the database's own. */
export interface SentClock {
  readonly now: number | undefined;
  readonly aheadMs: number;
}

/** What the answer is read by. */
export interface Encoded {
  readonly parameters: readonly (Buffer | string | null)[];
  /** The documents by their places, and what the batch says of each. */
  readonly documents: readonly DocumentRef[];
  readonly told: readonly (Told | undefined)[];
  /** For each attachment the place of its document, from 1. */
  readonly attachmentDocuments: readonly number[];
  /** For each row of `reads` the place of its document, from 1. */
  readonly readDocuments: readonly number[];
}

/** Strings or documents in the order of their first use, with their places from 1. */
class Places {
  readonly #places = new Map<string, number>();
  readonly names: string[] = [];

  of(name: string): number {
    const place = this.#places.get(name);
    if (place !== undefined) return place;
    this.names.push(name);
    this.#places.set(name, this.names.length);
    return this.names.length;
  }
}

/** The documents of a batch, with their places from 1. */
class Documents {
  readonly #places = new DocumentMap<number>();
  readonly #names: Places;
  readonly collections: number[] = [];
  readonly refs: DocumentRef[] = [];

  constructor(names: Places) {
    this.#names = names;
  }

  of(collection: string, id: string): number {
    const place = this.#places.get(collection, id);
    if (place !== undefined) return place;
    this.collections.push(this.#names.of(collection));
    this.refs.push({ collection, id });
    this.#places.set(collection, id, this.refs.length);
    return this.refs.length;
  }
}

export function encoded(batch: Batch, clock: SentClock, known: Pick<KnownDocuments, 'end' | 'tell'>): Encoded {
  const { seen, generation, handled, reads, commits } = batch;
  const names = new Places();
  const documents = new Documents(names);
  const eventCommits: number[] = [];
  const eventOffsets: number[] = [];
  const eventTypes: number[] = [];
  const schemaVersions: number[] = [];
  const jsons: string[] = [];
  const eventLists: number[] = [];
  let lists = 0;
  const attachmentEvents: number[] = [];
  const attachmentDocuments: number[] = [];
  const attachmentSteps: number[] = [];
  const steps: number[] = [];
  for (const [index, commit] of commits.entries()) {
    for (const [offset, { type, schemaVersion, json, attachments }] of commit.events.entries()) {
      eventCommits.push(index + 1);
      eventOffsets.push(offset);
      eventTypes.push(names.of(type));
      schemaVersions.push(schemaVersion);
      jsons.push(json);
      eventLists.push(attachments.length > 0 ? (lists += 1) : 0);
      for (const { collection, id } of attachments) {
        const place = documents.of(collection, id);
        const step = (steps[place - 1] ?? 0) + 1;
        steps[place - 1] = step;
        attachmentEvents.push(jsons.length);
        attachmentDocuments.push(place);
        attachmentSteps.push(step);
      }
    }
  }
  const attached = documents.refs.length;
  const readDocuments = reads.map(({ collection, id }) => documents.of(collection, id));
  const commandNames = commits.map(({ command }) => names.of(command.name));
  const rests = restsOf(commits);
  const taints = taintsOf(batch, readDocuments, attachmentDocuments);
  const { collections, types } = handledLists(handled);
  const told = documents.refs.map((document) => known.tell(document));
  // Also if nothing is told of these documents: what is known of others is kept only if the log holds its commit.
  const knows = known.end.position > 0;
  return {
    documents: documents.refs,
    told,
    attachmentDocuments,
    readDocuments,
    parameters: [
      String(bounded(seen.position)),
      Buffer.from(seen.hash, 'hex'),
      String(bounded(generation)),
      clock.now === undefined ? null : String(clock.now),
      String(Math.floor(bounded(clock.aheadMs))),
      texts(names.names),
      int4s(documents.collections),
      textsOrNull(documents.refs.map(({ id }, index) => (told[index] ? undefined : id))),
      knows ? String(known.end.position) : null,
      knows ? Buffer.from(known.end.hash, 'hex') : null,
      int8sOrNull(told.map((one) => one?.document)),
      int8sOrNull(told.map((one) => one?.head)),
      String(attached),
      int4s(readDocuments),
      int8s(reads.map(({ version }) => bounded(version))),
      int4s(rests.commits),
      int4s(rests.reads),
      int4s(taints.commits),
      int4s(taints.reads),
      collections,
      types,
      texts(commits.map(({ command }) => command.id)),
      int4s(commandNames),
      hashes(commits.map(({ command }) => command.fingerprint)),
      textsOrNull(commits.map(({ command }) => command.actor)),
      textsOrNull(commits.map(({ command }) => command.correlation)),
      textsOrNull(commits.map(({ command }) => command.causation)),
      int2s(commits.map(({ outcome }) => (outcome === 'succeeded' ? 0 : 1))),
      booleans(commits.map(({ final }) => final)),
      textsOrNull(commits.map(({ reason }) => reason)),
      textsOrNull(commits.map(({ details }) => details)),
      int8s(commits.map(({ time }) => bounded(time))),
      int4s(commits.map(({ events }) => events.length)),
      hashes(commits.map(({ digest }) => digest)),
      int4s(eventCommits),
      int4s(eventOffsets),
      int4s(eventTypes),
      int8s(schemaVersions),
      texts(jsons),
      int4s(eventLists),
      int4s(attachmentEvents),
      int4s(attachmentDocuments),
      int8s(attachmentSteps),
    ],
  };
}

/** Pairs of a commit and a row of `reads`, both from 1, in the order of the commits. */
class Pairs {
  readonly commits: number[] = [];
  readonly reads: number[] = [];

  add(commit: number, row: number): void {
    this.commits.push(commit + 1);
    this.reads.push(row + 1);
  }
}

/** What each commit rests on. */
function restsOf(commits: Batch['commits']): Pairs {
  const rests = new Pairs();
  for (const [index, commit] of commits.entries()) for (const row of commit.reads) rests.add(index, row);
  return rests;
}

/**
 * Rows that a commit changes, if it stands, and that a later one rests on: nearly none where the load is spread. The places are
 * those of the documents that are read, and of the documents of all attachments in their order.
 */
function taintsOf(
  { commits, handled }: Batch,
  readPlaces: readonly number[],
  attachedPlaces: readonly number[],
): Pairs {
  const taints = new Pairs();
  // The last commit that rests on each row, and the row of each document that is read.
  const last: number[] = [];
  for (const [index, commit] of commits.entries()) for (const row of commit.reads) last[row] = index;
  if (last.length === 0) return taints;
  const rows: number[] = [];
  for (const [row, place] of readPlaces.entries()) rows[place] = row;
  let attachment = 0;
  for (const [index, { events }] of commits.entries()) {
    for (const { type, attachments } of events) {
      for (const { collection } of attachments) {
        const row = rows[attachedPlaces[attachment]!];
        attachment += 1;
        if (row !== undefined && last[row]! > index && handled.get(collection)?.has(type)) taints.add(index, row);
      }
    }
  }
  return taints;
}

/** Beyond it nothing is stored: what a bigint can't hold stands for the largest that JavaScript can. */
function bounded(value: number): number {
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}

// `handled` is the same object from batch to batch, so its lists are made once.
const lists = new WeakMap<Batch['handled'], { readonly collections: Buffer; readonly types: Buffer }>();

function handledLists(handled: Batch['handled']): { readonly collections: Buffer; readonly types: Buffer } {
  let made = lists.get(handled);
  if (made === undefined) {
    const pairs = [...handled].flatMap(([collection, types]) =>
      Array.from(types, (type) => [collection, type] as const),
    );
    made = { collections: texts(pairs.map(([collection]) => collection)), types: texts(pairs.map(([, type]) => type)) };
    lists.set(handled, made);
  }
  return made;
}
