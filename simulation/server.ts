/** A simulated server: the real engine, with time, timers, randomness and store of the simulation. It may die at any moment. */
import type { App } from 'tidemark';
import { openOn, type OpenOptions } from '../src/engine/open.ts';
import type { Runtime } from '../src/engine/runtime.ts';
import type { Chance } from '../src/testing/conformance/random.ts';
import { buildRelease, type Release, type Wait } from './domain/build.ts';
import type { DomainShape } from './domain/shape.ts';
import { storeWith, type EnginePlant } from './engine-defects.ts';
import { holds } from './laws/broken.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { Store } from '../src/store/store.ts';

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface ServerOptions {
  readonly name: string;
  readonly shape: DomainShape;
  readonly release: number;
  readonly how: Pick<OpenOptions<[], []>, 'definitions' | 'reduction' | 'limits'>;
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly plant: EnginePlant;
}

export class Server implements Owner {
  readonly name: string;
  readonly release: Release;
  dead = false;
  closing = false;
  /** How far its clock is off, in milliseconds. */
  drift = 0;
  /** The furthest position, and the newest time, that it has told anybody of. */
  seen = 0;
  /** The furthest outcome that it has told of. */
  told = 0;
  seenTime = 0;
  readonly #options: ServerOptions;
  /** Command ids whose `prepare` runs. */
  readonly #preparing = new Set<string>();
  readonly #died = Promise.withResolvers<never>();
  #app: App | undefined;

  constructor(options: ServerOptions) {
    const { name, shape, release, scheduler, chance, plant } = options;
    this.#options = options;
    this.name = name;
    const prepares: Wait = async (_, { id }) => {
      holds(1, !this.#preparing.has(id), () => `${name} prepares ${id}, which it is preparing already`);
      this.#preparing.add(id);
      await scheduler.wait(this, 'prepares', chance.below(30));
      this.#preparing.delete(id);
    };
    this.release = buildRelease(shape, release, prepares, plant.reducer);
    this.#died.promise.catch(() => undefined);
  }

  get app(): App {
    return this.#app!;
  }

  /** Whether it stores what documents come to. */
  get reduces(): boolean {
    return this.#options.how.reduction !== 'off';
  }

  /** Whether somebody may ask it for something. */
  get serving(): boolean {
    return this.#app !== undefined && !this.dead && !this.closing;
  }

  async open(store: Store): Promise<void> {
    const { how, plant } = this.#options;
    const collections = [...this.release.collections.values()];
    const commands = [...this.release.commands.values()];
    const planted = plant.session ? storeWith(store, plant.session) : store;
    const options = { store: planted, collections, commands, logger: SILENT, ...how };
    const app = (await this.orDies(openOn(options, this.#runtime()))) as App;
    this.#app = plant.app?.(app) ?? app;
  }

  /** Whoever waits for a server that dies hears of it: `Died` is thrown. */
  orDies<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#died.promise]);
  }

  /** What its clock says. */
  now(): number {
    return Math.max(0, this.#options.scheduler.now + this.drift);
  }

  dies(): void {
    this.dead = true;
    this.#died.reject(new Died(this.name));
  }

  /**
   * The run is over. An application that was never closed is kept by what the engine has of it for later, its store and its runtime,
   * as long as that leads back to it: here it does.
   */
  forgets(): void {
    this.#app = undefined;
  }

  #runtime(): Runtime {
    const { scheduler, chance } = this.#options;
    const bytes = new Uint8Array(16);
    let spent = 0;
    return {
      now: () => this.now(),
      // Deciding takes time, so that batches are cut short.
      elapsed: () => scheduler.now + (spent += chance.below(3)),
      turn: () => scheduler.wait(this, 'turn'),
      sleep: (ms, signal) => scheduler.wait(this, 'sleep', ms, signal),
      random: () => chance.below(2 ** 30) / 2 ** 30,
      randomBytes: () => bytes.map(() => chance.below(256)),
    };
  }
}

/** The server died: nobody knows what became of the call. */
export class Died extends Error {
  constructor(server: string) {
    super(`${server} died`);
    this.name = 'Died';
  }
}
