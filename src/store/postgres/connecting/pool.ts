/**
 * What a pool of `pg` must have. Written out in its own file, so that the declarations that users compile against need no
 * types of `pg` or Node.
 */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'connect', listener: (client: Pick<PostgresClient, 'on'>) => void): unknown;
  end(): Promise<void>;
  readonly options?: { readonly max?: number | undefined; readonly binary?: boolean | undefined } | undefined;
}

export interface PostgresClient {
  /** The process id that the server gave for the connection. */
  readonly processID?: number | undefined;
  query(query: { text: string; values?: unknown[]; rowMode: 'array' }): Promise<unknown>;
  on(event: 'error' | 'end', listener: (error: Error) => void): unknown;
  on(event: 'notification', listener: () => void): unknown;
  on(event: 'notice', listener: (notice: PostgresNotice) => void): unknown;
  off(event: 'error' | 'end', listener: (error: Error) => void): unknown;
  off(event: 'notification', listener: () => void): unknown;
  off(event: 'notice', listener: (notice: PostgresNotice) => void): unknown;
  release(destroy?: boolean): void;
}

export interface PostgresNotice {
  /** The function of PostgreSQL that sends it. (The text of PostgreSQL's own notices may be in any language.) */
  readonly routine?: string | undefined;
  readonly message?: string | undefined;
}
