/** What can be asked of a log, each by the query that it is given. The classes are those of every store. */
import { Commits } from './reading/commits.ts';
import { Documents } from './reading/documents.ts';
import { Loader } from './reading/load.ts';
import { Reader } from './reading/read.ts';
import { Scanner } from './reading/scan.ts';
import { StoredDocuments } from './reading/stored.ts';
import { Types } from './reading/types.ts';
import { Appender, type AppendSettings } from './writing/append.ts';
import { Attacher } from './writing/attach.ts';
import { RegistryEntries } from './writing/registry.ts';
import { Sets } from './writing/sets.ts';

export class Roles {
  readonly registry: RegistryEntries;
  readonly appender: Appender;
  readonly attacher: Attacher;
  readonly sets: Sets;
  readonly loader = new Loader();
  readonly reader = new Reader();
  readonly scanner = new Scanner();
  readonly commits = new Commits();
  readonly types = new Types();
  readonly documents = new Documents();
  readonly storedDocuments = new StoredDocuments();

  /** `schema` is quoted. */
  constructor(schema: string, settings: AppendSettings) {
    const { lockTimeoutMs } = settings;
    this.registry = new RegistryEntries(schema, lockTimeoutMs);
    this.appender = new Appender(schema, settings);
    this.attacher = new Attacher(schema, lockTimeoutMs);
    this.sets = new Sets(schema, lockTimeoutMs);
  }
}
