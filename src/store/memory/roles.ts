/** What can be asked of a log. What reads is told the end of what may be seen. */
import { Commits } from './reading/commits.ts';
import { Documents } from './reading/documents.ts';
import { Loader } from './reading/load.ts';
import { Reader } from './reading/read.ts';
import { Scanner } from './reading/scan.ts';
import { Types } from './reading/types.ts';
import type { Log } from './schema.ts';
import { RegistryEntries } from './writing/registry.ts';

export class Roles {
  readonly registry: RegistryEntries;
  readonly loader: Loader;
  readonly reader: Reader;
  readonly scanner: Scanner;
  readonly commits: Commits;
  readonly types: Types;
  readonly documents: Documents;

  constructor(log: Log) {
    this.registry = new RegistryEntries(log);
    this.loader = new Loader(log);
    this.reader = new Reader(log);
    this.scanner = new Scanner(log);
    this.commits = new Commits(log);
    this.types = new Types(log);
    this.documents = new Documents(log);
  }
}
