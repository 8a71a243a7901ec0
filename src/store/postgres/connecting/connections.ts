/**
 * The connections of a session: each is taken from a pool of `pg` for one piece of work, in its turn (gate.ts). A connection
 * whose statement was given up counts as used until the server has ended the statement: otherwise each try on a locked table
 * would cost a new connection.
 */
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../../errors.ts';
import type { Connection } from './connection.ts';
import { closed, translated } from '../errors.ts';
import { Failed, isPermanent, NoAnswer } from '../failed.ts';
import type { Gate, Purpose } from './gate.ts';
import type { Hosts } from './hosts.ts';
import type { Settings } from './options.ts';

/** The first pause before connecting again, and the longest, in milliseconds. */
const PAUSE_MS = 20;
const PAUSE_MAX_MS = 500;
/** The longest that closing waits for connections to end, in milliseconds. */
const END_MS = 2_000;

export class Connections {
  readonly #hosts: Hosts;
  readonly #gate: Gate;
  readonly #settings: Settings;
  readonly #running = new Set<Promise<void>>();
  /** Connections in use, and connections whose statement was given up. */
  readonly #used = new Set<Connection>();
  /** What rejects the calls that wait for a connection when the session gives up. */
  readonly #waiting = new Set<(error: unknown) => void>();
  /** Why the last try to connect failed. */
  #failed: Failed | undefined;
  #closed = false;
  #abandoned = false;

  constructor(hosts: Hosts, gate: Gate, settings: Settings) {
    this.#hosts = hosts;
    this.#gate = gate;
    this.#settings = settings;
  }

  /** Runs work on a connection of its own. @throws Closed, ConnectionsBusy, StoreUnavailable */
  async use<T>(purpose: Purpose, work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed(this.#settings.place);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#running.add(done);
    try {
      const leave = await this.#orClosed(this.#enter(purpose), (late) => late());
      let over: Promise<void> | undefined;
      try {
        const connection = await this.#orClosed(this.#take(), (late) => late.release());
        this.#used.add(connection);
        if (this.#abandoned) connection.abandon();
        try {
          return await work(connection);
        } finally {
          if (connection.spent) this.#hosts.distrust();
          over = connection.release();
          if (over === undefined) this.#used.delete(connection);
          else void over.finally(() => this.#used.delete(connection));
        }
      } finally {
        if (over === undefined) leave();
        else void over.finally(leave);
      }
    } finally {
      this.#running.delete(done);
      resolve();
    }
  }

  /** Begins nothing new, ends all waiting, and gives up what is under way. */
  abandon(): void {
    this.#closed = true;
    this.#abandoned = true;
    for (const give of this.#waiting) give(closed(this.#settings.place));
    for (const connection of this.#used) connection.abandon();
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Begins nothing new, and waits for what is under way: a pool that ends forgets the calls that wait for a connection. */
  async end(): Promise<void> {
    this.#closed = true;
    await this.idle();
    // Some statements may be given up and not ended by the server yet.
    this.abandon();
    // A dead connection that isn't known to be dead would make this wait as long as the network does.
    await Promise.race([this.#hosts.end(), sleep(END_MS, undefined, { ref: false })]);
  }

  async #enter(purpose: Purpose): Promise<() => void> {
    try {
      return await this.#gate.enter(purpose, this.#settings);
    } catch (error) {
      const unanswered = [...this.#used].find((connection) => connection.unanswered)?.unanswered;
      const reason = this.#failed ?? unanswered;
      // The calls before it wait for a database that is away, or for something locked.
      if (reason && hasCode(error, 'ConnectionsBusy')) throw translated(reason, this.#settings.place);
      throw error;
    }
  }

  /** Waits until the session is abandoned at most. A value that comes later is given to `late`. */
  async #orClosed<T>(waitedFor: Promise<T>, late: (value: T) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let tooLate = false;
    const give = (error: unknown): void => {
      this.#waiting.delete(give);
      tooLate = true;
      reject(error);
    };
    this.#waiting.add(give);
    waitedFor.then((value) => {
      this.#waiting.delete(give);
      if (tooLate) late(value);
      else resolve(value);
    }, give);
    if (this.#abandoned) give(closed(this.#settings.place));
    return promise;
  }

  /** Tries again, with growing pauses, until there is a connection or the time is over. */
  async #take(): Promise<Connection> {
    const end = performance.now() + this.#settings.connectTimeoutMs;
    let told: Failed | undefined;
    for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MAX_MS)) {
      try {
        const connection = await this.#connect(Math.max(1, end - performance.now()));
        this.#failed = undefined;
        return connection;
      } catch (error) {
        const failed = error instanceof Failed ? error : new Failed(error, { connecting: true });
        if (isPermanent(failed) || this.#closed) throw failed;
        // The last try ends with the time: that it got no answer says less than the failures before it.
        if (told === undefined || !(error instanceof NoAnswer)) told = this.#failed = failed;
        const left = end - performance.now();
        if (left <= 0) throw translated(told, this.#settings.place);
        // Random, as many servers may try again at once.
        await sleep(Math.min(left, pause * (0.5 + Math.random())));
      }
    }
  }

  /** The pool itself may wait for ever. */
  async #connect(timeoutMs: number): Promise<Connection> {
    const connecting = this.#hosts.connect();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new NoAnswer(timeoutMs)), timeoutMs);
    try {
      return await Promise.race([connecting, late]);
    } catch (error) {
      if (error instanceof NoAnswer) {
        void connecting.then(
          (connection) => connection.release(),
          () => undefined,
        );
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
