/**
 * Commands that ask the ledger before anything else: those with a refused input, and those with `prepare`. The latter are kept
 * by id: `prepare` calls the outside world, and must not do so twice for one command, so the same command sent again waits for
 * its result. All applications of a process on one store share this.
 */
import { Overloaded } from '../../errors.ts';
import { abortController } from '../../realm.ts';
import { listen } from '../../signal.ts';
import type { CommandFacts, Store } from '../../store/store.ts';
import type { Limits } from '../../limits.ts';
import type { Core } from '../core.ts';
import { closedError } from './doubt.ts';
import { Entry } from './entry.ts';
import type { Executor } from './executor.ts';
import type { Outcome } from './outcome.ts';
import { laneName } from './queue-lanes.ts';
import { assertRoom, shareOf } from './queue-room.ts';
import { assertSame, replay } from './replay.ts';
import type { Request } from './request.ts';
import type { SharedLedger } from './shared-ledger.ts';

export interface Runner {
  readonly core: Core;
  readonly executor: Executor;
  readonly ledger: SharedLedger;
}

interface Caller {
  readonly runner: Runner;
  readonly request: Request;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

const onStores = new WeakMap<Store, InFlight>();

export function inFlightOn(store: Store): InFlight {
  const known = onStores.get(store) ?? new InFlight();
  onStores.set(store, known);
  return known;
}

/** The part of the room that is kept for lanes with less than an even share. */
const KEPT_PART = 0.1;

/** The room that callers take up: all of them, or those of one lane. */
interface Held {
  waiting: number;
  bytes: number;
}

export class InFlight {
  readonly #flights = new Map<string, Flight>();
  readonly #held: Held = { waiting: 0, bytes: 0 };
  readonly #byLane = new Map<string, Held>();

  has(commandId: string): boolean {
    return this.#flights.has(commandId);
  }

