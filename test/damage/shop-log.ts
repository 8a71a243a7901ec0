/**
 * The log that is damaged in these tests: commands of every kind, so that every column of every table holds something,
 * and small enough to be copied, damaged and verified hundreds of times.
 */
import { failure, open, type App } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import * as z from 'zod';
import { buyService, createService, market, parts, services, viewService } from '../support/market.ts';
import { keepingLogger } from '../support/stores.ts';

/** Several events in one commit. */
export const openShop = market.command('OPEN_SHOP', {
  input: z.object({ user_id: z.string(), service_ids: z.array(z.string()) }),
  decide: (_, { user_id, service_ids }) => [
    { type: 'USER_REGISTERED', user_id, name: `Käte 𝒳 \ufffd ${user_id}` },
    ...service_ids.map((service_id) => ({
      type: 'SERVICE_CREATED' as const,
      service_id,
      seller_id: user_id,
      title: 'Sitzplatz',
      price: 7,
      quantity: 1,
    })),
  ],
});

/** Goes wrong: an outcome that isn't final. */
export const stumble = market.command('STUMBLE', {
  input: z.object({ service_id: z.string() }),
  reads: ({ service_id }) => ({ service: services.ref(service_id) }),
  decide: ({ service }) => {
    if (service.exists) throw new TypeError('stumbled');
    return failure('UNKNOWN_SERVICE');
  },
});

export const shopParts = {
  collections: parts.collections,
  commands: [...parts.commands, openShop, stumble],
} as const;

export type ShopApp = App<(typeof shopParts.commands)[number], (typeof shopParts.collections)[number]>;

/** An application on a log, quiet, with a clock of its own. */
export function openShopApp(file: string, clock?: () => number): Promise<ShopApp> {
  // What is damaged is met by the calls of a test, not before; what was registered must not be made anew.
  const quiet = { reduction: 'off', definitions: 'refuse' } as const;
  return open({ store: sqlite(file), ...shopParts, logger: keepingLogger(), clock, ...quiet });
}

/** Where commits of {@link fill} are, by what they are there for. */
export const AT = {
  created: 3,
  /** The first of three events of one commit. */
  shop: 11,
  bought: 20,
  soldOut: 48,
  errored: 54,
  viewed: 55,
  last: 58,
} as const;

/** The number of commits, and of events: 1..10 created, 11..16 two shops, 17..53 purchases, then what goes wrong. */
export const COMMITS = 54;

/** Fills an empty log. The same each time but for the commands' ids that it doesn't name. */
export async function fill(app: ShopApp, prefix = ''): Promise<void> {
  const by = (n: number) => ({
    id: `${prefix}c${n}`,
    actor: `actor-${n % 3}`,
    correlation: 'tour',
    causation: `e${n}`,
  });
  for (let n = 0; n < 10; n += 1) {
    await app.execute(createService, { service_id: `${prefix}s${n}`, quantity: 3, title: `Füße ${n}` }, by(n));
  }
  await app.execute(openShop, { user_id: `${prefix}u1`, service_ids: [`${prefix}x1`, `${prefix}x2`] }, by(100));
  await app.execute(openShop, { user_id: `${prefix}u2`, service_ids: [`${prefix}x3`, `${prefix}x4`] }, by(101));
  for (let n = 0; n < 37; n += 1) {
    await app.execute(buyService, { service_id: `${prefix}s${n % 10}`, buyer_id: `b${n % 7}` }, by(200 + n));
  }
  await app.execute(stumble, { service_id: `${prefix}s1` }, by(300));
  await app.execute(viewService, { service_id: `${prefix}s1` });
  await app.execute(buyService, { service_id: `${prefix}none`, buyer_id: 'b1' }, by(301));
  await app.execute(createService, { service_id: `${prefix}s1` }, by(302));
  await app.execute(viewService, { service_id: `${prefix}s2` }, by(303));
}

/** Makes a log in a file, closes it, and tells where it ends. */
export async function makeShopLog(file: string): Promise<{ readonly position: number; readonly hash: string }> {
  let now = Date.UTC(2026, 0, 1);
  await using app = await openShopApp(file, () => (now += 1_000));
  await fill(app);
  const { position, hash } = await app.status();
  return { position, hash };
}
