/**
 * What is asked of a pool of `pg`'s. In a file of its own, and written out: the declarations that users compile against
 * then need neither types of `pg` nor of Node.
 */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'connect', listener: (client: Pick<PostgresClient, 'on'>) => void): unknown;
  end(): Promise<void>;
  readonly options?: { readonly max?: number | undefined } | undefined;
}

export interface PostgresClient {
  query(query: { text: string; values?: unknown[]; rowMode: 'array' }): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
  release(destroy?: boolean): void;
}
