/** Which store the servers share: `sqlite:FILE`, `postgres://…`, or `memory:` within one process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { Misused, shown } from '../scripts/options.ts';
import { start } from '../scripts/postgres-server.ts';

export type StoreSpec =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'temporary' }
  | { readonly kind: 'postgres'; readonly url: string }
  /** A server that is started for the run. */
  | { readonly kind: 'own postgres' };

/** The schema that holds the log in a PostgreSQL database. */
export const SCHEMA = 'marketplace';

/** @throws Misused if it isn't a store that this program knows */
export function storeSpec(text: string | undefined): StoreSpec {
  if (text === undefined) return { kind: 'temporary' };
  if (text === 'memory:') return { kind: 'memory' };
  if (text === 'postgres:') return { kind: 'own postgres' };
  const file = text.startsWith('sqlite:') ? text.slice('sqlite:'.length) : '';
  if (file !== '') {
    try {
      // The name is checked as it was given: resolved, ":memory:" and "file:x.db" would look like any other file.
      sqlite(file);
    } catch {
      throw new Misused(
        `--store sqlite:FILE needs the path of a file, not ${shown(file)}. For a log in memory use --store memory:.`,
      );
    }
    return { kind: 'sqlite', file: resolve(file) };
  }
  if (/^postgres(ql)?:\/\//.test(text)) {
    try {
      postgres(text);
    } catch (error) {
      throw new Misused(`--store: ${(error as Error).message}`);
    }
    return { kind: 'postgres', url: text };
  }
  throw new Misused(`--store must be sqlite:FILE, postgres://…, postgres: or memory:, not ${shown(text)}.`);
}

/** A place where the log is, for as long as the program runs. */
export interface Place {
  readonly store: Store;
  /**
   * The address with which another process opens the same log: `sqlite:FILE` or a URL. Undefined for a log in memory. It is sent by
   * a message, because it may hold a password, and everybody on the machine can read the arguments of a process.
   */
  readonly address: string | undefined;
  /** The same for messages, without a password. */
  readonly shown: string;
  /** The text about the log after a run that failed, if the log was made for this run. */
  readonly left: string | undefined;
  /** Removes what was made for this run; a file is kept if the run failed. */
  end(failed: boolean): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

export async function placeOf(spec: StoreSpec): Promise<Place> {
  switch (spec.kind) {
    case 'memory':
      return { store: memory(), address: undefined, shown: 'memory:', left: undefined, end: nothing };
    case 'sqlite':
      return placeAt(`sqlite:${spec.file}`);
    case 'postgres':
      return placeAt(spec.url);
    case 'own postgres': {
      const { url, end } = await start();
      const left = 'The log is gone with the server that was started for it: to keep one, use --store postgres://…';
      return { ...placeAt(url), left, end };
    }
    case 'temporary': {
      const file = join(mkdtempSync(join(tmpdir(), 'tidemark-marketplace-')), 'market.db');
      const end = async (failed: boolean): Promise<void> => {
        if (!failed) rmSync(dirname(file), { recursive: true, force: true });
      };
      return { ...placeAt(`sqlite:${file}`), left: `The log is kept: ${file}`, end };
    }
  }
}

function placeAt(address: string): Place {
  return { store: storeAt(address), address, shown: withoutPassword(address), left: undefined, end: nothing };
}

/** The log at an address, as a server process is given it. */
export function storeAt(address: string): Store {
  const file = fileOf(address);
  return file === undefined ? postgres(address, { schema: SCHEMA }) : sqlite(file);
}

/** The file of an address; undefined if it is a database's. */
export function fileOf(address: string): string | undefined {
  return address.startsWith('sqlite:') ? address.slice('sqlite:'.length) : undefined;
}

function withoutPassword(address: string): string {
  return address.replace(/^(postgres(?:ql)?:\/\/[^/?#]*?):[^/?#]*@/, '$1@');
}
