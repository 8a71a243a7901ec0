/** What the parts of `verify` share: what they look at, and what they have found. */
import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import type { Attacher } from '../../model/attach.ts';
import { thrown } from '../../model/foreign.ts';
import type { DocumentRef, LogEnd } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Pace } from '../pace.ts';
import type { ReadingSession } from '../until-closed.ts';
import type { AttachmentSum } from './attachment-sum.ts';
import type { Settling } from './settling.ts';

/** What is wrong, and where. */
export interface Problem {
  /** `HistoryDiverged` for a point that the log doesn't hold; otherwise the part that was checked. */
  readonly code:
    'HistoryDiverged' | 'Store' | 'Chain' | 'Order' | 'Attachments' | 'Document' | 'UnknownType' | 'Schema';
  readonly message: string;
  readonly position?: number;
  readonly collection?: string;
  readonly id?: string;
}

export const PROBLEMS_MAX = 100;
/** Documents whose events are loaded together. */
export const DOCUMENTS_PAGE = 200;

export interface Walk {
  readonly core: Core;
  readonly reads: ReadingSession;
  readonly end: LogEnd;
  /** Gives the event loop its turns. */
  readonly pace: Pace;
  /** Without a bound on attachments: stored events were within the bound of their time. */
  readonly attacher: Attacher;
  readonly settling: Settling;
  readonly problems: Problem[];
  /** Why a document couldn't be checked, if that says nothing about the log: this code is older than the log. */
  unable: TidemarkError | undefined;
  /** The attachments that the log has, and those of the documents: equal if the index is whole. */
  readonly inLog: AttachmentSum;
  readonly inDocuments: AttachmentSum;
  /** Types with an event that doesn't fit its schema. */
  readonly otherShapes: Set<string>;
  /** Types with an upcast event that has other ids than it was attached by. */
  readonly otherIds: Set<string>;
  readonly unknownTypes: Set<string>;
  commits: number;
  events: number;
  documents: number;
  compared: number;
}

export function note(walk: Walk, problem: Problem): void {
  if (walk.problems.length < PROBLEMS_MAX) walk.problems.push(problem);
}

/** Errors that are problems of an event or a document: damage, or the user's code can't handle what is stored. */
const FINDINGS: ReadonlySet<string> = new Set(['LogCorrupt', 'ReducerFailed', 'UpcastFailed', 'InvalidEvent']);

/** Reports an error of reading an event or folding a document, if it is a problem. */
export function judge(walk: Walk, error: unknown, tell: (what: string) => void): void {
  if (isTidemarkError(error) && !FINDINGS.has(error.code)) walk.unable ??= error;
  else tell(thrown(error));
}

export function attachmentText({ collection, id }: DocumentRef): string {
  return `${collection} ${JSON.stringify(id)}`;
}
