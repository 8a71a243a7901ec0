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

export class Roles {
  readonly interned: Interned;
  readonly registry: RegistryEntries;
  readonly loader: Loader;
  readonly reader: Reader;
  readonly scanner: Scanner;
  readonly commits: Commits;
  readonly types: Types;
  readonly documents: Documents;

  constructor(database: DatabaseSync, bounds: CacheBounds) {
    this.interned = new Interned(database, bounds);
    this.commits = new Commits(database, this.interned);
    this.types = new Types(database, this.interned, this.commits);
    this.registry = new RegistryEntries(database, this.types);
    this.loader = new Loader(database, this.interned, this.commits);
    this.reader = new Reader(database, this.interned, this.commits, this.loader);
    this.scanner = new Scanner(database, this.interned, this.commits);
    this.documents = new Documents(database);
  }
}

/** What can also be asked of the connection that writes. */
export class WritingRoles {
  readonly roles: Roles;
  readonly heads: Heads;
  readonly clock: Clock;
  readonly appender: Appender;

  /** @param clock is given the place of its anchor */
  constructor(database: DatabaseSync, bounds: CacheBounds, clock: (shared: AnchorPlace) => Clock) {
    this.roles = new Roles(database, bounds);
    const { commits, loader } = this.roles;
    this.heads = new Heads(database, commits, loader, bounds.documents);
    this.clock = clock(new AnchorTable(database));
    this.appender = new Appender(database, { ...this.roles, heads: this.heads, clock: this.clock });
  }

  /** After a failed transaction: what was cached in it may not exist. */
  forget(): void {
    this.roles.interned.forget();
    this.heads.forget();
  }
}
