/**
 * The scheduler: everything that waits, waits here, and a seeded choice says what goes on next. Between two choices all
 * that is ready runs to its next wait, so one seed is one order of everything.
 */
import type { Chance } from '../src/testing/conformance/random.ts';
import { LawBroken } from './laws/broken.ts';
import type { Trace } from './trace.ts';

/** Taken before anything may be poisoned: resolves once everything that is ready has run. */
const settled = (
  (immediate) => () =>
    new Promise<void>((resolve) => void immediate(resolve))
)(setImmediate);

/** Whoever waits: what it waits for never comes once it is dead. */
export interface Owner {
  readonly name: string;
  readonly dead: boolean;
}

interface Task {
  readonly owner: Owner;
  readonly label: string;
  due: number;
  readonly go: () => void;
  /** Leaves nothing of it behind with the signal. */
  drop: () => void;
}

/** Steps of one run: more means that it goes on for ever. */
const STEPS_MAX = 200_000;
/** Whoever waits for longer waits for nothing in particular: what is done once an hour. In milliseconds. */
const IDLE_MS = 600_000;
/** The longest step, in milliseconds of the simulated time. */
const STEP_MS = 4;

export class Scheduler {
  /** The simulated time: milliseconds since the Unix epoch. */
  now = 1_700_000_000_000;
  steps = 0;
  readonly #chance: Chance;
  readonly #trace: Trace;
  #tasks: Task[] = [];

  constructor(chance: Chance, trace: Trace) {
    this.#chance = chance;
    this.#trace = trace;
  }

  /** Resolves when the scheduler says so, not before `ms` have passed or the signal has aborted; never if its owner dies. */
  wait(owner: Owner, label: string, ms = 0, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      // A store that was asked before answers it still.
      if (owner.dead) return;
      const task: Task = { owner, label, due: this.now + Math.ceil(ms), go: resolve, drop: () => undefined };
      const ends = (): void => void (task.due = Math.min(task.due, this.now));
      if (signal?.aborted) ends();
      else if (signal) {
        signal.addEventListener('abort', ends, { once: true });
        task.drop = () => signal.removeEventListener('abort', ends);
      }
      this.#tasks.push(task);
    });
  }

  /** Forgets what the dead wait for. */
  bury(): void {
    for (const { owner, drop } of this.#tasks) if (owner.dead) drop();
    this.#tasks = this.#tasks.filter(({ owner }) => !owner.dead);
  }

  /** The run is over. */
  forgets(): void {
    for (const { drop } of this.#tasks) drop();
    this.#tasks = [];
  }

  /** Goes on until `done`. @throws LawBroken if nothing waits and it isn't, or if it takes too long */
  async run(done: () => boolean): Promise<void> {
    await settled();
    while (!done()) {
      if ((this.steps += 1) > STEPS_MAX) throw new LawBroken('liveness', `no end after ${STEPS_MAX} steps`);
      const task = this.#next();
      if (!task) throw new LawBroken('liveness', 'nothing is under way any more, but callers still wait');
      this.#trace.note(`${this.now % 1_000_000} ${task.owner.name} ${task.label}`);
      task.drop();
      task.go();
      await settled();
    }
  }

  #next(): Task | undefined {
    if (this.#tasks.length === 0) return undefined;
    const first = Math.min(...this.#tasks.map(({ due }) => due));
    if (first - this.now > IDLE_MS) return undefined;
    this.now += this.#chance.below(STEP_MS);
    if (first > this.now) this.now = first;
    const ready = this.#tasks.filter(({ due }) => due <= this.now);
    const task = this.#chance.pick(ready);
    this.#tasks.splice(this.#tasks.indexOf(task), 1);
    return task;
  }
}
