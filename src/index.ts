/** Tidemark: event sourcing for TypeScript. The public surface, by name. */
export { domain, type Domain, type EventOf } from './model/domain.ts';
export { event, type AnyEvent, type Upcast, type VersionedSchema } from './model/event.ts';
export { type } from './model/schema.ts';
export { failure, type Failure } from './model/failure.ts';
export { nothing, type Nothing, type Unchanged } from './model/nothing.ts';
export { all, type Read, type Ref } from './model/reads.ts';
export type { AnyCollection, Collection, IdOf, Meta } from './model/collection.ts';
export type { AnyCommand, Command, Context, PrepareContext } from './model/command.ts';

export { open, type OpenOptions } from './engine/open.ts';
export type { App, CloseOptions, InputOf, OutcomeOf, StateOf } from './engine/app.ts';
export type { Finding } from './engine/queries/finding.ts';
export type { CountOptions, FindOptions, ListOptions, Page, WatchOptions, WatchQuery } from './engine/queries/asked.ts';
export type { Cursor, OrderBy, Where } from './engine/queries/where-types.ts';
export type { UnservedQuery } from './engine/queries/unserved.ts';
export type { RebuildOptions, Rebuilt } from './engine/growing/rebuild.ts';
export type { Progress } from './engine/registry/readiness.ts';
export type { Definitions } from './engine/registry/rules.ts';
export type { Retired } from './engine/registry/retiring.ts';
export type { CollectionError, FailedDocument, ReductionStatus } from './engine/reduction/reduction-status.ts';
export type { Document, FoldedDocuments } from './engine/reading/document.ts';
export type { At } from './engine/reading/get.ts';
export type { EventsOptions, FollowOptions, HistoryOptions } from './engine/reading/history.ts';
export type { Logger } from './engine/logger.ts';
export type { Failed, Outcome, Succeeded } from './engine/commands/outcome.ts';
export type { RecordedCommand, RecordedEvent } from './engine/reading/recorded.ts';
export type { ExecuteOptions } from './engine/commands/request.ts';
export type { Status } from './engine/status.ts';
export type { Verification, VerifyOptions } from './engine/upkeep/verify.ts';
export type { Problem } from './engine/upkeep/walk.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';

export {
  AsyncSchema,
  ClockAhead,
  Closed,
  CommandIdReused,
  Conflict,
  ConnectionsBusy,
  DefinitionChanged,
  DomainOutdated,
  FormatTooNew,
  HistoryDiverged,
  InvalidDefinition,
  InvalidEvent,
  InvalidInput,
  LimitExceeded,
  LogCorrupt,
  NotALog,
  NotWritable,
  Overloaded,
  RebuildRequired,
  Rebuilding,
  ReducerFailed,
  StoreUnavailable,
  TidemarkError,
  UnknownCollection,
  UnknownCommand,
  UpcastFailed,
  WrongLog,
  type ErrorDetails,
} from './errors.ts';

export type { DocumentRef, DocumentVersion, LogPoint, Store } from './store/store.ts';
