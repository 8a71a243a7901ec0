/** Checks the race: asks the log, folds every document again in a new application, and looks at those that are stored. */
import { open, type App, type Verification } from 'tidemark';
import { digestOf, type AnyDocument } from './digest.ts';
import { marketplace, services, users } from './domain.ts';
import { gather, type Evidence } from './evidence.ts';
import type { Plan } from './plan.ts';
import type { Place } from './store.ts';

export interface Proof {
  readonly evidence: Evidence;
  /** Digests of the run's documents, folded from event 1, in the order of the plan. */
  readonly folded: readonly string[];
  /** Digests of the same documents as they are stored; undefined where none was found. */
  readonly stored: readonly (string | undefined)[];
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
  signal.throwIfAborted();
  const [foldedUsers, foldedServices] = await app.fold([users, services]);
  const ids = plan.documents;
  const folded = [...picked(foldedUsers, ids.users), ...picked(foldedServices, ids.services)];
  const stored = await storedDocuments(app, plan.prefix, signal);
  return {
    evidence,
    folded: folded.map((document) => (document ? digestOf(document) : 'nothing')),
    stored: [...ids.users, ...ids.services].map((id) => stored.get(id)),
    verification: await app.verify(),
  };
}

function picked<D>(documents: ReadonlyMap<string, D>, ids: readonly string[]): (D | undefined)[] {
  return ids.map((id) => documents.get(id));
}

/** All that queries find, once everything that the log holds is in it. */
async function storedDocuments(app: App, prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const { position } = await app.status();
  const found = new Map<string, string>();
  const options = { where: { $id: { startsWith: prefix } }, fresh: position, signal };
  const take = (document: AnyDocument): unknown => found.set(document.id, digestOf(document));
  for await (const document of app.list(users, options)) take(document);
  for await (const document of app.list(services, options)) take(document);
  return found;
}
