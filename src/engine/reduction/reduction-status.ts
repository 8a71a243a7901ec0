/** How the reduction goes. */
import { hasCode } from '../../errors.ts';
import type { Core } from '../core.ts';

/** How far the reduction is behind the log. */
export interface ReductionStatus {
  readonly state: 'background' | 'off';
  /** Events that are stored and not yet reduced. */
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

/** The store is asked which have failed: another server may have failed at them, or have mended them. */
export async function withFailed(core: Core, progressing: Progressing): Promise<ReductionStatus> {
  const failed: FailedDocument[] = [];
  const errors = [...progressing.errors];
  for (const [collection, { definition }] of core.membership.own) {
    const limit = NAMED_MAX - failed.length;
    if (limit === 0) break;
    try {
      const page = await core.untilClosed.stored({ set: definition.set, failed: true, limit });
      for (const { id, failed: reason } of page?.documents ?? []) failed.push({ collection, id, reason: reason! });
    } catch (error) {
      if (hasCode(error, 'Closed', 'HistoryDiverged')) throw error;
      if (!errors.some((one) => one.collection === collection)) errors.push(errorOf(collection, error));
    }
  }
  return { ...progressing, failed, errors };
}
