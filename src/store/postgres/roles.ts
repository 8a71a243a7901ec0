/** What can be asked of a log, each by a query that it is given. */
import { Commits } from './reading/commits.ts';
import { Documents } from './reading/documents.ts';
import { Loader } from './reading/load.ts';
import { Reader } from './reading/read.ts';
import { Scanner } from './reading/scan.ts';
import { Types } from './reading/types.ts';
import { Appender } from './writing/append.ts';
import type { AppendSettings } from './writing/append.ts';
import { RegistryEntries } from './writing/registry.ts';

export class Roles {
  readonly registry: RegistryEntries;
  readonly appender: Appender;
  readonly loader: Loader;
  readonly reader: Reader;
  readonly scanner: Scanner;
  readonly commits: Commits;
  readonly types: Types;
  readonly documents: Documents;

  /** `schema` is quoted. */
  constructor(schema: string, settings: AppendSettings) {
    this.registry = new RegistryEntries(schema);
    this.appender = new Appender(schema, settings);
    this.loader = new Loader(schema);
    this.reader = new Reader(schema);
    this.scanner = new Scanner(schema);
    this.commits = new Commits(schema);
    this.types = new Types(schema);
    this.documents = new Documents(schema);
  }
}
