/** Runs a plan on a store by the public application, and has the witness judge it after every step. */
import { isDeepStrictEqual } from 'node:util';
import type { App, DocumentVersion, Outcome } from 'tidemark';
import { buildRelease, type Release } from '../../simulation/domain/build.ts';
import { definedIn, type Input, type KeyShape } from '../../simulation/domain/shape.ts';
import { storeWith, type EnginePlant } from '../../simulation/engine-defects.ts';
import { holds, LawBroken, same } from '../../simulation/laws/broken.ts';
import type { Call, Logged } from '../../simulation/laws/records.ts';
import { liveOf, ownName, registeredOf, type Registered } from '../../simulation/laws/attach.ts';
import { entriesOf, functionKeysMissing, refusalOf } from '../../simulation/laws/registry.ts';
import { Witness } from '../../simulation/laws/witness.ts';
import { spoil } from '../../simulation/spoil.ts';
import { openOn } from '../../src/engine/open.ts';
import { CLOSE_TIMEOUT_MS, type Limits } from '../../src/limits.ts';
import { CLOCK_AHEAD_MAX_MS } from '../../src/store/store.ts';
import type { Session, Store } from '../../src/store/store.ts';
import type { MakeStore } from '../../src/testing/conformance/case.ts';
import { Chance } from '../../src/testing/conformance/random.ts';
import { delayed, turn } from './delayed.ts';
import { allDocuments, commitsFrom } from './log.ts';
import type { CallPlan, RunPlan, Step } from './plan.ts';
import { reads, START, type ReadStep } from './reads.ts';

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface Server {
  readonly name: string;
  readonly release: Release;
  readonly limits: Partial<Limits>;
  readonly drift: number;
  readonly app: App;
  seenTime: number;
  /** The last position that it has told anybody of. */
  told: number;
}

interface SentCommand {
  readonly command: CallPlan['command'];
  readonly input: Input;
  readonly id: string | undefined;
  readonly actor: string | undefined;
}

/** What a plan is run on. */
interface On {
  readonly store: Store;
  readonly peek: Session;
  readonly clock: { now: number };
  readonly plant: EnginePlant;
}

/** @throws LawBroken */
export async function interpret(plan: RunPlan, makeStore: MakeStore, plant: EnginePlant = {}): Promise<void> {
  const clock = { now: START };
  const store = await makeStore({ clock: () => clock.now });
  const peek = await store.open();
  const run = new Interpreter(plan, { store, peek, clock, plant });
  try {
    await run.open();
    for (const step of plan.steps) await run.takes(step);
    await run.ends();
  } finally {
    await run.close();
    await peek.close();
  }
}

class Interpreter {
  readonly #plan: RunPlan;
  readonly #store: Store;
  readonly #peek: Session;
  readonly #plant: EnginePlant;
  readonly #witness: Witness;
  readonly #chance = new Chance(1);
  readonly #asked: SentCommand[] = [];
  readonly #shown: DocumentVersion[] = [];
  #servers: Server[] = [];
  #calls = 0;
  #opened = 0;
  #delays = 0;
  /** Everybody's, but for the drift of servers. Each of them that looks at it takes it a step further. */
  readonly #clock: { now: number };
  /** What it said when the log was last looked at. */
  #looked = START;

