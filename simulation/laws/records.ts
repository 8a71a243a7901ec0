/** What is written down of a run: who asked for what, and what they were told. */
import type {
  Document,
  DocumentVersion,
  FoldedDocuments,
  LogPoint,
  Outcome,
  Page,
  Rebuilt,
  RecordedEvent,
  Status,
} from 'tidemark';
import type { StoredCommit, StoredEvent } from '../../src/store/store.ts';
import type { CommandName, Input } from '../domain/shape.ts';
import type { Live } from './attach.ts';
import type { Query } from './finds.ts';

/** A commit of the log with its events, as the store holds them. */
export interface Logged {
  readonly commit: StoredCommit;
  readonly events: readonly StoredEvent[];
}

/** When something was asked for and answered: the end of the log then. Eras are told apart by a log that went back. */
interface Span {
  readonly after: number;
  readonly era: number;
  /** Collections of its server whose documents had all their events when it was asked for. */
  readonly live: Live;
  upTo?: number;
  endEra?: number;
}

/** An `execute`. Its token travels as the command's causation, so each commit says which call it comes from. */
export interface Call extends Span {
  readonly token: string;
  readonly server: string;
  readonly release: number;
  readonly command: CommandName;
  readonly input: Input;
  readonly id?: string | undefined;
  readonly actor?: string | undefined;
  readonly unchanged: readonly DocumentVersion[];
  /** The newest time in the log that its server had seen when it was asked. */
  readonly seenTime: number;
  outcome?: Outcome;
  error?: unknown;
  /** The server was closed, or the caller gave up, before it was answered. */
  closing?: boolean;
  aborted?: boolean;
}

export type At = { readonly version: number } | { readonly position: number } | { readonly time: number } | undefined;

/** What was read, and by which release. Those that threw are recorded where that is an answer. */
export type Reading = Span & { readonly server: string; readonly release: number } & (
    | {
        readonly kind: 'get';
        readonly collection: string;
        readonly ids: readonly string[];
        readonly at: At;
        documents?: readonly Document<unknown>[];
        error?: unknown;
      }
    | {
        readonly kind: 'history';
        readonly collection: string;
        readonly id: string;
        /** A version. */
        readonly from: number;
        events?: readonly RecordedEvent[];
        /** Why it couldn't go on from there. */
        error?: unknown;
      }
    | {
        readonly kind: 'events';
        readonly from: number;
        readonly before: number | undefined;
        readonly types: readonly string[] | undefined;
        readonly reverse: boolean;
        events?: readonly RecordedEvent[];
        /** Why it couldn't go on from there. */
        error?: unknown;
      }
    | {
        readonly kind: 'follow';
        readonly from: { readonly position: number; readonly hash?: string };
        readonly types: readonly string[] | undefined;
        readonly limit: number;
        events?: readonly RecordedEvent[];
        /** Whether it was given up before its limit. */
        aborted?: boolean;
        /** Why it couldn't go on from there. */
        error?: unknown;
      }
    | {
        readonly kind: 'fold';
        readonly collection: string;
        documents?: FoldedDocuments<unknown>;
      }
    | { readonly kind: 'status'; status?: LogPoint & Pick<Status, 'unknownTypes'> }
    | {
        readonly kind: 'find';
        readonly collection: string;
        readonly query: Query;
        readonly fresh: number;
        readonly inOnePiece: boolean;
        page?: Page<unknown>;
      }
    | { readonly kind: 'rebuild'; readonly collection: string; rebuilt?: Rebuilt }
    | { readonly kind: 'outcome'; readonly id: string; outcome?: Outcome | undefined }
  );

/** Whether stored documents alone were read: they follow the log, and show a server nothing of its end. */
export function looksAtSets({ kind }: Reading): boolean {
  return kind === 'find' || kind === 'rebuild';
}
