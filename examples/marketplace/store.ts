/** Which store the servers share: `sqlite:FILE`, or `memory:` within one process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { InvalidInput, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';

export type StoreSpec =
  { readonly kind: 'memory' } | { readonly kind: 'sqlite'; readonly file: string } | { readonly kind: 'temporary' };

/** @throws InvalidInput if it is no store that this program knows */
export function storeSpec(text: string | undefined): StoreSpec {
  if (text === undefined) return { kind: 'temporary' };
  if (text === 'memory:') return { kind: 'memory' };
  const file = text.startsWith('sqlite:') ? text.slice('sqlite:'.length) : '';
  if (file !== '') {
    try {
      // The name as it was given: resolved, ":memory:" and "file:x.db" would look like any other file.
      sqlite(file);
    } catch (error) {
      throw new InvalidInput(
        `--store sqlite:FILE needs the path of a file, not ${JSON.stringify(file)}. For a log in memory use --store memory:.`,
        { path: 'store' },
        error,
      );
    }
    return { kind: 'sqlite', file: resolve(file) };
  }
  throw new InvalidInput(`--store must be sqlite:FILE or memory:, not ${JSON.stringify(text)}.`, { path: 'store' });
}

/** A place where the log is, for as long as the program runs. */
export interface Place {
  readonly store: Store;
  /** Undefined for a log in memory. */
  readonly file: string | undefined;
  /** Whether it was made for this run. */
  readonly temporary: boolean;
  /** Removes it, if it was made for this run. */
  remove(): void;
}

export function placeOf(spec: StoreSpec): Place {
  if (spec.kind === 'memory') return { store: memory(), file: undefined, temporary: false, remove: () => undefined };
  if (spec.kind === 'sqlite') {
    return { store: sqlite(spec.file), file: spec.file, temporary: false, remove: () => undefined };
  }
  const file = join(mkdtempSync(join(tmpdir(), 'tidemark-marketplace-')), 'market.db');
  const remove = (): void => rmSync(dirname(file), { recursive: true, force: true });
  return { store: sqlite(file), file, temporary: true, remove };
}
