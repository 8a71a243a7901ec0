/**
 * Honest load: callers who send a command, read what came of it, think, and send the next. Each command goes to a document
 * that its caller alone writes, and is sent again under its id until it is answered: so the document counts what was
 * acknowledged.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { TidemarkError } from 'tidemark';
import { docs, note, type Shop } from './shop.ts';

const CALLERS = 20;
/** How long one thinks, in milliseconds: together they ask for a small part of what a store can do alone. */
const THINKS_MS = 20;
/** The longest that one caller waits for his command before he is counted as not served, in milliseconds. */
const PATIENCE_MS = 30_000;

export interface Served {
  /** Milliseconds until the last was answered. */
  tookMs: number;
  /** Milliseconds from when it was sent first to when it was answered. */
  readonly commandMs: number[];
  readonly readMs: number[];
  /** Answers that were errors, by code: each was tried again. */
  readonly refused: Map<string, number>;
}

export class Honest {
  readonly #app: Shop;
  /** How often each document was acknowledged to be noted. */
  readonly acknowledged = new Map<string, number>();
  #sent = 0;

  constructor(app: Shop) {
    this.#app = app;
  }

  /** Load for so long. */
  async during(ms: number): Promise<Served> {
    const served: Served = { tookMs: 0, commandMs: [], readMs: [], refused: new Map() };
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: CALLERS }, async (_, caller) => {
        await sleep((THINKS_MS * caller) / CALLERS);
        while (performance.now() - begun < ms) {
          await this.#command(`honest-${caller}`, served);
          await sleep(THINKS_MS);
        }
      }),
    );
    served.tookMs = performance.now() - begun;
    return served;
  }

  async #command(doc_id: string, served: Served): Promise<void> {
    const id = `soak-${process.pid}-${(this.#sent += 1)}`;
    const sent = performance.now();
    for (;;) {
      try {
        const outcome = await this.#app.execute(note, { doc_id }, { id, actor: doc_id });
        if (outcome.status !== 'succeeded') throw new Error(`an honest command failed: ${outcome.reason}`);
        break;
      } catch (error) {
        if (!(error instanceof TidemarkError) || !error.retryable) throw error;
        served.refused.set(error.code, (served.refused.get(error.code) ?? 0) + 1);
        if (performance.now() - sent > PATIENCE_MS)
          throw new Error('an honest caller was not served', { cause: error });
        await sleep(20);
      }
    }
    served.commandMs.push(performance.now() - sent);
    this.acknowledged.set(doc_id, (this.acknowledged.get(doc_id) ?? 0) + 1);
    const asked = performance.now();
    await this.#app.get(docs, doc_id).catch((error: unknown) => {
      if (!(error instanceof TidemarkError)) throw error;
      served.refused.set(`get ${error.code}`, (served.refused.get(`get ${error.code}`) ?? 0) + 1);
    });
    served.readMs.push(performance.now() - asked);
  }

  /** What is wrong with what was acknowledged; empty if nothing is. */
  async missing(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const [id, times] of this.acknowledged) {
      const { version, state } = await this.#app.get(docs, id);
      if (version !== times || state.n !== times)
        wrong.push(`${id} was acknowledged ${times} times, and is at version ${version} with ${state.n}`);
    }
    return wrong;
  }
}
