/** The events of the tests that break machines: orders say how long they are, purchases which place they took. */
import { domain, type } from 'tidemark';

export const shop = domain({
  events: {
    ORDERED: type<{ order_id: string; customer_id: string; nth: number; index: number; of: number }>(),
    LINE_ADDED: type<{ order_id: string; sku: string; text: string; index: number; of: number }>(),
    OPENED: type<{ service_id: string; places: number }>(),
    BOUGHT: type<{ service_id: string; buyer_id: string; place: number }>(),
  },
});
