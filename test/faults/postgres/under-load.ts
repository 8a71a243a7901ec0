/**
 * Servers on one log in PostgreSQL under load, while a test does its worst to what is between them and their disk; and
 * what must be true afterwards.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { open, TidemarkError } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import type { Acknowledged } from '../acknowledged.ts';
import { doneTwice, halfCommits, lost, soldTwice, staleOrders, unsound } from '../log-by-sql.ts';
import { openService } from '../places.ts';
import type { Random } from '../../support/seed.ts';
import { startServer, type Line, type Server } from '../server-process.ts';
import { copyToFile } from './copy.ts';
import { followed, misread, type Followed } from './follow.ts';
import { parts, PLACES, serviceAt, SERVICES, type LoadOptions } from './load.ts';

/** What makes a load an ordinary one, or one with something wrong on purpose. */
export type LoadKind = Omit<LoadOptions, 'url' | 'schema' | 'name' | 'seed'>;

export interface LogAddress {
  /** Directly, for whoever looks at it. */
  readonly url: string;
  readonly schema: string;
  /** As the servers reach it. The same. */
  readonly through?: string;
}

/** A test of faults that met nobody shows nothing. */
export interface Met {
  readonly acknowledged: number;
  /** How often a caller or a reader was told that the store is away. */
  readonly away: number;
  /** Writes that the store doesn't know the end of, and how many of them were stored. */
  readonly doubts: number;
  readonly found: number;
  /** Commands of servers that were killed, sent and not acknowledged; and those of them that are stored. */
  readonly cutOff: number;
  readonly storedOnly: number;
  readonly events: number;
  /** By all readers. */
  readonly followed: number;
}

export class UnderLoad {
  readonly #place: LogAddress;
  readonly #random: Random;
  readonly #kind: LoadKind;
  readonly #killed: Server[] = [];
  #living: Server[] = [];
  #named = 0;

  private constructor(place: LogAddress, random: Random, kind: LoadKind) {
    this.#place = place;
    this.#random = random;
    this.#kind = kind;
  }

  /** Makes the log, opens the services, and starts so many servers. */
  static async on(
    place: LogAddress,
    random: Random,
    { servers = 3, ...kind }: LoadKind & { readonly servers?: number } = {},
  ) {
    const { url, schema } = place;
    await using app = await open({ store: postgres(url, { schema }), ...parts });
    await Promise.all(
      Array.from({ length: SERVICES }, (_, n) =>
        app.execute(openService, { service_id: serviceAt(n), places: PLACES }, { id: `open-${n}` }),
      ),
    );
    const load = new UnderLoad(place, random, kind);
    await Promise.all(Array.from({ length: servers }, () => load.start()));
    return load;
  }

  get servers(): readonly Server[] {
    return this.#living;
  }

  async start(): Promise<void> {
    const { url, schema, through = url } = this.#place;
    const name = `s${(this.#named += 1)}`;
    const seed = Math.floor(this.#random() * 2 ** 32);
    const told: LoadOptions = { ...this.#kind, url: through, schema, name, seed };
    const server = startServer(new URL('load-server.ts', import.meta.url), []);
    server.tell(told);
    await server.heard('open');
    this.#living.push(server);
  }

  /** SIGKILL to one of the servers, at random. */
  async kill(): Promise<void> {
    const [server] = this.#living.splice(Math.floor(this.#random() * this.#living.length), 1);
    await server!.kill();
    this.#killed.push(server!);
  }

  /** Until every server has said so many lines more of a kind, or was told a fault that ends its callers. */
  async more(say: string, count: number): Promise<void> {
    const said = (server: Server): Promise<unknown> =>
      Promise.race([server.heard(say, of(server.lines, say).length + count), server.heard('error')]);
    await Promise.all(this.#living.map(said));
  }

  /** Ends it, prints what it met under the name of what was done to it, and says that; nothing may be wrong. */
  async endsSound(folder: string, done: string): Promise<Met> {
    const { faults, met } = await this.ended(folder);
    process.stdout.write(`${done}: ${JSON.stringify(met)}\n`);
    assert.deepEqual(faults, []);
    return met;
  }

  /** Lets the callers come to their ends and the readers to that of the log, and says what is wrong. */
  async ended(folder: string): Promise<{ readonly faults: readonly string[]; readonly met: Met }> {
    const { url, schema } = this.#place;
    for (const server of this.#living) server.tell('finish');
    await Promise.all(this.#living.map((server) => server.heard('finished')));
    const faults = this.#living.flatMap(({ lines }) =>
      of(lines, 'error').map((line) => `told: ${JSON.stringify(line)}`),
    );
    const log = await this.#verified(faults);
    // A reader that was told of a fault of its own has ended, and reads no further.
    for (const server of this.#living) server.tell(log.length);
    await Promise.all(this.#living.map((server) => server.heard('read')));
    for (const { code, complaints } of await Promise.all(
      this.#living.map(async (server) => ({ code: await server.ended, complaints: server.complaints() })),
    )) {
      if (code !== 0) faults.push(`a server ended with ${code}: ${complaints}`);
    }

    const servers = [...this.#killed, ...this.#living];
    const acknowledged = servers.flatMap(({ lines }) => of(lines, 'acknowledged') as unknown as Acknowledged[]);
    const file = await copyToFile(url, schema, join(folder, `${schema}.db`));
    for (const look of [unsound, halfCommits, staleOrders, soldTwice, doneTwice]) faults.push(...look(file));
    faults.push(...lost(file, acknowledged));
    let read = 0;
    for (const [index, { lines }] of servers.entries()) {
      const given = of(lines, 'followed').flatMap(({ events }) => events as readonly Followed[]);
      read += given.length;
      faults.push(...misread(`reader ${index + 1}`, given, log));
      if (index >= this.#killed.length && given.length < log.length) faults.push(`reader ${index + 1} fell silent`);
    }
    return { faults, met: this.#met(acknowledged, log, read) };
  }

  /** The whole log as it is in the end, after the product's own look at it. */
  async #verified(faults: string[]): Promise<Followed[]> {
    const { url, schema } = this.#place;
    const log: Followed[] = [];
    try {
      await using app = await open({ store: postgres(url, { schema }), ...parts });
      for (const { message } of (await app.verify()).problems) faults.push(`verify: ${message}`);
      for await (const event of app.events()) log.push(followed(event));
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error;
      faults.push(`${error.code}: ${error.message}`);
    }
    return log;
  }

  #met(acknowledged: readonly Acknowledged[], log: readonly Followed[], read: number): Met {
    const stored = new Set(log.map(([, id]) => id));
    const said = (say: string): number =>
      [...this.#killed, ...this.#living].reduce((sum, { lines }) => sum + of(lines, say).length, 0);
    const answered = new Set(acknowledged.map(({ id }) => id));
    const cutOff = this.#killed
      .flatMap(({ lines }) => of(lines, 'sent').map(({ id }) => id as string))
      .filter((id) => !answered.has(id));
    return {
      acknowledged: acknowledged.length,
      away: said('away'),
      doubts: said('doubt'),
      found: said('found'),
      cutOff: cutOff.length,
      storedOnly: cutOff.filter((id) => stored.has(id)).length,
      events: log.length,
      followed: read,
    };
  }
}

function of(lines: readonly Line[], say: string): readonly Line[] {
  return lines.filter((line) => line.say === say);
}
