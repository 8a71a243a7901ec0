/** A batch as values for `append_v1`. Each name and each document in it is sent and looked up once. */
import { DocumentMap } from '../../../document-map.ts';
import type { Batch, DocumentRef } from '../../store.ts';
import { texts } from '../arrays.ts';
import { bounded } from '../values.ts';
import type { AppendValues } from './append-parameters.ts';
import type { KnownDocuments, NumberedDocument } from './known.ts';

/** What the session adds to a batch. */
export type SessionValues = Pick<
  AppendValues,
  'session' | 'fence' | 'lock_timeout' | 'durability' | 'clock' | 'ahead_ms'
>;

/** What is sent, and what is needed to read the answer. */
export interface Encoded {
  readonly values: AppendValues;
  /** The documents by their places, and what is known of each. */
  readonly documents: readonly DocumentRef[];
  readonly numbered: readonly (NumberedDocument | undefined)[];
  /** For each row of `reads` the place of its document, from 1. */
  readonly readDocuments: readonly number[];
}

/** Names in the order of their first use, with their places from 1. */
export class NamePlaces {
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

/** The documents of a batch, in the same way. */
class DocumentPlaces {
  readonly #places = new DocumentMap<number>();
  readonly #names: NamePlaces;
  readonly collections: number[] = [];
  readonly refs: DocumentRef[] = [];

  constructor(names: NamePlaces) {
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

export function encoded(batch: Batch, known: Pick<KnownDocuments, 'end' | 'find'>, session: SessionValues): Encoded {
  const { seen, generation, reads, commits } = batch;
  const names = new NamePlaces();
  const documents = new DocumentPlaces(names);
  const events = eventsOf(commits, names, documents);
  const attached = documents.refs.length;
  const readDocuments = reads.map(({ collection, id }) => documents.of(collection, id));
  const command_names = commits.map(({ command }) => names.of(command.name));
  const ground = groundOf(commits);
  const taints = taintsOf(batch, readDocuments, events.attachment_documents);
  const numbered = documents.refs.map((document) => known.find(document));
  // Sent even if none of these documents is known: if the log doesn't hold it, what is known of others is dropped too.
  const end = known.end.position > 0 ? known.end : undefined;
  const values = {
    ...session,
    seen_position: bounded(seen.position),
    seen_hash: seen.hash,
    generation: bounded(generation),
    names: names.names,
    document_collections: documents.collections,
    document_ids: documents.refs.map(({ id }, index) => (numbered[index] ? undefined : id)),
    known_position: end?.position,
    known_hash: end?.hash,
    known_numbers: numbered.map((one) => one?.number),
    known_heads: numbered.map((one) => one?.head),
    attached,
    read_documents: readDocuments,
    read_versions: reads.map(({ version }) => bounded(version)),
    ground_commits: ground.map(([commit]) => commit + 1),
    ground_reads: ground.map(([, row]) => row + 1),
    taint_commits: taints.map(([commit]) => commit + 1),
    taint_reads: taints.map(([, row]) => row + 1),
    command_names,
    ...handledLists(batch.handled),
    ...commitsOf(commits),
    ...events,
  };
  return { documents: documents.refs, numbered, readDocuments, values };
}

/** One value for each commit. */
function commitsOf(commits: Batch['commits']) {
  return {
    command_ids: commits.map(({ command }) => command.id),
    fingerprints: commits.map(({ command }) => command.fingerprint),
    actors: commits.map(({ command }) => command.actor),
    correlations: commits.map(({ command }) => command.correlation),
    causations: commits.map(({ command }) => command.causation),
    outcomes: commits.map(({ outcome }) => (outcome === 'succeeded' ? 0 : 1)),
    finals: commits.map(({ final }) => final),
    reasons: commits.map(({ reason }) => reason),
    details: commits.map(({ details }) => details),
    times: commits.map(({ time }) => bounded(time)),
    event_counts: commits.map(({ events }) => events.length),
    digests: commits.map(({ digest }) => digest),
  };
}

/** One value for each event, and for each attachment. */
function eventsOf(commits: Batch['commits'], names: NamePlaces, documents: DocumentPlaces) {
  const values = {
    event_commits: [] as number[],
    event_offsets: [] as number[],
    event_types: [] as number[],
    schema_versions: [] as number[],
    jsons: [] as string[],
    event_lists: [] as number[],
    attachment_events: [] as number[],
    attachment_documents: [] as number[],
    attachment_steps: [] as number[],
  };
  let lists = 0;
  const steps: number[] = [];
  for (const [index, commit] of commits.entries()) {
    for (const [offset, { type, schemaVersion, json, attachments }] of commit.events.entries()) {
      values.event_commits.push(index + 1);
      values.event_offsets.push(offset);
      values.event_types.push(names.of(type));
      values.schema_versions.push(schemaVersion);
      values.jsons.push(json);
      values.event_lists.push(attachments.length > 0 ? (lists += 1) : 0);
      for (const { collection, id } of attachments) {
        const place = documents.of(collection, id);
        const step = (steps[place - 1] ?? 0) + 1;
        steps[place - 1] = step;
        values.attachment_events.push(values.jsons.length);
        values.attachment_documents.push(place);
        values.attachment_steps.push(step);
      }
    }
  }
  return values;
}

/** A commit and a row of `reads`, both counted from 0. */
type Pair = readonly [commit: number, row: number];

/** What each commit rests on. */
function groundOf(commits: Batch['commits']): readonly Pair[] {
  return commits.flatMap(({ reads }, index) => reads.map((row): Pair => [index, row]));
}

/**
 * Rows that a commit changes if it stands, and that a later commit rests on, in the order of the commits: nearly none where
 * the load is spread. The places are those of the documents that are read, and of the documents of all attachments in order.
 */
function taintsOf(
  { commits, handled }: Batch,
  readPlaces: readonly number[],
  attachedPlaces: readonly number[],
): readonly Pair[] {
  const taints: Pair[] = [];
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
        if (row !== undefined && last[row]! > index && handled.get(collection)?.has(type)) taints.push([index, row]);
      }
    }
  }
  return taints;
}

// `handled` is the same object from batch to batch, so its lists are made once.
const lists = new WeakMap<Batch['handled'], Pick<AppendValues, 'handled_collections' | 'handled_types'>>();

function handledLists(handled: Batch['handled']) {
  const known = lists.get(handled);
  if (known) return known;
  const pairs = [...handled].flatMap(([collection, types]) => Array.from(types, (type) => [collection, type] as const));
  const made = {
    handled_collections: texts(pairs.map(([collection]) => collection)),
    handled_types: texts(pairs.map(([, type]) => type)),
  };
  lists.set(handled, made);
  return made;
}
