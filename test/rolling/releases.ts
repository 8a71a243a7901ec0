/**
 * Two releases of one application. The new one handles notes, which the old one only attaches: in orders and in
 * customers; and it has events and commands that the old one has never heard of. Each decision says what it rested on,
 * so that whether the ground was stale can be read off the log.
 *
 * Notes are stored from the day on that the new one is there: it couldn't begin to handle them in orders later.
 */
import { domain, type } from 'tidemark';

interface Ids {
  readonly order_id: string;
  readonly customer_id: string;
}
type Noted = Ids & { readonly warehouse_id: string };

const oldEvents = {
  ORDERED: type<Ids & { saw_ordered: number }>(),
  NOTED: type<Noted & { saw_notes: number }>(),
};

export function oldRelease() {
  const shop = domain({ events: oldEvents });
  const orders = shop.collection('orders', {
    key: 'order_id',
    initial: { ordered: 0 },
    reduce: { ORDERED: (order) => ({ ordered: order.ordered + 1 }) },
  });
  const customers = shop.collection('customers', {
    key: 'customer_id',
    initial: { ordered: 0 },
    reduce: { ORDERED: (customer) => ({ ordered: customer.ordered + 1 }) },
  });
  const warehouses = shop.collection('warehouses', {
    key: 'warehouse_id',
    initial: { notes: 0 },
    reduce: { NOTED: (warehouse) => ({ notes: warehouse.notes + 1 }) },
  });
  const order = shop.command('ORDER', {
    input: type<Ids>(),
    reads: ({ order_id }) => ({ order: orders.ref(order_id) }),
    decide: (documents, input) => ({ type: 'ORDERED', ...input, saw_ordered: documents.order.state.ordered }),
  });
  /** Counts the notes of a warehouse: all that the old release makes of them. */
  const note = shop.command('NOTE', {
    input: type<Noted>(),
    reads: ({ warehouse_id }) => ({ warehouse: warehouses.ref(warehouse_id) }),
    decide: ({ warehouse }, input) => ({ type: 'NOTED', ...input, saw_notes: warehouse.state.notes }),
  });
  return { orders, customers, warehouses, order, note };
}

export function newRelease() {
  const shop = domain({
    events: {
      ...oldEvents,
      SHIPPED: type<{ order_id: string; saw_ordered: number; saw_noted: number; saw_shipped: number }>(),
      CALLED: type<{ customer_id: string; saw_complaints: number; saw_ordered_by: number }>(),
    },
  });
  const orders = shop.collection('orders', {
    key: 'order_id',
    initial: { ordered: 0, noted: 0, shipped: 0 },
    reduce: {
      ORDERED: (order) => ({ ...order, ordered: order.ordered + 1 }),
      NOTED: (order) => ({ ...order, noted: order.noted + 1 }),
      SHIPPED: (order) => ({ ...order, shipped: order.shipped + 1 }),
    },
  });
  const customers = shop.collection('customers', {
    key: 'customer_id',
    initial: { ordered: 0, complaints: 0 },
    reduce: {
      ORDERED: (customer) => ({ ...customer, ordered: customer.ordered + 1 }),
      NOTED: (customer) => ({ ...customer, complaints: customer.complaints + 1 }),
    },
  });
  const warehouses = shop.collection('warehouses', {
    key: 'warehouse_id',
    initial: { notes: 0 },
    reduce: { NOTED: (warehouse) => ({ notes: warehouse.notes + 1 }) },
  });
  const order = shop.command('ORDER', {
    input: type<Ids>(),
    reads: ({ order_id }) => ({ order: orders.ref(order_id) }),
    decide: (documents, input) => ({ type: 'ORDERED', ...input, saw_ordered: documents.order.state.ordered }),
  });
  const ship = shop.command('SHIP', {
    input: type<{ order_id: string }>(),
    reads: ({ order_id }) => ({ order: orders.ref(order_id) }),
    decide: (documents, { order_id }) => {
      const { ordered, noted, shipped } = documents.order.state;
      return { type: 'SHIPPED', order_id, saw_ordered: ordered, saw_noted: noted, saw_shipped: shipped };
    },
  });
  const call = shop.command('CALL', {
    input: type<{ customer_id: string }>(),
    reads: ({ customer_id }) => ({ customer: customers.ref(customer_id) }),
    decide: ({ customer }, { customer_id }) => ({
      type: 'CALLED',
      customer_id,
      saw_complaints: customer.state.complaints,
      saw_ordered_by: customer.state.ordered,
    }),
  });
  return { orders, customers, warehouses, order, ship, call };
}
