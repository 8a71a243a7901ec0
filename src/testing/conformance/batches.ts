/**
 * Builds batches as the engine would send them, with little code in each case.
 */
import { commitDigest, GENESIS_HASH } from '../../store/chain.ts';
import type {
  Appended,
  Batch,
  Commit,
  CommitFacts,
  DocumentRef,
  LoadRequest,
  LogPoint,
  NewEvent,
} from '../../store/store.ts';
import type { CollectionEntry } from './registered.ts';

/** In the past, so that no store's clock is behind it. */
export const START = Date.UTC(2024, 0, 1);

export const GENESIS: LogPoint = Object.freeze({ position: 0, hash: GENESIS_HASH });

/** What the application of a case handles, unless the case says otherwise. Nobody handles `NOTED`. */
export const HANDLED = handling({
  orders: ['PLACED'],
  services: ['CREATED', 'BOUGHT'],
  users: ['REGISTERED', 'BOUGHT'],
});

/** Every case starts with these registered. */
export const COLLECTIONS: readonly CollectionEntry[] = [...HANDLED].map(([name, types]) => ({
  name,
  definition: 1,
  key: { fields: [`${name.slice(0, -1)}_id`] },
  handled: [...types].sort(),
}));

export function handling(types: { readonly [collection: string]: readonly string[] }): Batch['handled'] {
  return new Map(Object.entries(types).map(([collection, names]) => [collection, new Set(names)]));
}

export const user = (id: string): DocumentRef => ({ collection: 'users', id });
export const service = (id: string): DocumentRef => ({ collection: 'services', id });
export const order = (id: string): DocumentRef => ({ collection: 'orders', id });

/** A row of `reads`. */
export function at(ref: DocumentRef, version: number): Batch['reads'][number] {
  return { ...ref, version };
}

/** A request for a document's events above a version. */
export function above(ref: DocumentRef, after: number, upTo?: number): LoadRequest {
  return { ...ref, after, upTo };
}

export function event(type: string, ...attachments: readonly DocumentRef[]): NewEvent {
  return { type, schemaVersion: 1, json: '{}', attachments };
}

/** Stands for all rows that a batch reads. */
export const ALL: readonly number[] = Object.freeze([]);

/** The facts of a commit that matter in a case. The others have defaults. */
export interface Facts {
  readonly name?: string;
  readonly fingerprint?: string;
  readonly actor?: string;
  readonly correlation?: string;
  readonly causation?: string;
  readonly outcome?: 'succeeded' | 'failed';
  readonly final?: boolean;
  readonly reason?: string;
  readonly details?: string;
  readonly time?: number;
  /** What it rests on; {@link ALL} unless the case says otherwise. */
  readonly reads?: readonly number[];
}

/** A commit of the command `id`, with its digest. */
export function commit(id: string, events: NewEvent | readonly NewEvent[], facts: Facts = {}): Commit {
  const { name = 'DO_IT', fingerprint = 'ab'.repeat(32), actor, correlation, causation, ...rest } = facts;
  const made = {
    outcome: 'succeeded',
    final: true,
    time: START,
    reads: ALL,
    ...rest,
    command: { id, name, fingerprint, actor, correlation, causation },
    events: 'type' in events ? [events] : events,
  } as const;
  return { ...made, digest: commitDigest(made) };
}

/** What the ledger keeps of a commit. */
export function factsOf({ command, outcome, final, reason, details, time }: CommitFacts): CommitFacts {
  return { command, outcome, final, reason, details, time };
}

/** An outcome that doesn't use up its command id: the engine records technical failures like this. */
export function notFinal(id: string, reason = 'ERROR', facts: Facts = {}): Commit {
  return commit(id, event('$CONTENDED'), { outcome: 'failed', final: false, reason, ...facts });
}

/** The same batch, which rests only on the reads that are kept. */
export function resting(batch: Batch, isKept: (read: Batch['reads'][number], row: number) => boolean): Batch {
  const rows = new Map<number, number>();
  for (const [row, read] of batch.reads.entries()) if (isKept(read, row)) rows.set(row, rows.size);
  return {
    ...batch,
    reads: batch.reads.filter((_, row) => rows.has(row)),
    commits: batch.commits.map((commit) =>
      Object.assign({}, commit, { reads: commit.reads.flatMap((row) => rows.get(row) ?? []) }),
    ),
  };
}

/** `in part`: a part was stored. `by taint alone`: a commit fell only because it builds on one that fell before it. */
export type PartKind = 'in part' | 'by taint alone';

/** The kinds that a batch is of. */
export function kindsOf({ reads, commits }: Batch, answer: Appended): PartKind[] {
  if (answer.status !== 'stored' && answer.status !== 'refused') return [];
  const { duplicates, stale } = answer;
  const places = answer.status === 'stored' ? answer.commits : commits.map(() => undefined);
  const isStale = (row: number): boolean =>
    stale.some(({ collection, id }) => collection === reads[row]!.collection && id === reads[row]!.id);
  const isTainted = ({ command, reads: rows }: Commit, index: number): boolean =>
    !places[index] && !duplicates.includes(command.id) && !rows.some(isStale);
  const isPart = answer.status === 'stored' && places.includes(undefined);
  return [...(isPart ? (['in part'] as const) : []), ...(commits.some(isTainted) ? (['by taint alone'] as const) : [])];
}

/** The numbers from `from` to `to`, both included. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
