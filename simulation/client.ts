/** A caller: executes commands and reads, sends again what nobody knows the outcome of, and writes down what it is told. */
import type { DocumentVersion, EventsOptions, LogPoint, Outcome, RecordedEvent, TidemarkError } from 'tidemark';
import { drawInput } from './domain/draw.ts';
import { COMMANDS, type CommandName, type Input } from './domain/shape.ts';
import { findOptions, type Counted, type Query } from './laws/finds.ts';
import { looksAtSets, type At, type Call, type Reading } from './laws/records.ts';
import type { Owner } from './scheduler.ts';
import { Died, type Server } from './server.ts';
import { spoil } from './spoil.ts';
import type { World } from './world.ts';

/** What somebody has asked for: may be asked for again. */
interface SentCommand {
  readonly command: CommandName;
  readonly input: Input;
  readonly id?: string | undefined;
  readonly actor?: string | undefined;
}

type Following = Extract<Reading, { kind: 'follow' }>;

/** More rows, and more documents, than a collection of a world has. */
const PAGE_LARGE = 1_000;
const FIND_LARGE = 50;

/** How often a command is sent, at most. */
const SENDS_MAX = 4;

/** What all clients of a run have asked for, and the documents that they were shown. */
export interface Memory {
  readonly asked: SentCommand[];
  readonly shown: DocumentVersion[];
  /** Places in the log, of events that were given. */
  readonly kept: LogPoint[];
}

export class Client implements Owner {
  readonly name: string;
  readonly dead = false;
  readonly #world: World;
  readonly #memory: Memory;

  constructor(name: string, world: World, memory: Memory) {
    this.name = name;
    this.#world = world;
    this.#memory = memory;
  }

  async acts(): Promise<void> {
    const { chance, plan, scheduler } = this.#world;
    for (let action = 0; action < plan.actions; action += 1) {
      await scheduler.wait(this, 'thinks', chance.below(chance.once(4) ? 100 : 3));
      if (chance.once(4)) await this.#reads();
      else
        await Promise.all(
          Array.from({ length: chance.once(3) ? 2 + chance.below(5) : 1 }, () => this.#executes(this.#draws())),
        );
    }
  }

  #draws(): SentCommand {
    const { chance, plan } = this.#world;
    const { asked } = this.#memory;
    const old = asked.length > 0 && chance.once(5) ? chance.pick(asked) : undefined;
    if (old && !chance.once(4)) return old;
    const id = old?.id ?? (chance.once(2) ? `command ${asked.length}` : undefined);
    const input = drawInput(chance, plan.shape, plan.ids);
    const made = { command: chance.pick(COMMANDS), input, id, actor: chance.once(4) ? 'ann' : undefined };
    asked.push(made);
    return made;
  }

