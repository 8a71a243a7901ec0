/**
 * What the author of a storage engine needs: the contract and its bounds, the chain's hash (docs/hash-chain.md), what
 * becomes of collections that are registered, and the waiting that engines share.
 */
export { chainHash, GENESIS_HASH } from './chain.ts';
export { grownBy, type LogFacts } from './registered.ts';
export { Waiters, type Watch } from './waiters.ts';
export {
  CLOCK_AHEAD_MAX_MS,
  LOAD_EVENTS_MAX,
  MOVED_MS,
  PAGE_ATTACHMENTS_MAX,
  PAGE_BYTES_MAX,
  PAGE_POSITIONS_MAX,
  PAGE_ROWS_MAX,
  STALE_EVENTS_MAX,
} from './store.ts';
export type {
  Appended,
  Batch,
  Closing,
  CollectionEntry,
  CommandFacts,
  Commit,
  CommitFacts,
  CommitRange,
  DocumentEvent,
  DocumentHead,
  DocumentRange,
  DocumentRef,
  DocumentsRange,
  DocumentVersion,
  EventFacts,
  EventPage,
  Health,
  HeldType,
  Loaded,
  LoadOptions,
  LoadRequest,
  Locked,
  LogEnd,
  LogPoint,
  LogRange,
  NewEvent,
  Opening,
  Refused,
  Registry,
  ScannedEvent,
  ScanPage,
  ScanRange,
  Session,
  Store,
  Stored,
  StoredCommit,
  StoredEvent,
  TypesRange,
} from './store.ts';
