/**
 * The answers of the servers, by command. An id that was sent several times must get the same answer each time, and must be
 * answered as new exactly once (law 1).
 */
import type { Answer } from './server.ts';

export interface Answered {
  /** The server that answered it as new. */
  server: string | undefined;
  readonly reason: string | null;
  readonly position: number;
  readonly sold: boolean;
  /** How often it was answered, and how often as new. */
  sent: number;
  fresh: number;
  /** Whether two answers differed. */
  contradicted: boolean;
}

export class Answers {
  readonly #told = new Map<string, Answered>();
  /** All answers, repeated ones too. */
  count = 0;

  /** By command id. */
  get told(): ReadonlyMap<string, Readonly<Answered>> {
    return this.#told;
  }

  take(server: string, answers: readonly Answer[]): void {
    for (const { id, reason, position, sold, replayed } of answers) {
      this.count += 1;
      let told = this.#told.get(id);
      if (!told) {
        told = { server: undefined, reason, position, sold, sent: 0, fresh: 0, contradicted: false };
        this.#told.set(id, told);
      }
      told.sent += 1;
      if (told.reason !== reason || told.position !== position || told.sold !== sold) told.contradicted = true;
      if (replayed) continue;
      told.fresh += 1;
      told.server = server;
    }
  }
}
