/** What users get without writing a type argument. Checked by the type check; nothing here runs. */
import type { AnyEvent, Document, EventOf, Outcome } from 'tidemark';
import { open, type App } from 'tidemark';
import { memory } from 'tidemark/memory';
import { buyService, confirm, type market, reprice, services, users, type Service } from './market.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(equal: Equal<A, B>): void;

// Events.
same<
  EventOf<typeof market, 'SERVICE_BOUGHT'>,
  { readonly type: 'SERVICE_BOUGHT'; readonly service_id: string; readonly buyer_id: string; readonly price: number }
>(true);
same<
  EventOf<typeof market>['type'],
  | 'USER_REGISTERED'
  | 'SERVICE_CREATED'
  | 'SERVICE_BOUGHT'
  | 'BASKET_PAID'
  | 'PRICE_CHANGED'
  | 'STATUS'
  | 'REVIEWED'
  | 'LOGIN_FAILED'
>(true);
same<EventOf<typeof market, 'USER_REGISTERED'>['vip'], boolean>(true);
same<EventOf<typeof market, 'PRICE_CHANGED'>['cents'], number>(true);
same<
  EventOf<typeof market, 'REVIEWED'>,
  { readonly type: 'REVIEWED'; readonly service_id: string; readonly stars: number }
>(true);
declare const paid: EventOf<typeof market, 'BASKET_PAID'>;
// @ts-expect-error events are read-only all the way down
paid.lines[0]!.qty = 2;

// The application.
const app = await open({ store: memory(), collections: [users, services], commands: [buyService, reprice, confirm] });
const outcome = await app.execute(buyService, { service_id: 's1', buyer_id: 'b1' }, { id: 'c1' });
if (outcome.status === 'failed') {
  same<typeof outcome.reason, 'UNKNOWN_SERVICE' | 'SOLD_OUT' | 'ERROR'>(true);
  same<typeof outcome.retryable, boolean>(true);
  same<(typeof outcome.events)[number]['event'], AnyEvent>(true);
} else {
  same<(typeof outcome.events)[number]['event'], EventOf<typeof market, 'SERVICE_BOUGHT'>>(true);
}
const confirmed = await app.execute(confirm, { service_id: 's1' });
if (confirmed.status === 'succeeded') {
  same<
    (typeof confirmed.events)[number]['event'],
    EventOf<typeof market, 'SERVICE_BOUGHT'> | { readonly type: '$UNCHANGED'; readonly command: string }
  >(true);
}
const recorded = await app.outcome('c1');
same<typeof recorded, Outcome<string, AnyEvent> | undefined>(true);

// A schema's input goes in, its output is decided on.
await app.execute(reprice, { basket_id: 'b1', factor: '2' });

const service = await app.get(services, 's1');
same<typeof service, Document<Service>>(true);
same<typeof service.state.status, 'none' | 'open' | 'closed'>(true);
// @ts-expect-error states are read-only
service.state.quantity = 3;
// @ts-expect-error and so are the arrays in them
service.state.tags.push('x');
const both = await app.get(users, ['u1', 'u2'], { position: 3 });
same<(typeof both)[number]['state']['spent'], number>(true);
// @ts-expect-error a version belongs to a single document
await app.get(users, ['u1'], { version: 3 });

// A function over any application, and one over an application with a command.
async function anywhere(anyApp: App): Promise<string> {
  return (await anyApp.execute(buyService, { service_id: 's', buyer_id: 'b' })).status;
}
void anywhere;
async function here(buyer: App<typeof buyService>): Promise<void> {
  await buyer.execute(buyService, { service_id: 's', buyer_id: 'b' });
}
void here(app);
