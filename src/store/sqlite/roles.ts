/** What can be asked of a connection. */
import type { DatabaseSync } from 'node:sqlite';
import type { AnchorPlace, Clock } from '../clock.ts';
import { Commits } from './reading/commits.ts';
import { Documents } from './reading/documents.ts';
import { Loader } from './reading/load.ts';
import { Reader } from './reading/read.ts';
import { Scanner } from './reading/scan.ts';
import { Types } from './reading/types.ts';
import { AnchorTable } from './writing/anchor.ts';
import { Appender } from './writing/append.ts';
import { Heads } from './writing/heads.ts';
import { Interned, type CacheBounds } from './writing/interned.ts';
import { RegistryEntries } from './writing/registry.ts';

export type Roles = ReturnType<typeof rolesOf>;

export function rolesOf(database: DatabaseSync, bounds: CacheBounds) {
  const interned = new Interned(database, bounds);
  const commits = new Commits(database, interned);
  const types = new Types(database, interned, commits);
  const loader = new Loader(database, interned, commits);
  return {
    interned,
    commits,
    types,
    loader,
    registry: new RegistryEntries(database, types),
    reader: new Reader(database, interned, commits, loader),
    scanner: new Scanner(database, interned, commits),
    documents: new Documents(database),
  };
}

export type WritingRoles = ReturnType<typeof writingRolesOf>;

/** What can also be asked of the connection that writes. `makeClock` is given the place of its anchor. */
export function writingRolesOf(database: DatabaseSync, bounds: CacheBounds, makeClock: (shared: AnchorPlace) => Clock) {
  const roles = rolesOf(database, bounds);
  const heads = new Heads(database, roles.commits, roles.loader, bounds.documents);
  const clock = makeClock(new AnchorTable(database));
  return {
    roles,
    clock,
    appender: new Appender(database, { ...roles, heads, clock }),
    /** After a failed transaction: what was cached in it may not exist. */
    forget(): void {
      roles.interned.forget();
      heads.forget();
    },
  };
}
