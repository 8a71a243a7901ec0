/** What can be asked of a connection. */
import type { DatabaseSync } from 'node:sqlite';
import type { AnchorPlace, Clock } from '../clock.ts';
import { Commits } from './reading/commits.ts';
import { Documents } from './reading/documents.ts';
import { Later } from './reading/later.ts';
import { Loader } from './reading/load.ts';
import { Reader } from './reading/read.ts';
import { Scanner } from './reading/scan.ts';
import { StoredDocuments } from './reading/stored.ts';
import { Types } from './reading/types.ts';
import { Sweeping } from './upkeep/sweep.ts';
import { AnchorTable } from './writing/anchor.ts';
import { Appender } from './writing/append.ts';
import { Filling } from './writing/filling.ts';
import { Heads } from './writing/heads.ts';
import { Interned, type CacheBounds } from './writing/interned.ts';
import { RegistryEntries } from './writing/registry.ts';
import { Sets } from './writing/sets.ts';

export type Roles = ReturnType<typeof rolesOf>;

export function rolesOf(database: DatabaseSync, bounds: CacheBounds) {
  const interned = new Interned(database, bounds);
  const commits = new Commits(database, interned);
  const types = new Types(database, interned, commits);
  const registry = new RegistryEntries(database, types);
  const stored = new StoredDocuments(database);
  const later = new Later(database, interned);
  const loader = new Loader(database, { interned, commits, stored, registry });
  return {
    interned,
    commits,
    types,
    loader,
    registry,
    stored,
    reader: new Reader(database, { interned, commits, loader, later }),
    scanner: new Scanner(database, interned, commits, later),
    documents: new Documents(database),
  };
}

export type WritingRoles = ReturnType<typeof writingRolesOf>;

/** What can also be asked of the connection that writes. `makeClock` is given the place of its anchor. */
export function writingRolesOf(database: DatabaseSync, bounds: CacheBounds, makeClock: (shared: AnchorPlace) => Clock) {
  const roles = rolesOf(database, bounds);
  const heads = new Heads(database, roles.commits, roles.loader, bounds.documents);
  const clock = makeClock(new AnchorTable(database));
  const sweeping = new Sweeping(database, roles.registry);
  const sets = new Sets(database, roles);
  return {
    roles,
    clock,
    sets,
    filling: new Filling(database, { ...roles, heads, sets }),
    sweeping,
    appender: new Appender(database, { ...roles, heads, clock }),
    /** After a failed transaction: what was cached in it may not exist. */
    forget(): void {
      roles.interned.forget();
      heads.forget();
      sweeping.forget();
    },
  };
}
