/** A server process: one adapter, told what to do by messages. */
import { load } from './load.ts';
import type { Done, Peer, Shop, Work } from './peer.ts';

export type Order =
  | { readonly do: 'seed'; readonly services: number }
  | { readonly do: 'open' }
  | { readonly do: 'work'; readonly work: Work }
  | { readonly do: 'count' }
  | { readonly do: 'close' };

export type Answer =
  | { readonly status: 'about'; readonly packages: readonly string[]; readonly setup: string }
  | { readonly status: 'done'; readonly done?: Done; readonly count?: number }
  | { readonly status: 'failed'; readonly why: string };

const [, , adapter, place] = process.argv;
let shop: Shop | undefined;

async function obey(peer: Peer, place: string, order: Order): Promise<Answer> {
  switch (order.do) {
    case 'seed':
      await peer.seed(place, order.services);
      return { status: 'done' };
    case 'open':
      shop = await peer.open(place);
      return { status: 'done' };
    case 'work':
      return { status: 'done', done: await (shop!.run?.(order.work) ?? load(shop!, order.work)) };
    case 'count':
      return { status: 'done', count: await peer.count(place) };
    default:
      await shop?.close();
      return { status: 'done' };
  }
}

const why = (error: unknown): string => (error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));

// What a system throws out of turn is no reason to end: the control counts what it has stored.
process.on('uncaughtException', (error) => console.error(`${adapter}: ${why(error)}`));
process.on('unhandledRejection', (error) => console.error(`${adapter}: ${why(error)}`));
process.on('disconnect', () => process.exit());

try {
  const { peer } = (await import(`./adapters/${adapter}.ts`)) as { peer: Peer };
  process.on('message', (order: Order) => {
    void obey(peer, place!, order).then(
      (answer) => process.send!(answer),
      (error: unknown) => process.send!({ status: 'failed', why: why(error) } satisfies Answer),
    );
  });
  process.send!({ status: 'about', packages: peer.packages, setup: peer.setup } satisfies Answer);
} catch (error) {
  process.send!({ status: 'failed', why: why(error) } satisfies Answer);
}
