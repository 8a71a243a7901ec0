/** A theatre, opened for one test, and what must be so of its documents. */
import { open, type OpenOptions } from 'tidemark';
import { expect, onTestFinished } from 'vitest';
import { collect, keepingLogger } from './stores.ts';
import type { Theatre, TheatreApp } from './theatre.ts';
import { until } from './until.ts';

/** A release on a store, closed when the test is done. */
export async function opened(
  { parts }: Theatre,
  options: Pick<OpenOptions<[], []>, 'store'> & Partial<OpenOptions<[], []>>,
): Promise<TheatreApp> {
  const app = (await open({
    logger: keepingLogger(),
    ...options,
    collections: parts.collections,
    commands: parts.commands,
  } as never)) as unknown as TheatreApp;
  onTestFinished(() => app.close());
  return app;
}

/** Resolves once everything is made and reduced, as the application knows. */
export async function settled(app: TheatreApp): Promise<void> {
  await until(async () => {
    const { making, reduction } = await app.status();
    return making.length === 0 && reduction.lagEvents === 0;
  });
}

const byId = (one: { id: string }, other: { id: string }): number => (one.id < other.id ? -1 : 1);

/** Everything that is stored of a collection is what its events fold to (law 4), and it is found. */
export async function expectReduced(
  app: TheatreApp,
  collection: Theatre['seats'] | Theatre['rooms'],
): Promise<ReadonlyMap<string, { readonly version: number; readonly state: unknown }>> {
  await settled(app);
  const folded = await app.fold(collection);
  const found = await collect(app.list(collection));
  const existing = [...folded.values()].filter(({ id }) => !folded.failed.has(id) && folded.get(id)!.exists);
  expect(found.toSorted(byId)).toEqual(existing.toSorted(byId));
  expect((await app.verify()).problems).toEqual([]);
  return folded as never;
}
