/** Checks the race: asks the log, and folds every document again in a new application. */
import { open, type Verification } from 'tidemark';
import { digestsOf, pages } from './digest.ts';
import { marketplace } from './domain.ts';
import { gather, type Evidence } from './evidence.ts';
import type { Plan } from './plan.ts';
import type { Place } from './store.ts';

export interface Proof {
  readonly evidence: Evidence;
  /** Digests of the run's documents, folded from event 1. */
  readonly folded: readonly string[];
  readonly verification: Verification;
}

export async function prove(
  place: Pick<Place, 'store' | 'address'>,
  plan: Plan,
  expectedSales: number,
  signal: AbortSignal,
): Promise<Proof> {
  await using app = await open({ store: place.store, ...marketplace });
  const evidence = await gather(place.address, app, plan.prefix, expectedSales);
  const folded: string[] = [];
  for (const page of pages(plan.documents)) {
    signal.throwIfAborted();
    folded.push(...(await digestsOf(app, page)));
  }
  signal.throwIfAborted();
  return { evidence, folded, verification: await app.verify() };
}
