/** What can be asked of a log. Reads are given the end of what they may see. */
import { Commits } from './reading/commits.ts';
import { Documents } from './reading/documents.ts';
import { Loader } from './reading/load.ts';
import { Reader } from './reading/read.ts';
import { Scanner } from './reading/scan.ts';
import { Types } from './reading/types.ts';
import type { Log } from './schema.ts';
import { Sets } from './writing/sets.ts';
import { RegistryEntries } from './writing/registry.ts';

export type Roles = ReturnType<typeof rolesOf>;

export function rolesOf(log: Log) {
  const registry = new RegistryEntries(log);
  const sets = new Sets(log, registry);
  return {
    registry,
    sets,
    loader: new Loader(log, sets),
    reader: new Reader(log),
    scanner: new Scanner(log),
    commits: new Commits(log),
    types: new Types(log),
    documents: new Documents(log),
  };
}
