/**
 * The domain of the tests that break machines: each commit says of itself how many events it has, and each order what
 * number of its customer's it is, so that plain SQL can tell a half commit or a decision on stale ground.
 */
import { failure, type } from 'tidemark';
import { shop } from './shop-events.ts';

export interface OrderInput {
  readonly order_id: string;
  readonly customer_id: string;
  /** Lines of the order; with none the command fails. */
  readonly skus: readonly string[];
  /** What makes a line long. */
  readonly text: string;
}

export const orders = shop.collection('orders', {
  key: 'order_id',
  initial: { lines: 0 },
  reduce: { LINE_ADDED: (order) => ({ lines: order.lines + 1 }) },
});

export const customers = shop.collection('customers', {
  key: 'customer_id',
  initial: { orders: 0 },
  reduce: { ORDERED: (customer) => ({ orders: customer.orders + 1 }) },
});

export const items = shop.collection('items', {
  key: 'sku',
  initial: { sold: 0 },
  reduce: { LINE_ADDED: (item) => ({ sold: item.sold + 1 }) },
});

export const order = shop.command('ORDER', {
  input: type<OrderInput>(),
  reads: ({ customer_id }) => ({ customer: customers.ref(customer_id) }),
  decide: ({ customer }, { order_id, customer_id, skus, text }) => {
    if (skus.length === 0) return failure('NOTHING_ORDERED');
    const of = skus.length + 1;
    return [
      { type: 'ORDERED', order_id, customer_id, nth: customer.state.orders + 1, index: 0, of },
      ...skus.map((sku, index) => ({ type: 'LINE_ADDED' as const, order_id, sku, text, index: index + 1, of })),
    ];
  },
});

export const parts = { collections: [orders, customers, items], commands: [order] } as const;

/** An order that `random` makes up. */
export function orderOf(order_id: string, random: () => number, textLength = 20): OrderInput {
  const pick = (most: number): number => Math.floor(random() * most);
  return {
    order_id,
    customer_id: `c${pick(8)}`,
    skus: Array.from({ length: pick(5) }, () => `sku${pick(20)}`),
    text: 'x'.repeat(textLength),
  };
}
