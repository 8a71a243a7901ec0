/** One run of the simulation: machine, servers, callers and troubles, and the witness who judges it. */
import type { Chance } from '../src/testing/conformance/random.ts';
import { refusesBeyond } from './beyond.ts';
import type { EnginePlant } from './engine-defects.ts';
import { liveOf, type Live } from './laws/attach.ts';
import { holds, same } from './laws/broken.ts';
import { entriesOf, functionKeysMissing } from './laws/registry.ts';
import type { Logged } from './laws/records.ts';
import { checkAttached, checkStored } from './laws/stored.ts';
import { Witness } from './laws/witness.ts';
import { CLOCK_AHEAD_MS, Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import { Scheduler, type Owner } from './scheduler.ts';
import { Died, Server } from './server.ts';
import { storeFor, type SessionParts } from './session.ts';
import type { Trace } from './trace.ts';
import { Weather } from './weather.ts';
import type { Store } from '../src/store/store.ts';

/** How a defect is planted: what is changed of a server. */
export interface Plant extends EnginePlant {
  /** The store that it is given. */
  readonly store?: (sound: Store, place: SessionParts) => Store;
}

/** How often somebody tries to open a server before he gives up: no release may fit the log. */
const OPENINGS_MAX = 20;

/** Mostly documents are made while others work. */
const DEFINITIONS = ['online', 'online', 'online', 'before', 'refuse'] as const;

/** What the time since a machine's start may be off by, and a right clock gain on it in the time of a run. */
const ROUNDING_MS = 1_100;

export class World {
  readonly plan: Plan;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly scheduler: Scheduler;
  readonly machine: Machine;
  readonly weather: Weather;
  readonly witness: Witness;
  readonly servers: Server[] = [];
  /** A law that was found broken within a call of the store. */
  broken: { readonly error: unknown } | undefined;
  readonly #plant: Plant;
  #opened = 0;
  #tokens = 0;

  constructor(plan: Plan, chance: Chance, trace: Trace, plant: Plant = {}) {
    this.plan = plan;
    this.chance = chance;
    this.trace = trace;
    this.scheduler = new Scheduler(chance, trace);
    this.machine = new Machine(plan.shape, this.scheduler, chance);
    this.machine.changed = () => {
      try {
        this.#looksAtStored();
      } catch (error) {
        // Whoever called the store would take it for the store's.
        this.broken ??= { error };
      }
    };
    this.weather = new Weather(plan.climate, chance);
    this.#plant = plant;
    const { shape, limits, troubles, climate } = plan;
    this.witness = new Witness({
      shape,
      doubts: this.machine.doubts,
      replaced: this.machine.replaced,
      together: false,
      mayBe: {
        unavailable: Object.values(climate).some((once) => once > 0) || troubles.length > 0,
        overloaded: (limits.queueCommandsMax ?? 0) < 1_000,
        clockAhead: troubles.includes('clock'),
        diverged: troubles.includes('back'),
        retired: false,
        rebuilding: true,
      },
    });
  }

  token(): string {
    return `call ${(this.#tokens += 1)}`;
  }

  /** The end of the log, and when it was: shows the witness what has come to it. */
  look(): { after: number; era: number } {
    const { witness, machine, plan } = this;
    for (const logged of machine.commitsFrom(witness.timeline.commits.length)) {
      const { said, now } = machine.stampOf(logged.commit);
      // A server's clock may be ahead by the bound without being found out, and by as much when it decided.
      const latest = now + (plan.serversClock ? 2 * CLOCK_AHEAD_MS + ROUNDING_MS : CLOCK_AHEAD_MS);
      const registered = machine.registeredAt(witness.timeline.commits.length);
      witness.takes(logged, registered, { from: said, to: said, latest });
    }
    witness.knows(machine.registered);
    return { after: witness.timeline.length, era: witness.era };
  }

  /** Stored documents follow the log at each step. */
  #looksAtStored(): void {
    this.look();
    checkStored(this.witness.timeline, this.plan.shape, this.machine.log);
  }

  /** The collections of a server whose documents have all their events. */
  liveOf({ release }: Server): Live {
    return liveOf(this.machine.registered, this.plan.shape, release.index);
  }

  storeFor(owner: Server): Store {
    const { machine, scheduler, weather } = this;
    const clock = machine.clockFor(this.plan.serversClock ? () => owner.now() : undefined);
    const { pageRows } = this.plan;
    const meets = (what: string): void => this.trace.meets(what);
    const place: SessionParts = { machine, scheduler, weather, meets, clock, pageRows };
    const store = storeFor(owner, place);
    return this.#plant.store?.(store, place) ?? store;
  }

  /** A server that serves, opened if there are too few; undefined if none can be had. */
  async someServer(asker: Owner): Promise<Server | undefined> {
    const { servers, chance, plan } = this;
    for (let tries = 0; tries < OPENINGS_MAX; tries += 1) {
      const serving = servers.filter((server) => server.serving);
      if (serving.length >= plan.servers || (serving.length > 0 && !chance.once(3))) return chance.pick(serving);
      await this.#open().catch((error: unknown) => this.#refused(error));
      await this.scheduler.wait(asker, 'finds a server', tries * 10);
    }
    return undefined;
  }

  /** Opens a server of any release although there are enough: what it lacks is made while others work. */
  deploys(): void {
    const serving = this.servers.filter((server) => server.serving);
    if (serving.length > this.plan.servers) return;
    const refused = this.#open().catch((error: unknown) => this.#refused(error));
    refused.catch((error: unknown) => (this.broken ??= { error }));
  }

  dies(server: Server): void {
    this.trace.meets(this.machine.holds(server) ? 'died with the lock' : 'died');
    server.dies();
    this.scheduler.bury();
    this.machine.buries(server);
    this.look();
  }

  /** The store loses what came after a commit. */
  goesBack(): void {
    this.look();
    const { witness, machine, chance, trace } = this;
    const { commits } = witness.timeline;
    const last = commits[chance.below(commits.length + 1) - 1];
    const position = last ? last.commit.position + last.commit.eventCount - 1 : 0;
    trace.note(`the store goes back from ${witness.timeline.length} to ${position}`);
    trace.meets('went back');
    machine.goBack(position);
    witness.wentBack(position, this.servers);
  }

  /** At the end: all is quiet, everything is read again, and the servers' own memory is compared with it. */
  async ends(): Promise<void> {
    this.look();
    for (const server of this.servers) {
      if (!server.serving) continue;
      if (this.witness.isDoomed(server.name)) continue;
      await this.#verifies(server).catch((error: unknown) => this.#explains(error, server));
      await refusesBeyond(this, server);
      await server.app.close();
    }
    this.#looksAtStored();
    checkAttached(this.witness.timeline, this.plan.shape, this.machine.log);
    const stored = this.machine.commitsFrom(0);
    same(9, stored.map(facts), this.witness.timeline.commits.map(facts), () => 'the log at the end');
  }

  /** The run is over: nothing of it stays. */
  forgets(): void {
    for (const server of this.servers) server.forgets();
    this.scheduler.forgets();
  }

  async #open(): Promise<void> {
    const { plan, chance } = this;
    this.#opened += 1;
    const first = this.#opened === 1 && plan.fullFirst;
    const release = first ? 0 : chance.below(plan.shape.releases.length);
    const name = `server ${this.#opened} (release ${release})`;
    const { shape, limits } = plan;
    const definitions = chance.pick(DEFINITIONS);
    const reduction = chance.once(4) ? 'off' : 'background';
    const how = { definitions, reduction, limits } as const;
    const server = new Server({ name, shape, release, how, scheduler: this.scheduler, chance, plant: this.#plant });
    this.machine.opening.set(name, { entries: entriesOf(shape, release), definitions });
    this.servers.push(server);
    // Wrong from the start, where the machine's clock was right before.
    if (plan.troubles.includes('clock') && this.machine.anchor.kept && chance.once(4))
      server.drift = 3 * CLOCK_AHEAD_MS;
    try {
      await server.open(this.storeFor(server));
    } catch (error) {
      // With all that it waits for.
      if (!(error instanceof Died)) this.dies(server);
      const { code } = error as { code?: string };
      if (code === 'DomainOutdated') {
        holds('errors', this.mayBeOutdated(release), () => `${name} was told ${String(error)} for nothing`);
      }
      if (code === 'Rebuilding') {
        // It waits for others to make documents, and it may be that none does.
        const waits = definitions === 'before' && reduction === 'off';
        holds('errors', waits, () => `${name} was told ${String(error)}, and could make them itself`);
      }
      throw error;
    } finally {
      this.machine.opening.delete(name);
    }
  }

  #refused(error: unknown): void {
    const { code = (error as Error).name } = error as { code?: string };
    this.trace.note(`no server: ${code}`);
    this.trace.meets(`no server: ${code}`);
    const expected = [
      'Died',
      'StoreUnavailable',
      'DomainOutdated',
      'DefinitionChanged',
      'RebuildRequired',
      'Rebuilding',
    ];
    if (this.plan.troubles.includes('back')) expected.push('HistoryDiverged');
    if (!expected.includes(code)) throw error;
  }

  /** What may keep a server from verifying: a collection that it can't attach, or a store that went back. */
  #explains(error: unknown, { release }: Server): void {
    const { code } = error as { code?: string };
    if (code === 'DomainOutdated' && this.mayBeOutdated(release.index)) return;
    if (code !== 'HistoryDiverged' || this.witness.era === 0) throw error;
  }

  /** Whether servers of a release may be told that they are outdated. */
  mayBeOutdated(release: number): boolean {
    return functionKeysMissing(this.plan.shape, release) || this.machine.replaced.has(release);
  }

  /** Lets the engine fold everything again, and compares the result with what the witness knows can't be folded. */
  async #verifies(server: Server): Promise<void> {
    const { app, release, name } = server;
    const { timeline } = this.witness;
    const before = this.liveOf(server);
    const { ok, problems, position } = await app.verify();
    // Documents that are still being made aren't folded again: they may have been, or come to be, meanwhile.
    const now = this.liveOf(server);
    const found = problems.filter(({ code }) => code === 'Document').map(({ collection, id }) => `${collection} ${id}`);
    const poisoned = timeline
      .documents(release.index)
      .filter(([collection, id]) => timeline.at(release.index, collection, id).poisoned)
      .filter(
        ([collection, id]) => before.has(collection) || (now.has(collection) && found.includes(`${collection} ${id}`)),
      )
      .map(([collection, id]) => `${collection} ${id}`);
    const unknown = problems.filter(({ code }) => code === 'UnknownType').map((problem) => problem.position);
    same(9, unknown, [...timeline.unknownTypes(release.index).values()], () => `types that ${name} doesn't know`);
    same(
      9,
      [...new Set(found)].sort(),
      poisoned.sort(),
      () => `what ${name} finds by verify: ${JSON.stringify(problems)}`,
    );
    holds(9, ok === (problems.length === 0) && problems.length === found.length + unknown.length, () =>
      JSON.stringify(problems),
    );
    same(3, position, timeline.length, () => `the end of the log that ${name} verified`);
  }
}

function facts({ commit, events }: Logged): object {
  return { commit, events: events.map(({ position, json, attachments }) => ({ position, json, attachments })) };
}