  constructor(plan: RunPlan, { store, peek, clock, plant }: On) {
    this.#plan = plan;
    this.#plant = plant;
    this.#store = store;
    this.#peek = peek;
    this.#clock = clock;
    this.#witness = new Witness({
      shape: plan.shape,
      doubts: new Set(),
      together: true,
      mayBe: {
        unavailable: false,
        overloaded: plan.servers.some(({ limits }) => (limits.queueCommandsMax ?? 0) < 100),
        clockAhead: false,
        diverged: false,
        retired: false,
        rebuilding: true,
      },
    });
  }

  async open(): Promise<void> {
    for (const { release, limits, drift } of this.#plan.servers) await this.#open(release, limits, drift);
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map(({ app }) => app.close()));
  }

  async takes(step: Step): Promise<void> {
    // Releases may each lack what the other has registered: then nobody can write this log any more.
    if (this.#servers.length === 0) return;
    switch (step.kind) {
      case 'calls':
        await this.#settle(step.calls.map((call) => this.#calling(call)));
        return;
      case 'reopen': {
        const server = this.#server(step.server);
        const waiting = step.calls.map((call) => this.#calling({ ...call, server: step.server }, true));
        // Closing waits for what was asked for, but not for what is still being prepared.
        const closing = server.app.close();
        await this.#settle(waiting);
        await closing;
        this.#servers = this.#servers.filter((one) => one !== server);
        await this.#open(step.release, server.limits, server.drift);
        if (this.#servers.length === 0) await this.#open(server.release.index, server.limits, server.drift);
        return;
      }
      default:
        return this.#reads(step);
    }
  }

  /** Everything is read once more, by the store and by every server. */
  async ends(): Promise<void> {
    const { timeline } = this.#witness;
    // Before the log: servers go on attaching.
    const { keyings } = await this.#registered();
    const stored = await commitsFrom(this.#peek, 0);
    same(3, stored.map(facts), timeline.commits.map(facts), () => 'the log at the end');
    await this.#checkAttached(keyings, stored);
    same(9, await this.#peek.check(), [], () => 'what the store finds wrong with itself');
    for (const server of this.#servers) await this.#verifies(server);
  }

  async #open(wanted: number, limits: Partial<Limits>, drift: number): Promise<void> {
    const { shape } = this.#plan;
    const index = wanted % shape.releases.length;
    const release = buildRelease(shape, index, turn, this.#plant.reducer);
    const name = `server ${(this.#opened += 1)} (release ${index})`;
    const held = this.#witness.timeline.commits.flatMap(({ events }) => events).map(({ type }) => type);
    const registry = await this.#peek.registry();
    const expected = refusalOf(registry, new Set(held), entriesOf(shape, index), 'online');
    try {
      const store: Store = {
        name: this.#store.name,
        open: async () => delayed(await this.#store.open(), () => this.#delay()),
      };
      const [collections, commands] = [[...release.collections.values()], [...release.commands.values()]];
      const { session, app: planted } = this.#plant;
      const on = session ? storeWith(store, session) : store;
      const options = { store: on, collections, commands, logger: SILENT, limits };
      const app = (await openOn(options, this.#runtime(drift))) as App;
      this.#servers.push({ name, release, limits, drift, app: planted?.(app) ?? app, seenTime: 0, told: 0 });
    } catch (error) {
      const { code } = error as { code?: string };
      const justified =
        (code === 'DomainOutdated' && functionKeysMissing(shape, index)) ||
        (expected !== undefined && code === expected);
      holds('errors', justified, () => `${name} was told ${String(error)} for nothing`);
      return;
    }
    holds(4, expected === undefined, () => `${name} was opened all the same: ${expected}`);
    const { own } = await this.#registered();
    for (const collection of release.collections.keys()) {
      const found = own.get(ownName(index, collection))?.keying;
      holds(4, found, () => `${name} has not registered ${collection}`);
      const [key, declared] = [found.key, definedIn(shape, index, collection).key];
      const is = (): string => `${name} has ${collection} by the key ${JSON.stringify(key)}`;
      holds(4, finds(key, declared, shape.releases[index]!.knows), () => `${is()}, not ${JSON.stringify(declared)}`);
    }
  }

  #runtime(drift: number) {
    const bytes = new Uint8Array(16);
    let elapsed = 0;
    return {
      now: () => (this.#clock.now += 1) + drift,
      elapsed: () => (elapsed += 1),
      turn,
      // A pause is over at the next turn; the bound of closing is never reached.
      sleep: (ms: number, signal?: AbortSignal) => (ms < CLOSE_TIMEOUT_MS ? turn() : aborted(signal)),
      random: () => this.#chance.below(2 ** 30) / 2 ** 30,
      randomBytes: () => bytes.map(() => this.#chance.below(256)),
    };
  }

  /** How many others may come before the next call of a store, as the plan says. */
  #delay(): number {
    const { delays } = this.#plan;
    return delays[(this.#delays += 1) % delays.length]!;
  }

  #server(number: number): Server {
    return this.#servers[number % this.#servers.length]!;
  }

  async #registered(): Promise<Registered> {
    return registeredOf(await this.#peek.registry(), this.#plan.shape);
  }

  /** Every live keying has attached what its key finds in the whole log. */
  async #checkAttached(keyings: Registered['keyings'], stored: readonly Logged[]): Promise<void> {
    const { timeline } = this.#witness;
    const documents = await allDocuments(this.#peek);
    for (const keyed of keyings) {
      if (!keyed.isLive) continue;
      const what = (): string => `what is attached to ${keyed.name}`;
      const expected = timeline.documentsOf(keyed);
      const heads = documents.filter(({ collection }) => collection === keyed.name).map(({ id, head }) => [id, head]);
      const lengths = [...expected].map(([id, { length }]) => [id, length] as const);
      same(4, Object.fromEntries(heads), Object.fromEntries(lengths), what);
      for (const { position, attachments } of stored.flatMap(({ events }) => events)) {
        const told = attachments.filter(({ collection }) => collection === keyed.name);
        const versions = [...expected].flatMap(([id, events]) =>
          events.flatMap((event, index) => (event.position === position ? [[id, index + 1]] : [])),
        );
        const asTold = told.map(({ id, version }) => [id, version]);
        same(4, Object.fromEntries(asTold), Object.fromEntries(versions), () => `${what()} at ${position}`);
      }
    }
  }

  /** Shows the witness what has come to the log. */
  async #look(): Promise<number> {
    const { timeline } = this.#witness;
    const registered = await this.#registered();
    const [from, to] = [this.#looked, this.#clock.now];
    const clock = { from, to, latest: to + CLOCK_AHEAD_MAX_MS };
    const { registered: earlier } = timeline;
    for (const logged of await commitsFrom(this.#peek, timeline.length)) {
      this.#witness.takes(logged, registered, clock, earlier);
    }
    this.#witness.knows(registered);
    this.#looked = to;
    return timeline.length;
  }

  /** Begins a call; nothing of it is judged before all of its step are answered. */
  async #calling(plan: CallPlan, closing = false): Promise<Call> {
    const server = this.#server(plan.server);
    const { command, input, id, actor } = this.#fitted(plan);
    const { app, release, name, seenTime } = server;
    const token = `call ${(this.#calls += 1)}`;
    const unchanged = this.#rests(plan, release);
    const { length: after } = this.#witness.timeline;
    const asked = { command, input, id, actor, unchanged };
    const call: Call = {
      ...asked,
      token,
      server: name,
      release: release.index,
      seenTime,
      after,
      era: 0,
      endEra: 0,
      closing,
      live: liveOf(this.#witness.timeline.registered, this.#plan.shape, release.index),
    };
    this.#witness.asks(call);
    const given = structuredClone({ input, unchanged });
    const options = { id, actor, causation: token, unchanged: given.unchanged };
    let told: Pick<Call, 'outcome' | 'error'>;
    try {
      const executing = app.execute(release.commands.get(command)!, given.input, options);
      spoil([given, options]);
      told = { outcome: (await executing) as Outcome };
    } catch (error) {
      told = { error };
    }
    server.told = Math.max(server.told, told.outcome?.position ?? 0);
    server.seenTime = Math.max(server.seenTime, told.outcome?.events.at(-1)?.recordedAt ?? 0);
    return Object.assign(call, { told });
  }

  async #settle(calling: readonly Promise<Call>[]): Promise<void> {
    const calls = (await Promise.all(calling)) as (Call & { told: Pick<Call, 'outcome' | 'error'> })[];
    const upTo = await this.#look();
    for (const call of calls) this.#witness.answered(Object.assign(call, call.told, { upTo }));
    if (this.#plan.changesGiven) for (const { told } of calls) spoil(told.outcome);
  }

  #fitted({ command, input, id, again, actor }: CallPlan): SentCommand {
    const old = again === undefined ? undefined : this.#asked.at(-1 - again);
    if (old) return old;
    const { types } = this.#plan.shape;
    const known = new Set(types.map(({ name }) => name));
    const emits = input.emits.map((emit) => (known.has(emit.type) ? emit : { ...emit, type: types[0]!.name }));
    const asked: SentCommand = {
      command,
      input: plainInput({ ...input, emits }),
      id: id === undefined ? undefined : `k${id}`,
      actor: actor ? 'ann' : undefined,
    };
    this.#asked.push(asked);
    return asked;
  }

  #rests({ rests }: CallPlan, { collections }: Release): DocumentVersion[] {
    const document = rests && this.#shown.at(-1 - rests.ago);
    if (!document || !collections.has(document.collection)) return [];
    const { collection, id, version } = document;
    return [{ collection, id, version: rests.ahead ? version + 1 : version }];
  }

  async #reads(step: ReadStep): Promise<void> {
    const { app, release, name, told } = this.#server(step.server);
    const { shape } = this.#plan;
    this.#witness.knows(await this.#registered());
    const { timeline } = this.#witness;
    const live = liveOf(timeline.registered, shape, release.index);
    const from = { app, release, server: name, shape, timeline, live, told };
    const reading = await reads(step, from).catch((error: unknown) => {
      // Without the code of a key function nothing is read either.
      if (this.#isOutdated(error, release) || (step.kind === 'find' && isRebuilding(error))) return undefined;
      throw new LawBroken('errors', `${step.kind} at ${name} threw ${String(error)}`);
    });
    if (!reading || ('error' in reading && this.#isOutdated(reading.error, release))) return;
    if (reading.kind === 'get' && !reading.at) this.#shown.push(...(reading.documents ?? []));
    this.#witness.read(reading);
    if (!this.#plan.changesGiven) return;
    if (reading.kind === 'get') spoil(reading.documents);
    if ('events' in reading) spoil(reading.events);
    if ('outcome' in reading) spoil(reading.outcome);
  }

  #isOutdated(error: unknown, { index }: Release): boolean {
    const { code } = (error ?? {}) as { code?: string };
    return code === 'DomainOutdated' && functionKeysMissing(this.#plan.shape, index);
  }

  async #verifies({ app, release, name }: Server): Promise<void> {
    const { timeline } = this.#witness;
    if (functionKeysMissing(this.#plan.shape, release.index)) return;
    const before = liveOf(await this.#registered(), this.#plan.shape, release.index);
    const { problems, position } = await app.verify();
    this.#witness.knows(await this.#registered());
    const poisoned = timeline
      .documents(release.index)
      .filter(([collection, id]) => timeline.at(release.index, collection, id).poisoned);
    const unknown = problems.filter(({ code }) => code === 'UnknownType').map((problem) => problem.position);
    same(9, unknown, [...timeline.unknownTypes(release.index).values()], () => `types that ${name} doesn't know`);
    const others = problems.filter(({ code }) => code !== 'UnknownType');
    const found = new Set(others.map(({ code, ...at }) => (code === 'Document' ? `${at.collection} ${at.id}` : code)));
    // What became live meanwhile may have been looked at or not.
    const named = poisoned.filter(([collection, id]) => before.has(collection) || found.has(`${collection} ${id}`));
    same(
      9,
      [...found].sort(),
      named.map(([collection, id]) => `${collection} ${id}`).sort(),
      () => `what ${name} finds by verify (${JSON.stringify(problems)})`,
    );
    same(3, position, timeline.length, () => `the end that ${name} verified`);
  }
}

/** Without what it was attached to: keyings may have been filled since. */
function facts({ commit, events }: Logged): object {
  return { commit, events: events.map(({ type, json, position }) => ({ type, json, position })) };
}

/** Whether a registered key is, in events of these types, the one that code declares. */
function finds(registered: KeyShape, declared: KeyShape, types: readonly string[]): boolean {
  const partsOf = (key: KeyShape): unknown => ('fields' in key ? key : types.map((type) => key.types[type]));
  return isDeepStrictEqual(partsOf(registered), partsOf(declared));
}

function isRebuilding(error: unknown): boolean {
  return (error as { code?: string }).code === 'Rebuilding';
}

/** Never, unless the signal aborts. */
function aborted(signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted) resolve();
  else signal?.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}

/** Without the fields that are undefined, which an input that comes by JSON wouldn't have. */
function plainInput(input: Input): Input {
  return JSON.parse(JSON.stringify(input)) as Input;
}
