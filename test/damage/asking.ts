/**
 * Every public call on a log that may be damaged: each call ends with an answer or with an
 * error of src/errors.ts.
 */
import { TidemarkError } from 'tidemark';
import { buyService, createService, services, users } from '../support/market.ts';
import { collect } from '../support/stores.ts';
import { openShopApp, type ShopApp } from './shop-log.ts';

/** By name: what can be asked without changing anything, then what writes. */
export const QUESTIONS: Readonly<Record<string, (app: ShopApp) => Promise<unknown>>> = {
  status: (app) => app.status(),
  get: (app) => app.get(services, 's1'),
  getMany: (app) => app.get(users, ['b0', 'b1', 'b2', 'ann', 'u1', 'nobody']),
  getAtPosition: (app) => app.get(services, ['s1', 's2'], { position: 30 }),
  getAtTime: (app) => app.get(services, ['s1', 'x1'], { time: Date.UTC(2026, 0, 1, 0, 0, 40) }),
  getAtVersion: (app) => app.get(services, 's3', { version: 2 }),
  events: (app) => collect(app.events()),
  eventsReversed: (app) => collect(app.events({ reverse: true, limit: 30 })),
  eventsOfTypes: (app) => collect(app.events({ types: ['SERVICE_BOUGHT', 'BUY_SERVICE_FAILED'] })),
  history: (app) => collect(app.history(services, 's1')),
  historyOfUser: (app) => collect(app.history(users, 'b1', { after: 1 })),
  outcome: (app) => app.outcome('c205'),
  outcomeFailed: (app) => app.outcome('c236'),
  outcomeErrored: (app) => app.outcome('c300'),
  fold: (app) => app.fold([services, users]),
  verify: (app) => app.verify(),
  executeAgain: (app) =>
    app.execute(buyService, { service_id: 's5', buyer_id: 'b5' }, { id: 'c205', actor: 'actor-1' }),
  execute: (app) => app.execute(buyService, { service_id: 's2', buyer_id: 'b1' }),
  executeNew: (app) => app.execute(createService, { service_id: 'brand-new' }),
};

export type Answer = { readonly value: unknown } | { readonly error: unknown };

/** Asks everything, one after the other. */
export async function askEverything(app: ShopApp): Promise<Readonly<Record<string, Answer>>> {
  const answers: Record<string, Answer> = {};
  for (const [name, ask] of Object.entries(QUESTIONS)) {
    answers[name] = await ask(app).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
  }
  return answers;
}

/** Opens a file and asks everything; what surfaced that isn't an error of ours, with the question that it was met at. */
export async function foreignErrors(file: string): Promise<readonly string[]> {
  let app: ShopApp;
  try {
    app = await openShopApp(file);
  } catch (error) {
    return isOurs(error) ? [] : [describe('open', error)];
  }
  const answers = await askEverything(app);
  const closing = await app.close().then(
    () => undefined,
    (error: unknown) => error,
  );
  const found = Object.entries(answers).flatMap(([name, answer]) =>
    'error' in answer && !isOurs(answer.error) ? [describe(name, answer.error)] : [],
  );
  return closing === undefined || isOurs(closing) ? found : [...found, describe('close', closing)];
}

export function isOurs(error: unknown): error is TidemarkError {
  return error instanceof TidemarkError;
}

function describe(where: string, error: unknown): string {
  return `${where}: ${error instanceof Error ? (error.stack ?? String(error)) : String(error)}`;
}
