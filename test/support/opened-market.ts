/** The marketplace, opened for one test. */
import { open, type App, type RecordedEvent, type Store } from 'tidemark';
import { onTestFinished } from 'vitest';
import { parts } from './market.ts';
import { keepingLogger } from './stores.ts';

export type Market = App<(typeof parts.commands)[number], (typeof parts.collections)[number]>;

/** It is closed when the test is done. Who follows the log in it are the readers of the test: it doesn't reduce. */
export async function openedMarket(store: Store): Promise<Market> {
  const app = await open({ store, ...parts, logger: keepingLogger(), reduction: 'off' });
  onTestFinished(() => app.close());
  return app;
}

export const positionsOf = (events: readonly RecordedEvent[]): number[] => events.map(({ position }) => position);
