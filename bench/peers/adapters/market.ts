/** The service as every system but Tidemark folds it: the same events, the same state, the same decision. */
import { PRICE, QUANTITY, SALES_BEFORE, buyerId } from '../peer.ts';

export type ServiceCreated = { service_id: string; seller_id: string; price: number; quantity: number };
export type ServiceBought = { service_id: string; buyer_id: string; price: number };

export interface Service {
  readonly price: number;
  readonly quantity: number;
}

export const NOTHING: Service = { price: 0, quantity: 0 };

export function created(service_id: string): ServiceCreated {
  return { service_id, seller_id: 'seller', price: PRICE, quantity: QUANTITY };
}

/** The sale of one that is left. */
export function bought(service: Service, service_id: string, buyer_id: string): ServiceBought {
  if (service.quantity < 1) throw new Error('SOLD_OUT');
  return { service_id, buyer_id, price: service.price };
}

export const afterCreated = (event: Pick<ServiceCreated, 'price' | 'quantity'>): Service => ({
  price: event.price,
  quantity: event.quantity,
});

export const afterBought = (service: Service): Service => ({ ...service, quantity: service.quantity - 1 });

/** The sales that each service has behind it. */
export function salesBefore(service_id: string, n: number): ServiceBought[] {
  return Array.from({ length: SALES_BEFORE }, (_, sale) => ({
    service_id,
    buyer_id: buyerId(n * SALES_BEFORE + sale),
    price: PRICE,
  }));
}
