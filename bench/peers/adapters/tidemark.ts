/** Tidemark, with the marketplace of its own benchmark. */
import { open, type Store } from '../../../src/index.ts';
import { atOnce } from '../at-once.ts';
import { PRICE, QUANTITY, SALES_BEFORE, buyerId, serviceId, type Shop } from '../peer.ts';
import { buyService, createService, parts } from '../../workload.ts';

export const SETUP = 'defaults; decides again by itself';

/** Wide, so that seeding goes in large batches. */
const LANES = 500;

export async function openShop(store: Store): Promise<Shop> {
  const app = await open({ store, ...parts });
  return {
    buy: async (service_id, buyer_id) => {
      const outcome = await app.execute(buyService, { service_id, buyer_id });
      if (outcome.status !== 'succeeded') throw Object.assign(new Error(outcome.reason), { name: outcome.reason });
    },
    gathered: async () => {
      const { batches, retried } = (await app.status()).counters;
      return { batches, retried };
    },
    close: () => app.close(),
  };
}

export async function seedShop(store: Store, services: number): Promise<void> {
  await using app = await open({ store, ...parts });
  await atOnce(LANES, services, async (n) => {
    const service_id = serviceId(n);
    await app.execute(createService, { service_id, seller_id: 'seller', price: PRICE, quantity: QUANTITY });
    for (let sale = 0; sale < SALES_BEFORE; sale += 1)
      await app.execute(buyService, { service_id, buyer_id: buyerId(n * SALES_BEFORE + sale) });
  });
}
