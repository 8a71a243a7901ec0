/**
 * What is asked of a pool of `pg`'s. In a file of its own, and written out: the declarations that users compile against
 * then need neither types of `pg` nor of Node.
 */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'connect', listener: (client: Pick<PostgresClient, 'on'>) => void): unknown;
  end(): Promise<void>;
  readonly options?: { readonly max?: number | undefined; readonly binary?: boolean | undefined } | undefined;
}

export interface PostgresClient {
  /** The process of the server's that the connection was said to lead to. */
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
  /** The function of PostgreSQL's that says it. The text of what PostgreSQL itself says may be in any language. */
  readonly routine?: string | undefined;
  readonly message?: string | undefined;
}