  async #executes(asked: SentCommand): Promise<void> {
    const { chance, scheduler } = this.#world;
    for (let sends = 0; sends < SENDS_MAX; sends += 1) {
      const again = await this.#sends(asked);
      // Without an id of its own a command can't be sent again: it would be another one.
      if (!again || asked.id === undefined || chance.once(6)) return;
      await scheduler.wait(this, 'sends again', chance.below(50));
    }
  }

  /** Whether it is worth sending again. */
  async #sends(asked: SentCommand): Promise<boolean> {
    const { chance, witness, trace } = this.#world;
    const server = await this.#world.someServer(this);
    if (!server) return false;
    const { command, input, id, actor } = asked;
    const unchanged = chance.once(8) ? this.#rests(server) : [];
    const { seenTime, name, release } = server;
    const token = this.#world.token();
    const look = this.#world.look();
    const call: Call = {
      ...look,
      live: this.#world.liveOf(server),
      token,
      server: name,
      release: release.index,
      command,
      input,
      id,
      actor,
      unchanged,
      seenTime,
    };
    witness.asks(call);
    trace.note(`${this.name} ${token} ${command} ${id ?? ''} at ${name}`);
    const signal = chance.once(15) ? this.#givesUp(call) : undefined;
    const given = structuredClone({ input, unchanged });
    const options = { id, actor, causation: token, unchanged: given.unchanged, signal };
    let told: Pick<Call, 'outcome' | 'error'>;
    try {
      const executing = server.app.execute(release.commands.get(command)!, given.input, options);
      spoil(given);
      spoil(options);
      told = { outcome: (await server.orDies(executing)) as Outcome };
    } catch (error) {
      if (error instanceof Died) return true;
      told = { error };
    }
    this.#answered(call, told, server);
    return call.outcome ? call.outcome.status === 'failed' && call.outcome.retryable : worthwhile(call.error);
  }

  #answered(call: Call, told: Pick<Call, 'outcome' | 'error'>, server: Server): void {
    const { witness, trace, chance, plan } = this.#world;
    const { after, era } = this.#world.look();
    Object.assign(call, told, { upTo: after, endEra: era, closing: server.closing });
    const { outcome, error } = told;
    const code = codeOf(error);
    trace.note(`${call.token}: ${outcome ? `${outcome.status} ${outcome.position} ${outcome.replayed}` : code}`);
    trace.meets(outcome ? (outcome.replayed ? 'replayed' : (outcome.reason ?? outcome.status)) : code);
    witness.answered(call);
    if (outcome) this.#keeps(outcome.events);
    if (outcome && call.era === era) server.told = Math.max(server.told, outcome.position);
    if (outcome && call.era === era) this.#seen(server, outcome.position, outcome.events.at(-1)!.recordedAt);
    if (plan.changesGiven) spoil(outcome);
    if (code === 'HistoryDiverged' && !server.dead && chance.once(2)) this.#world.dies(server);
  }

  #seen(server: Server, position: number, time: number): void {
    server.seen = Math.max(server.seen, position);
    server.seenTime = Math.max(server.seenTime, time);
  }

  #givesUp(call: Call): AbortSignal {
    const { scheduler, chance } = this.#world;
    const controller = new AbortController();
    void scheduler.wait(this, 'gives up', chance.below(60)).then(() => {
      call.aborted = true;
      controller.abort();
    });
    return controller.signal;
  }

  /** Documents that were shown to somebody, at the version they had, or one that they may not have yet. */
  #rests({ release }: Server): DocumentVersion[] {
    const { chance } = this.#world;
    const known = this.#memory.shown.filter(({ collection }) => release.collections.has(collection));
    if (known.length === 0) return [];
    const { collection, id, version } = chance.pick(known);
    return [{ collection, id, version: chance.once(6) ? version + 1 : version }];
  }

  async #reads(): Promise<void> {
    const server = await this.#world.someServer(this);
    if (!server) return;
    const { chance, plan, trace } = this.#world;
    const { look, ids, release } = { look: this.#world.look(), ids: plan.ids, release: server.release };
    const live = this.#world.liveOf(server);
    const base = { ...look, live, server: server.name, release: release.index };
    const name = chance.pick([...release.collections.keys()]);
    const collection = release.collections.get(name)!;
    const { app } = server;
    let reading: Reading;
    try {
      switch (chance.below(13)) {
        case 0: {
          const from = chance.once(2) ? 0 : chance.below(8);
          reading = { ...base, kind: 'history', collection: name, id: chance.pick(ids), from };
          const options = { after: from };
          const reader = app.history(collection, reading.id, options);
          spoil(options);
          await this.#all(server, reader, reading);
          break;
        }
        case 1: {
          const [reverse, from] = [chance.once(2), chance.below(look.after + 3)];
          const before = chance.once(3) ? chance.below(look.after + 2) : undefined;
          const types = chance.once(2) ? chance.some(plan.shape.types).map((type) => type.name) : undefined;
          reading = { ...base, kind: 'events', from, before, types, reverse };
          const options = { after: from, before, types: types && [...types], reverse };
          const reader = app.events(options);
          spoil(options);
          await this.#all(server, reader, reading);
          break;
        }
        case 5: {
          // Several at once, as they share the end of the log.
          const readings = Array.from({ length: 1 + chance.below(3) }, () => this.#follower(base, look.after));
          await Promise.all(readings.map((one) => this.#follows(server, one)));
          for (const one of readings) {
            // Whoever gives up before anything came was answered nothing: the store may be away.
            if (one.aborted && one.events!.length === 0) continue;
            if (one.events!.some(({ position }) => position > look.after)) trace.meets('followed further');
            this.#keeps(one.events!);
            this.#was(server, one);
          }
          return;
        }
        case 6:
        case 7: {
          const query = this.#query();
          const fresh = chance.once(3) ? 0 : server.told;
          // A page of the store may be short, or be read on behind documents that don't match.
          const inOnePiece = plan.pageRows >= PAGE_LARGE && query.limit >= FIND_LARGE;
          reading = { ...base, kind: 'find', collection: name, query, fresh, inOnePiece };
          const options = { ...findOptions(query), ...(fresh === 0 && { fresh: false }) };
          const finding = app.find(collection, options);
          spoil(options);
          reading.page = await server.orDies(finding);
          break;
        }
        case 8: {
          if (!server.reduces || !chance.once(4)) return;
          reading = { ...base, kind: 'rebuild', collection: name };
          try {
            reading.rebuilt = await server.orDies(app.rebuild(collection, { dryRun: chance.once(3) }));
          } catch (error) {
            // Another server has ended it.
            if (codeOf(error) === 'UnknownCollection') return;
            throw error;
          }
          break;
        }
        case 4: {
          reading = { ...base, kind: 'status' };
          const status = await server.orDies(app.status());
          // What has noticed says so, and no more.
          if (status.state !== 'open') return;
          reading.status = status;
          break;
        }
        case 3: {
          reading = { ...base, kind: 'fold', collection: name };
          const collections = [collection] as const;
          const folding = app.fold(collections);
          spoil(collections);
          [reading.documents] = await server.orDies(folding);
          break;
        }
        case 2: {
          const known = this.#memory.asked.flatMap(({ id }) => id ?? []);
          reading = { ...base, kind: 'outcome', id: known.length > 0 ? chance.pick(known) : 'nobody' };
          reading.outcome = await server.orDies(app.outcome(reading.id));
          break;
        }
        default: {
          const at = this.#past(look.after);
          const several = at && 'version' in at ? [] : chance.some(ids);
          if (several.length === 0) several.push(chance.pick(ids));
          reading = { ...base, kind: 'get', collection: name, ids: several, at };
          try {
            const [asked, when] = [[...several], at && { ...at }];
            const getting = app.get(collection, asked, when as never);
            spoil([asked, when]);
            reading.documents = await server.orDies(getting);
            if (!at) this.#memory.shown.push(...reading.documents);
          } catch (error) {
            if (troubled(error)) throw error;
            reading.error = error;
          }
        }
      }
    } catch (error) {
      if (troubled(error)) return void trace.note(`a reading failed: ${codeOf(error)}`);
      throw error;
    }
    this.#was(server, reading);
  }

  /** What was read, for the judge. */
  #was(server: Server, reading: Reading): void {
    const { plan, witness, trace } = this.#world;
    const { after, era } = this.#world.look();
    Object.assign(reading, { upTo: after, endEra: era });
    trace.note(`${this.name} ${reading.kind} at ${server.name}: ${JSON.stringify(reading).length}`);
    trace.meets('error' in reading && reading.error !== undefined ? `${reading.kind} refused` : reading.kind);
    witness.read(reading);
    // Outcomes of ids alone show a server no end of the log; what is read is at least as new as when it was asked for.
    if (reading.era === era && !looksAtSets(reading)) this.#seen(server, reading.after, 0);
    if (!plan.changesGiven) return;
    if (reading.kind === 'get') spoil(reading.documents);
    if ('events' in reading) spoil(reading.events);
    if ('outcome' in reading) spoil(reading.outcome);
  }

  #query(): Query {
    const { chance } = this.#world;
    const field = (): Counted => chance.pick(['count', 'hash']);
    const fields = chance.once(3) ? [] : chance.once(2) ? [field()] : chance.some<Counted>(['hash', 'count']);
    return {
      where: chance.once(2)
        ? {
            field: field(),
            is: chance.pick(['eq', 'ne', 'gte', 'lt']),
            value: chance.below(chance.once(2) ? 5 : 900_000),
          }
        : undefined,
      orderBy: fields.map((one) => ({ field: one, descends: chance.once(2) })),
      limit: chance.once(2) ? 1 + chance.below(3) : 50,
    };
  }

  /** Where a follower begins, often near the end, and what it wants. */
  #follower(base: Omit<Following, 'kind' | 'from' | 'types' | 'limit'>, end: number): Following {
    const { chance, plan } = this.#world;
    const { kept } = this.#memory;
    // A place that somebody has kept may be of a past that the store has lost since.
    const point = kept.length > 0 && chance.once(3) ? chance.pick(kept) : undefined;
    const position = chance.once(2) ? chance.below(end + 3) : Math.max(0, end - chance.below(3));
    const types = chance.once(2) ? chance.some(plan.shape.types).map((type) => type.name) : undefined;
    return { ...base, kind: 'follow', from: point ?? { position }, types, limit: 1 + chance.below(12) };
  }

  /** Follows until its limit, or until it has had enough. */
  async #follows(server: Server, reading: Following): Promise<void> {
    const { scheduler, chance } = this.#world;
    const enough = new AbortController();
    void scheduler.wait(this, 'has followed for long enough', chance.below(600)).then(() => enough.abort());
    const { from, types, limit } = reading;
    const options = {
      follow: true,
      after: from.hash === undefined ? from.position : { ...from },
      types: types && [...types],
      limit,
      signal: enough.signal,
    };
    const following = server.app.events(options as EventsOptions);
    spoil(options);
    try {
      await this.#all(server, following, reading);
    } catch (error) {
      if (error !== enough.signal.reason) throw error;
      reading.aborted = true;
    }
  }

  /** Takes down all that a reader gives, up to its end or its refusal. */
  async #all(
    server: Server,
    reader: AsyncIterator<RecordedEvent>,
    reading: Extract<Reading, { readonly from: unknown }>,
  ): Promise<void> {
    const events: RecordedEvent[] = [];
    reading.events = events;
    try {
      for (;;) {
        const next = await server.orDies(reader.next());
        if (next.done) return;
        events.push(next.value);
      }
    } catch (error) {
      // That this place isn't on the log; what concerns all that its server has seen is another thing.
      if (codeOf(error) !== 'HistoryDiverged' || !('after' in (error as TidemarkError).details)) throw error;
      reading.error = error;
    }
  }

  #keeps(events: readonly RecordedEvent[]): void {
    this.#memory.kept.push(...events.map(({ position, hash }) => ({ position, hash })));
  }

  #past(end: number): At {
    const { chance, witness } = this.#world;
    switch (chance.below(5)) {
      case 0:
        return { position: chance.below(end + 2) };
      case 1:
        return { version: chance.below(8) };
      case 2: {
        const { commits } = witness.timeline;
        const time = commits.length > 0 ? chance.pick(commits).commit.recordedAt : 0;
        return { time: time + chance.below(3) - 1 };
      }
      default:
        return undefined;
    }
  }
}

/** The code of one of our errors, or the name of another's. */
function codeOf(error: unknown): string {
  const { code, name = String(error) } = (error ?? {}) as { code?: unknown; name?: string };
  return typeof code === 'string' ? code : name;
}

/** What a caller may expect of a troubled world when it reads. */
function troubled(error: unknown): boolean {
  const code = codeOf(error);
  return ['Died', 'StoreUnavailable', 'Closed', 'HistoryDiverged', 'Rebuilding', 'DomainOutdated'].includes(code);
}

function worthwhile(error: unknown): boolean {
  const { retryable, code } = error as { retryable?: boolean; code?: string };
  return retryable === true || code === 'Closed' || code === 'HistoryDiverged';
}
