/** What the parts of verifying share: what they look at, and what they have found. */
import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import type { Attacher } from '../../model/attach.ts';
import { thrown } from '../../model/foreign.ts';
import type { DocumentRef, LogEnd } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { ReadingSession } from '../until-closed.ts';
import type { AttachmentSum } from './attachment-sum.ts';

/** What is wrong, and where. */
export interface Problem {
  /** `HistoryDiverged` for a point that the log doesn't hold; otherwise what was looked at. */
  readonly code:
    'HistoryDiverged' | 'Store' | 'Chain' | 'Order' | 'Attachments' | 'Document' | 'UnknownType' | 'Schema';
  readonly message: string;
  readonly position?: number;
  readonly collection?: string;
  readonly id?: string;
}

/** Most problems that are told. */
export const PROBLEMS_MAX = 100;
/** Documents whose events are loaded together. */
export const DOCUMENTS_PAGE = 200;
/** Events and attachments that are looked at between two turns of the event loop: about a millisecond's work. */
const LOOKS_A_TURN = 100;

export interface Walk {
  readonly core: Core;
  readonly reads: ReadingSession;
  readonly end: LogEnd;
  /** Without a bound on attachments: what is stored was within the bound of its time. */
  readonly attacher: Attacher;
  readonly problems: Problem[];
  /** Why a document could not be looked at, for a reason that says nothing about the log: code that is older than it. */
  unable: TidemarkError | undefined;
  /** What the log says is attached, and what the documents have: equal if the index is whole. */
  readonly inLog: AttachmentSum;
  readonly inDocuments: AttachmentSum;
  /** Types of which an event isn't what the schema promises. */
  readonly otherShapes: Set<string>;
  /** Types of which an upcast event has other ids than it was attached by. */
  readonly otherIds: Set<string>;
  /** Types that this code doesn't know, and that were met. */
  readonly unknownTypes: Set<string>;
  /** Since the last turn of the event loop. */
  looks: number;
  commits: number;
  events: number;
  documents: number;
  compared: number;
}

export function note(walk: Walk, problem: Problem): void {
  if (walk.problems.length < PROBLEMS_MAX) walk.problems.push(problem);
}

/** Whether it is time to let others have their turn. */
export function isTurn(walk: Walk, looks: number): boolean {
  walk.looks += looks;
  if (walk.looks < LOOKS_A_TURN) return false;
  walk.looks = 0;
  return true;
}

/** What is found to be wrong with an event or a document: damage, or the user's code, which can't take what is stored. */
const FINDINGS: ReadonlySet<string> = new Set(['LogCorrupt', 'ReducerFailed', 'UpcastFailed', 'InvalidEvent']);

/** Tells of what reading one event or folding one document has thrown, if that is a finding. */
export function judge(walk: Walk, error: unknown, tell: (what: string) => void): void {
  if (isTidemarkError(error) && !FINDINGS.has(error.code)) walk.unable ??= error;
  else tell(thrown(error));
}

export function attachmentText({ collection, id }: DocumentRef): string {
  return `${collection} ${JSON.stringify(id)}`;
}
