/** How the reduction goes. */
import { hasCode, LogCorrupt } from '../../errors.ts';
import type { LogPoint, StoredPage } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { refreshMembership } from '../registry/refresh.ts';

/** How far the reduction is behind the log. */
export interface ReductionStatus {
  /** `off` where this server reduces nothing: it was told so, it only reads, or it is outdated (`errors` says it). */
  readonly state: 'background' | 'off';
  /** Events that are stored and not yet reduced, whichever server does that. */
  readonly lagEvents: number;
  /** How long the first of them has waited, in milliseconds, as far as this server has seen. */
  readonly lagMs: number;
  /** Documents that are stored as failed, by whatever server: the first 20, with the reason. None once the application is closed. */
  readonly failed: readonly FailedDocument[];
  /** What keeps it from going on, or stored documents from being read. */
  readonly errors: readonly CollectionError[];
}

export interface FailedDocument {
  readonly collection: string;
  readonly id: string;
  /** Why it couldn't be folded further. */
  readonly reason: string;
}

export interface CollectionError {
  readonly collection: string;
  readonly code: string;
  readonly message: string;
}

/** What a server knows of it itself. */
export type Progressing = Omit<ReductionStatus, 'failed'>;

/** The most failed documents that are named. */
const NAMED_MAX = 20;

export function errorOf(collection: string, error: unknown): CollectionError {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return { collection, code: String(code), message: String(message) };
}

/** What the store says of the sets of this code's collections. */
export interface Asked {
  /** Where they are, by number: those that documents are found in, and those that are to take their place. */
  readonly places: ReadonlyMap<number, LogPoint>;
  readonly failed: readonly FailedDocument[];
  readonly errors: readonly CollectionError[];
}

/** Other servers move sets on too, fail at documents, and mend them. @throws Closed, HistoryDiverged */
export async function askedOf(core: Core, failedMax = NAMED_MAX): Promise<Asked> {
  const places = new Map<number, LogPoint>();
  const failed: FailedDocument[] = [];
  const errors: CollectionError[] = [];
  for (const collection of core.membership.own.keys()) {
    try {
      const page = await pageOf(core, collection, failedMax - failed.length);
      for (const { id, failed: reason } of page.documents) failed.push({ collection, id, reason: reason! });
      const { set, rebuilt } = core.membership.own.get(collection)!.definition;
      places.set(set, page.place);
      const other = rebuilt === undefined ? undefined : await core.untilClosed.stored({ set: rebuilt, limit: 0 });
      if (other) places.set(rebuilt!, other.place);
    } catch (error) {
      if (hasCode(error, 'Closed', 'HistoryDiverged')) throw error;
      errors.push(errorOf(collection, error));
    }
  }
  return { places, failed, errors };
}

/** @throws DomainOutdated if this code's definition isn't registered any more; LogCorrupt if it is, and its set isn't there */
async function pageOf(core: Core, collection: string, limit: number): Promise<StoredPage> {
  for (let before: number | undefined; ;) {
    const { set } = core.membership.own.get(collection)!.definition;
    const page = await core.untilClosed.stored({ set, failed: true, limit });
    if (page) return page;
    if (set === before)
      throw new LogCorrupt(`The set of stored documents of ${collection} is missing. Run verify.`, { collection });
    before = set;
    // Another set has taken its place, or the definition is gone.
    await refreshMembership(core, core.untilClosed);
  }
}

/** What a server knows itself, and what it doesn't know of itself. */
export function together(progressing: Progressing, { failed, errors }: Asked): ReductionStatus {
  const known = new Set(progressing.errors.map(({ collection }) => collection));
  const others = errors.filter(({ collection }) => !known.has(collection));
  return { ...progressing, failed, errors: [...progressing.errors, ...others] };
}
