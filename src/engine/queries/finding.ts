/** The part of an application that finds documents. */
import type { AnyCollection, Collection } from '../../model/collection.ts';
import type { Document } from '../reading/document.ts';
import type { CountOptions, FindOptions, ListOptions, Page, WatchOptions, WatchQuery } from './asked.ts';

/** The state of a collection's documents. */
type StateOf<C> = C extends Collection<string, infer State> ? State : never;

export interface Finding<Collections extends AnyCollection = AnyCollection> {
  /**
   * The documents of a collection that exist and are what `where` asks for, in an order, a page at a time. An index that begins
   * with what is asked for makes it fast; without one all documents are looked at, and `status()` names the query.
   *
   * @throws InvalidInput if an option is wrong: an unknown operator, `undefined`, a field that no document has, a cursor of
   * another query; Rebuilding while the documents are being made; and the store's errors, as `execute`
   * @example
   * ```ts
   * import { domain, open, type } from 'tidemark';
   * import { memory } from 'tidemark/memory';
   *
   * const shop = domain({ events: { OFFERED: type<{ item_id: string; price: number }>() } });
   * const items = shop.collection('items', {
   *   key: 'item_id',
   *   initial: { price: 0 },
   *   reduce: { OFFERED: (_, { price }) => ({ price }) },
   *   indexes: ['price'],
   * });
   * const offer = shop.command('OFFER', {
   *   input: type<{ item_id: string; price: number }>(),
   *   decide: (_, input) => ({ type: 'OFFERED', ...input }),
   * });
   * await using app = await open({ store: memory(), collections: [items], commands: [offer] });
   *
   * await app.execute(offer, { item_id: 'pen', price: 2 });
   * await app.execute(offer, { item_id: 'desk', price: 90 });
   * const cheap = await app.find(items, { where: { price: { lt: 10 } }, orderBy: [{ price: 'asc' }], limit: 20 });
   * console.log(cheap.documents.map(({ id }) => id)); // [ 'pen' ]
   * ```
   */
  find<C extends Collections>(collection: C, options?: FindOptions<StateOf<C>>): Promise<Page<StateOf<C>>>;

  /**
   * How many documents exist and are what `where` asks for. Each of them is looked at. One that is so throughout counts once, and
   * one that never is doesn't count, whatever changes meanwhile.
   *
   * @throws as {@link Finding.find}
   */
  count<C extends Collections>(collection: C, options?: CountOptions<StateOf<C>>): Promise<number>;

  /**
   * All documents that exist and are what `where` asks for, by `$id`, read page after page while it is iterated. A document that
   * is there throughout comes once, whatever changes meanwhile. Ends with `break`, or with the signal's reason.
   *
   * @throws InvalidInput at once if an option is wrong; otherwise while iterating, as {@link Finding.find}
   */
  list<C extends Collections>(
    collection: C,
    options?: ListOptions<StateOf<C>>,
  ): AsyncIterableIterator<Document<StateOf<C>>>;

  /**
   * A page, now and again whenever it has changed: other documents, another version of one, or whether there are more. A slow
   * reader gets the newest page, not every one. While the store can't be reached it waits. It ends with `break`, with the
   * signal's reason, or with `Closed`.
   *
   * @throws InvalidInput at once if an option is wrong; otherwise while iterating, as {@link Finding.find}
   */
  watch<C extends Collections>(
    collection: C,
    query: WatchQuery<StateOf<C>>,
    options?: WatchOptions,
  ): AsyncIterableIterator<Page<StateOf<C>>>;
  /**
   * The same for one document, also before it exists. Throws `ReducerFailed` once it can't be folded further, and `LimitExceeded` once
   * its state is too large to be stored.
   */
  watch<C extends Collections>(
    collection: C,
    id: string,
    options?: WatchOptions,
  ): AsyncIterableIterator<Document<StateOf<C>>>;
}