  /**
   * Waits for the outcome of a command, and starts it unless it is on its way.
   *
   * @throws CommandIdReused, Overloaded; InvalidInput if the signal can't be listened to
   */
  wait(runner: Runner, request: Request): Promise<Outcome> {
    const { id } = request.facts;
    const known = this.#flights.get(id);
    // An id made here is unique.
    const before = known?.facts ?? (request.named ? runner.executor.queue.find(id)?.request.facts : undefined);
    if (before) assertSame(request, before);
    assertRoom(runner.core.limits, this.#held, request);
    this.#assertShare(runner.core.limits, request);

    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const caller: Caller = { runner, request, resolve, reject };
    // Before anything starts: it may throw.
    const deafen = request.signal && listen(request.signal, (reason) => flight.leave(caller, reason));
    // A refused input comes to nothing, so it doesn't take the id.
    const flight = known ?? (request.refusal ? new Flight(request.facts, () => undefined) : this.#begin(request.facts));
    flight.callers.add(caller);
    this.#count(request, 1);
    const done = (): void => {
      this.#count(request, -1);
      deafen?.();
    };
    promise.catch(() => undefined).finally(done);
    if (!known) void flight.run();
    return promise;
  }

  /** A call to the outside world can't be undone to make room for others: so some room is kept for them. */
  #assertShare(limits: Limits, request: Request): void {
    const own = this.#byLane.get(laneName(request));
    if (!own || shareOf(limits, this.#held) < 1 - KEPT_PART) return;
    if (shareOf(limits, own) * (this.#byLane.size + 1) < 1) return;
    throw new Overloaded(
      `${own.waiting} commands of the same actor, or of one kind where none is named, are on their way already, and the room that is left is kept for others. Nothing was recorded: send it again later, or raise limits.queueCommandsMax.`,
      { waiting: own.waiting, max: limits.queueCommandsMax, limit: 'queueCommandsMax' },
    );
  }

  #count(request: Request, sign: 1 | -1): void {
    const name = laneName(request);
    const own = this.#byLane.get(name) ?? { waiting: 0, bytes: 0 };
    for (const held of [this.#held, own]) {
      held.waiting += sign;
      held.bytes += sign * request.bytes;
    }
    if (own.waiting > 0) this.#byLane.set(name, own);
    else this.#byLane.delete(name);
  }

  #begin(facts: CommandFacts): Flight {
    const flight = new Flight(facts, () => {
      if (this.#flights.get(facts.id) === flight) this.#flights.delete(facts.id);
    });
    this.#flights.set(facts.id, flight);
    return flight;
  }

  /** An application closes: its callers that wait for `prepare` are told. What is in the queue is stored. */
  close(runner: Runner): void {
    for (const flight of this.#flights.values()) {
      if (flight.queued) continue;
      for (const caller of flight.callers) if (caller.runner === runner) flight.leave(caller, closedError());
    }
  }
}

/**
 * One command on its way, and its callers. It is over once they are answered. If all of them gave up, it is over when nothing can
 * come of it any more: a new caller waits for that.
 */
class Flight {
  readonly facts: CommandFacts;
  readonly callers = new Set<Caller>();
  queued = false;
  readonly #over: () => void;
  #deserted = abortController();

  /** `over` is called when no caller may join any more; perhaps more than once. */
  constructor(facts: CommandFacts, over: () => void) {
    this.facts = facts;
    this.#over = over;
  }

  /** Never rejects: the callers get the errors. */
  async run(): Promise<void> {
    let prepared: { readonly value: unknown } | undefined;
    while (this.callers.size > 0) {
      await this.#ask();
      if (this.#lead?.request.refusal) {
        this.#refuse();
        continue;
      }
      prepared ??= await this.#prepare();
      if (prepared) await this.#send(prepared.value);
    }
    this.#over();
  }

  /** A caller gives up; the work goes on for the others. */
  leave(caller: Caller, reason: unknown): void {
    if (!this.callers.delete(caller)) return;
    caller.reject(reason);
    if (this.callers.size === 0) this.#deserted.abort(reason);
  }

  /** The caller that waits longest, of those whose input is accepted: its application does the work. */
  get #lead(): Caller | undefined {
    for (const caller of this.callers) if (!caller.request.refusal) return caller;
    const [first] = this.callers;
    return first;
  }

  /** A signal that aborts when no caller waits any more. */
  #whileAwaited(): AbortSignal {
    if (this.#deserted.signal.aborted) this.#deserted = abortController();
    return this.#deserted.signal;
  }

  async #ask(): Promise<void> {
    const lead = this.#lead;
    if (!lead?.request.named) return;
    const { core, executor, ledger } = lead.runner;
    try {
      // It may have been accepted a moment ago: a schema can depend on the time.
      if (lead.request.refusal) await executor.queue.find(lead.request.facts.id)?.ended;
      const commit = await ledger.entry(lead.request.facts.id);
      if (!commit?.final) return;
      assertSame(lead.request, commit.command);
      this.#resolve(await replay(core, commit), undefined);
    } catch (error) {
      this.#reject(error, alike(lead));
    }
  }

  /** No input is accepted, and the ledger holds no outcome: each caller gets its own error. */
  #refuse(): void {
    for (const { request } of this.callers) this.#reject(request.refusal, (caller) => caller.request === request);
  }

  /** The result of `prepare`, even if all callers gave up: others may have come. */
  async #prepare(): Promise<{ readonly value: unknown } | undefined> {
    const { request } = this.#lead ?? {};
    if (!request || request.refusal) return undefined;
    const { command, input, facts } = request;
    const signal = this.#whileAwaited();
    try {
      return { value: await command.prepare?.(input, { id: facts.id, actor: facts.actor, signal }) };
    } catch (error) {
      // If the callers gave up, it runs once more for those that came after.
      if (!signal.aborted) this.#reject(error, () => true);
      return undefined;
    }
  }

  async #send(prepared: unknown): Promise<void> {
    const lead = this.#lead;
    if (!lead || lead.request.refusal) return;
    const entry = new Entry(lead.request, prepared);
    const signal = this.#whileAwaited();
    try {
      lead.runner.executor.submit(entry, signal);
      this.queued = true;
      this.#resolve(await entry.promise, lead);
    } catch (error) {
      // It may be stored all the same.
      if (this.queued) await entry.ended;
      if (!signal.aborted) this.#reject(error, alike(lead));
    } finally {
      this.queued = false;
    }
  }

  /** Answers all; `lead` is the caller whose request was executed. */
  #resolve(outcome: Outcome, lead: Caller | undefined): void {
    const again = Object.freeze({ ...outcome, replayed: true });
    for (const caller of this.callers) {
      caller.resolve(caller === lead ? outcome : again);
      if (caller === lead) continue;
      const { counters, watermark } = caller.runner.core;
      watermark.tell(outcome.position);
      counters.commands += 1;
      counters.replayed += 1;
    }
    this.callers.clear();
    this.#over();
  }

  #reject(error: unknown, concerns: (caller: Caller) => boolean): void {
    for (const caller of this.callers) {
      if (!concerns(caller)) continue;
      this.callers.delete(caller);
      caller.reject(error);
    }
    if (this.callers.size === 0) this.#over();
  }
}

/** An error of one caller concerns all that ask the same of the same application; the others try for themselves. */
function alike({ runner, request }: Caller): (caller: Caller) => boolean {
  const unchanged = JSON.stringify(request.unchanged);
  return (caller) => caller.runner === runner && JSON.stringify(caller.request.unchanged) === unchanged;
}
