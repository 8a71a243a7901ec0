/** The queries of an application. Collections are those that were given to `open`; everything else is checked here. */
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Document } from '../reading/document.ts';
import type { Page } from './asked.ts';
import { count } from './count.ts';
import { find, list } from './find.ts';
import { KnownFields } from './known-fields.ts';
import type { Queried } from './queried.ts';
import type { Context } from './question.ts';
import { Unserved, type UnservedQuery } from './unserved.ts';
import { watch } from './watch.ts';

export class Queries {
  readonly #context: Context;

  constructor(queried: Queried) {
    this.#context = { queried, known: new KnownFields(queried), unserved: new Unserved() };
  }

  find(collection: CollectionDefinition, options: unknown): Promise<Page<unknown>> {
    return find(this.#context, collection, options);
  }

  count(collection: CollectionDefinition, options: unknown): Promise<number> {
    return count(this.#context, collection, options);
  }

  list(collection: CollectionDefinition, options: unknown): AsyncIterableIterator<Document<unknown>> {
    return list(this.#context, collection, options);
  }

  watch(
    collection: CollectionDefinition,
    query: unknown,
    options: unknown,
  ): AsyncIterableIterator<Page<unknown> | Document<unknown>> {
    return watch(this.#context, collection, query, options);
  }

  /** For `status()`. */
  unserved(): readonly UnservedQuery[] {
    return this.#context.unserved.list();
  }
}
