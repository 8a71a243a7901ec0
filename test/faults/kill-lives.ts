/** The lives of a log whose servers are killed, one or two at a time, at random moments. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Acknowledged } from './acknowledged.ts';
import { faultsBySendingAgain, faultsBySql, type Sent } from './kill-check.ts';
import type { KillServerArgs } from './kill-server.ts';
import { asking, copyLog, count } from './log-by-sql.ts';
import type { Random } from '../support/seed.ts';
import { startServer, type Line, type Server } from './server-process.ts';

/** Servers that have loaded their code and wait for a file: a kill then costs no start. */
const STANDBY = 3;
/** A kill while the log is being opened comes at most so long after the server was told of it, in milliseconds. */
const OPENING_MS = 25;
/** A kill under load comes at most so long after the first acknowledgement, in milliseconds. */
const LIFE_MS = 60;
/** A kill while the log is being closed, likewise. */
const CLOSING_MS = 5;

/** What the kills met: a test of kills that all come at a quiet moment shows nothing. */
export interface Met {
  kills: number;
  /** Killed before the log was open, or while it was being closed, or in the middle of a checkpoint. */
  opening: number;
  closing: number;
  checkpoint: number;
  /** Killed with commands under way, and how many of these turned out to be stored. */
  underWay: number;
  storedUnacknowledged: number;
  acknowledged: number;
}

export interface Life {
  readonly met: Met;
  readonly faults: readonly string[];
}

export class Lives {
  readonly #random: Random;
  readonly #folder: string;
  readonly #hastyMs: number | undefined;
  #standby: Server[] = [];
  #named = 0;

  constructor(folder: string, random: Random, hastyMs?: number) {
    this.#folder = mkdtempSync(join(folder, 'lives-'));
    this.#random = random;
    this.#hastyMs = hastyMs;
  }

  /** A new log, and rounds of servers on it, until so many were killed. Ends early at the first fault. */
  async live(kills: number): Promise<Life> {
    const file = join(this.#folder, `${(this.#named += 1)}.db`);
    const met: Met = {
      kills: 0,
      opening: 0,
      closing: 0,
      checkpoint: 0,
      underWay: 0,
      storedUnacknowledged: 0,
      acknowledged: 0,
    };
    const sent: Sent[] = [];
    const acknowledged: Acknowledged[] = [];
    let made = false;
    while (met.kills < kills) {
      const servers = await Promise.all(this.#random() < 0.5 ? [this.#take()] : [this.#take(), this.#take()]);
      const ends = await Promise.all(servers.map((server) => this.#runAndKill(server, file)));
      const faults = ends.flatMap(({ complaint }) => complaint ?? []);
      const now: Acknowledged[] = [];
      for (const { lines } of ends) {
        tally(met, lines);
        made ||= lines.some(({ say }) => say === 'open');
        for (const line of lines) {
          if (line.say === 'sent') sent.push(line as unknown as Sent);
          if (line.say === 'acknowledged') now.push(line as unknown as Acknowledged);
        }
      }
      acknowledged.push(...now);
      // On a copy: the next servers find the log as it was left, to be recovered by themselves.
      if (made) faults.push(...faultsBySql(copyLog(file, join(this.#folder, 'copy.db')), now));
      if (faults.length > 0) return { met, faults };
    }
    met.acknowledged = acknowledged.length;
    const stored = asking(copyLog(file, join(this.#folder, 'copy.db')), (database) =>
      count(database, 'SELECT count(*) FROM commits'),
    );
    met.storedUnacknowledged = stored - acknowledged.length;
    return { met, faults: await faultsBySendingAgain(file, sent, acknowledged) };
  }

  async #take(): Promise<Server> {
    while (this.#standby.length <= STANDBY) {
      this.#standby.push(startServer(new URL('kill-server.ts', import.meta.url), []));
    }
    const server = this.#standby.shift()!;
    await server.heard('standby');
    return server;
  }

  /** Lets it work on the file until a random moment. */
  async #runAndKill(server: Server, file: string): Promise<{ lines: readonly Line[]; complaint?: string }> {
    const random = this.#random;
    const [kind, moment] = [random(), random()];
    const told: KillServerArgs = { file, name: `s${(this.#named += 1)}`, seed: Math.floor(random() * 2 ** 32) };
    server.tell(this.#hastyMs === undefined ? told : { ...told, hastyMs: this.#hastyMs });
    let code: number | null = null;
    const ended = server.ended.then((found) => (code = found));
    if (kind < 0.15) {
      await setTimeout(moment * OPENING_MS);
    } else {
      await Promise.race([server.heard('acknowledged').catch(() => undefined), ended]);
      await setTimeout(moment * LIFE_MS);
      if (kind < 0.35) {
        server.tell('close');
        await setTimeout(moment * CLOSING_MS);
      }
    }
    const lines = await server.kill();
    await ended;
    // Only one that was told to close may have ended by itself.
    const wrong = code !== null && code !== 0;
    return wrong ? { lines, complaint: `a server ended by itself: ${server.complaints()}` } : { lines };
  }
}

function tally(met: Met, lines: readonly Line[]): void {
  const of = (say: string): number => lines.filter((line) => line.say === say).length;
  if (of('closed') > 0) return;
  met.kills += 1;
  if (of('open') === 0) met.opening += 1;
  if (of('closing') > 0) met.closing += 1;
  if (of('checkpoint') > of('checkpointed')) met.checkpoint += 1;
  if (of('sent') > of('acknowledged')) met.underWay += 1;
}
