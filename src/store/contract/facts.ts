/** What a log holds: the words that all parts of the contract share. */

/** An end of the log: the last position of a commit, and the chain's hash there. Position 0 has 64 zeros. */
export interface LogPoint {
  readonly position: number;
  readonly hash: string;
}

export interface LogEnd extends LogPoint {
  /** `recordedAt` of the last commit; 0 where there is none. */
  readonly recordedAt: number;
}

export interface DocumentRef {
  readonly collection: string;
  readonly id: string;
}

export interface DocumentVersion {
  readonly collection: string;
  readonly id: string;
  readonly version: number;
}

/** The command: the part of a commit that the ledger keeps. */
export interface CommandFacts {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the canonical JSON of name, actor and raw input. */
  readonly fingerprint: string;
  readonly actor?: string | undefined;
  readonly correlation?: string | undefined;
  readonly causation?: string | undefined;
}

/** The outcome of a command: the facts that the digest covers, without the events. */
export interface CommitFacts {
  readonly command: CommandFacts;
  readonly outcome: 'succeeded' | 'failed';
  /** Whether the command id is used up. */
  readonly final: boolean;
  readonly reason?: string | undefined;
  /** Details of a failure, as JSON text. */
  readonly details?: string | undefined;
  /** When it was decided. */
  readonly time: number;
}

/** The part of an event that is a fact, and hashed. */
export interface EventFacts {
  readonly type: string;
  /** From 1, of the type's schema; 0 where no schema has checked it. At most 32 bits. */
  readonly schemaVersion: number;
  /** The fields without `type`: the exact text that is stored and hashed. Nothing may assume that it can be read. */
  readonly json: string;
}

/** What a fold needs of an event. */
export interface DocumentEvent extends EventFacts {
  /** The version of the document that the event made. */
  readonly version: number;
  readonly position: number;
  /** When the event was decided. */
  readonly time: number;
}
