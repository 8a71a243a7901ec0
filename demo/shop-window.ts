/** The shop window: what is on sale, as a visitor sees it, and how that changes while the servers sell. It only looks. */
import { open, type App, type Document, type StateOf, type Store } from 'tidemark';
import { marketplace, services } from './domain.ts';

/** How many services of each page are shown. */
const SHOWN = 5;

/** What a visitor sees. */
export interface Offer {
  readonly title: string;
  readonly seller: string;
  readonly price: number;
  readonly left: number;
}

/** What was seen in the run. */
export interface Seen {
  /** How often the window changed, and was drawn again. */
  readonly pages: number;
  /** Still on sale at the end. */
  readonly onSale: number;
  /** The cheapest of them. */
  readonly cheapest: readonly Offer[];
  /** By seller: how many services of theirs are on sale, and how many are sold out. */
  readonly bySeller: Readonly<Record<string, { readonly onSale: number; readonly soldOut: number }>>;
}

export class ShopWindow {
  readonly #app: App;
  readonly #prefix: string;
  readonly #closed = new AbortController();
  readonly #following: Promise<void>;
  #pages = 0;
  #offers: readonly Offer[] = [];

  static async open(store: Store, prefix: string): Promise<ShopWindow> {
    return new ShopWindow(await open({ store, ...marketplace }), prefix);
  }

  private constructor(app: App, prefix: string) {
    this.#app = app;
    this.#prefix = prefix;
    this.#following = this.#follow();
    // Whoever closes the window is told.
    this.#following.catch(() => undefined);
  }

  /** What is on sale now, the cheapest first. */
  get offers(): readonly Offer[] {
    return this.#offers;
  }

  /** Looks once more, when everything that the log holds is in what it finds. */
  async look(sellers: readonly string[]): Promise<Seen> {
    const app = this.#app;
    const { position } = await app.status();
    const onSale = { $id: { startsWith: this.#prefix }, quantity: { gt: 0 } };
    const soldOut = { $id: { startsWith: this.#prefix }, quantity: 0 };
    const page = await app.find(services, {
      where: onSale,
      orderBy: [{ price: 'asc' }],
      limit: SHOWN,
      fresh: position,
    });
    const bySeller: Record<string, { onSale: number; soldOut: number }> = {};
    for (const seller_id of sellers) {
      bySeller[seller_id.slice(this.#prefix.length)] = {
        onSale: await app.count(services, { where: { ...onSale, seller_id } }),
        soldOut: await app.count(services, { where: { ...soldOut, seller_id } }),
      };
    }
    return {
      pages: this.#pages,
      onSale: await app.count(services, { where: onSale }),
      cheapest: page.documents.map((document) => this.#offer(document)),
      bySeller,
    };
  }

  /** @throws what ended the following, if anything did */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#app.close();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closed;
    const where = { $id: { startsWith: this.#prefix }, quantity: { gt: 0 } };
    const query = { where, orderBy: [{ price: 'asc' }], limit: SHOWN } as const;
    try {
      for await (const { documents } of this.#app.watch(services, query, { signal })) {
        this.#pages += 1;
        this.#offers = documents.map((document) => this.#offer(document));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #offer({ state }: Document<StateOf<typeof services>>): Offer {
    const { title, seller_id, price, quantity } = state;
    return { title, seller: seller_id.slice(this.#prefix.length), price, left: quantity };
  }
}
