/**
 * The reduction: stored documents follow the log, beside commands. Events after the last reduction are folded in the order they
 * were stored, and each document is stored with its version (law 6). Any number of servers do it side by side: a step is stored
 * only if the set is still where it was. Whoever loses steps aside, and takes over when the set doesn't move any more.
 */
import { hasCode } from '../../errors.ts';
import { abortController } from '../../realm.ts';
import { Recent } from '../../recent.ts';
import { listen, withAny } from '../../signal.ts';
import type { LogEnd, LogPoint, Stepped } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Stretch } from '../giving-way.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { isReady } from '../registry/readiness.ts';
import { concernsAll } from '../outage.ts';
import { eventReader, type ReadEvent } from '../reading/fold-events.ts';
import { makeTogether, MAKING_EVENTS } from './making.ts';
import { isBeingMade, isSamePlace } from './marks.ts';
import { Mending } from './mending.ts';
import { foldInto } from './folded-slice.ts';
import { SLICE_EVENTS, sliceAfter, type Slice } from './slice.ts';
import { errorOf, type Progressing } from './reduction-status.ts';
import { StoredSet } from './set.ts';
import type { Made } from './set-making.ts';

/** Names of documents that are kept. */
const NAMES_MAX = 200_000;
/** Near the end of the log a slice waits so long for more events, in milliseconds: each costs a transaction, … */
const GATHER_MS = 15;
/** … and longer if many have come: a slice of four times as many events writes hardly more pages. */
const GATHER_MORE_MS = 30;
const MANY_EVENTS = 64;
/** So many events make a slice at once. */
const GATHER_EVENTS = SLICE_EVENTS;
/** Further behind it gives way to commands. */
const FAR_EVENTS = 20_000;
/** A set that other servers move is left to them, until it hasn't moved for so long, in milliseconds. */
const ASIDE_MS = 200;
/** A set that another server is making is left to it, until it doesn't show for so long that it is at it. */
const MAKING_ASIDE_MS = 3_000;
/** Pauses after an error, in milliseconds: each twice as long as the last. */
const PAUSE_MS = 50;
const PAUSE_MAX_MS = 2_000;
/** While a set is watched it is looked so often whether another server has mended documents of it, in milliseconds. */
const MENDED_MS = 500;
/** Where nobody waits, commits of other servers are looked for so often, in milliseconds. */
const IDLE_MS = 100;
/** Ends of the log whose time is known, to tell the lag. */
const LAGS_MAX = 1_000;
/** Long enough that it costs nothing, in milliseconds. */
const ALIVE_MS = 3_600_000;

interface Followed {
  readonly set: StoredSet;
  readonly mending: Mending;
  /** When it was last seen to move by another server; -Infinity if this server moves it. */
  asideSince: number;
  tries: number;
  pausedUntil: number;
  error: unknown;
  /** The end of the log when it was followed first: once it has got there, its documents are up to date. */
  readonly target: number;
  /** It is being made, by this server. */
  making: Promise<void> | undefined;
  /** It was made: from then on it is moved on slice by slice. */
  isMade: boolean;
}

interface Waiting {
  readonly set: number;
  readonly position: number;
  /** Also if it isn't at this place any more: documents may have been mended there. */
  readonly from?: LogPoint;
  /** Whether the reduction hurries for it. */
  readonly isUrgent: boolean;
  /** False: it has to ask again which set documents are found in. */
  readonly resolve: (isReached: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class Reduction {
  readonly #core: Core;
  readonly #followed = new Map<number, Followed>();
  readonly #names = new Recent<number, { readonly collection: string; readonly id: string }>(NAMES_MAX);
  readonly #waiting = new Set<Waiting>();
  readonly #lags: { position: number; at: number }[] = [];
  /** Aborted when somebody hurries; and when the log has moved as well. */
  #hurried = abortController();
  #moved = abortController();
  #running: Promise<void> | undefined;
  #isHurried = false;
  /** Events of the next slice. */
  #sliceEvents = SLICE_EVENTS;
  /** What keeps all sets from going on, how often in a row; and what has ended the reduction. */
  #away: unknown;
  #awayTries = 0;
  #ended: unknown;
  /** Where the log ended when this application was opened. */
  readonly #opened: number;
  /** Where the store has said that sets are. */
  #places: ReadonlyMap<number, LogPoint> = new Map();

  constructor(core: Core) {
    this.#core = core;
    this.#opened = core.watermark.seen.position;
    core.grown.each(() => this.#hurry());
    core.watermark.each(() => this.#moved.abort());
  }

  /** Goes on until the application is closed. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves once nothing of it runs any more. */
  async ended(): Promise<void> {
    await this.#running;
    await Promise.all([...this.#followed.values()].map(({ making }) => making));
  }

  /** The set that documents of a collection are found in. */
  setOf(collection: string): StoredSet | undefined {
    const own = this.#core.membership.own.get(collection);
    return own && this.#followed.get(own.definition.set)?.set;
  }

  /**
   * Whether the documents of a collection have never been up to date since this application was opened. Where this server doesn't
   * reduce, as far as the store was asked: others make them.
   */
  isBehind(collection: string): boolean {
    const own = this.#core.membership.own.get(collection);
    const followed = own && this.#followed.get(own.definition.set);
    if (!this.isRunning) {
      const place = own && this.#places.get(own.definition.set);
      return place !== undefined && (place.position < this.#opened || isBeingMade(place));
    }
    return !followed?.set.place || followed.set.place.position < followed.target || isBeingMade(followed.set.place);
  }

  /** The store has said where sets are now. */
  saw(places: ReadonlyMap<number, LogPoint>): void {
    this.#places = places;
  }

  /** The position that a set has reached, as far as it is known, also if only other servers move it. */
  reachedBy(set: number): number {
    return (this.#followed.get(set)?.set.place ?? this.#places.get(set))?.position ?? 0;
  }

  get isRunning(): boolean {
    return this.#running !== undefined && this.#ended === undefined;
  }

  /**
   * Waits until the set is at the position, or further; the reduction hurries meanwhile. False after `ms` milliseconds, or when
   * another set has taken its place.
   */
  async reached(set: number, position: number, ms: number, signal?: AbortSignal): Promise<boolean> {
    return this.placeOf(set) >= position || this.#wait({ set, position, isUrgent: true }, signal, ms);
  }

  /** Waits until the set isn't at a place any more, or another has taken its place. */
  async movedFrom(set: number, from: LogPoint, signal: AbortSignal): Promise<void> {
    const place = this.#followed.get(set)?.set.place;
    if (place?.position !== from.position) return;
    if (!isSamePlace(place, from)) {
      const page = await this.#core.untilClosed.stored({ set, limit: 0 });
      if (!page || !isSamePlace(page.place, from)) return;
      // Another server has mended documents, and this one doesn't know it yet.
      this.lost(set);
    }
    await this.#wait({ set, position: from.position + 1, from, isUrgent: false }, signal);
  }

  async #wait(
    wanted: Omit<Waiting, 'resolve' | 'reject'>,
    signal: AbortSignal | undefined,
    ms = Infinity,
  ): Promise<boolean> {
    const { closing, runtime } = this.#core;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const waiting = { ...wanted, resolve, reject };
    const done = abortController();
    const deafen = [closing.signal, signal].map((one) => one && listen(one, reject));
    this.#waiting.add(waiting);
    if (ms < Infinity) void runtime.sleep(ms, done.signal).then(() => resolve(false));
    else void this.#stayAlive(done.signal);
    if (waiting.isUrgent) this.#hurry();
    try {
      return await promise;
    } finally {
      this.#waiting.delete(waiting);
      done.abort();
      for (const end of deafen) end?.();
      // It asks the store for commits, which keeps the process running, only as long as somebody waits.
      if (this.#waiting.size === 0) this.#moved.abort();
    }
  }

  /** What runs in the background lets the process end; whoever waits for it doesn't. */
  async #stayAlive(until: AbortSignal): Promise<void> {
    while (!until.aborted) await this.#core.runtime.sleep(ALIVE_MS, until);
  }

  /** The position that a set has reached, as far as this server knows. */
  placeOf(set: number): number {
    return this.#followed.get(set)?.set.place?.position ?? 0;
  }

  /** The store has a set at an earlier place than it was known to be. */
  lost(set: number): void {
    this.#followed.get(set)?.set.forget();
    this.#hurry();
  }

  /** Why a set can't be moved on, for now; or any of them, if none is named. */
  stopped(set?: number): { readonly error: unknown } | undefined {
    if (this.#ended !== undefined) return { error: this.#ended };
    if (this.#awayTries > 2) return { error: this.#away };
    return [...this.#followed].find(([number, { tries }]) => tries > 2 && (set ?? number) === number)?.[1];
  }

  status(): Progressing {
    const { position } = this.#core.watermark.seen;
    this.#sawEnd(position);
    const place = this.#least(position);
    const since = this.#lags.find((lag) => lag.position > place);
    const followed = [...this.#followed.values()];
    return {
      state: this.isRunning ? 'background' : 'off',
      lagEvents: position - place,
      lagMs: position > place && since ? Math.max(0, Math.round(this.#core.runtime.elapsed() - since.at)) : 0,
      errors: followed.flatMap(({ set, error = this.#away }) =>
        error === undefined ? [] : [errorOf(set.collection.name, error)],
      ),
    };
  }

  /** Up to where all events are in the stored documents, as far as that is known. */
  #least(end: number): number {
    const sets = [...this.#core.membership.own.values()].map(({ definition }) => definition.set);
    return Math.min(end, ...sets.map((set) => this.reachedBy(set)));
  }

  #hurry(): void {
    this.#isHurried = true;
    this.#hurried.abort();
    this.#moved.abort();
  }

  async #run(): Promise<void> {
    const { closing, logger } = this.#core;
    const stretch = new Stretch(this.#core);
    while (!closing.signal.aborted) {
      try {
        await this.#follow();
        const worked = await this.#advance(stretch);
        this.#answer();
        const mended = await this.#mend();
        this.#away = undefined;
        this.#awayTries = 0;
        if (!worked && !mended) await this.#rest();
      } catch (error) {
        if (closing.signal.aborted) return;
        if (this.#away === undefined) logger.warn({ err: error }, 'the log can’t be reduced for now');
        this.#away = error;
        this.#awayTries += 1;
        if (hasCode(error, 'Closed', 'HistoryDiverged', 'WrongLog', 'FormatTooNew', 'DomainOutdated')) {
          // Calls of the application get the same error, and so do those that wait for documents.
          this.#ended = error;
          for (const { reject } of this.#waiting) reject(error);
          return;
        }
        await this.#core.runtime.sleep(PAUSE_MAX_MS / 4, closing.signal, { ref: false });
      }
    }
  }

  /** The sets of this code's collections, as they are registered now. */
  async #follow(): Promise<void> {
    const needed = new Map<number, string>();
    for (const [collection, own] of this.#core.membership.own) {
      if (!isReady(own)) continue;
      const { set, rebuilt } = own.definition;
      for (const number of rebuilt === undefined ? [set] : [set, rebuilt]) needed.set(number, collection);
    }
    for (const number of this.#followed.keys()) if (!needed.has(number)) this.#followed.delete(number);
    for (const { set, resolve } of this.#waiting) if (!needed.has(set)) resolve(false);
    for (const [number, collection] of needed) {
      if (this.#followed.has(number)) continue;
      const set = new StoredSet(this.#core, this.#core.collections.get(collection)!, number);
      this.#followed.set(number, {
        set,
        mending: new Mending(this.#core, set),
        asideSince: -Infinity,
        tries: 0,
        pausedUntil: 0,
        error: undefined,
        target: this.#core.watermark.seen.position,
        making: undefined,
        isMade: false,
      });
    }
    for (const followed of this.#followed.values()) {
      const { set } = followed;
      if (set.place) continue;
      if (!(await set.look())) await this.#outOfDate();
      // Somebody may be at it.
      else if (set.place && isBeingMade(set.place)) followed.asideSince = this.#core.runtime.elapsed();
    }
  }

  /** Another server has changed the registry. */
  async #outOfDate(): Promise<void> {
    await refreshMembership(this.#core, this.#core.untilClosed);
    for (const number of this.#followed.keys()) {
      const isKnown = [...this.#core.membership.own.values()].some(
        ({ definition }) => definition.set === number || definition.rebuilt === number,
      );
      if (!isKnown) this.#followed.delete(number);
    }
  }

  /** One slice for the sets that are furthest behind. False if none is to be moved now. */
  async #advance(stretch: Stretch): Promise<boolean> {
    const core = this.#core;
    const { position } = core.watermark.seen;
    this.#sawEnd(position);
    this.#make([...this.#followed.values()].filter((followed) => this.#isToBeMade(followed, position)));
    const due = [...this.#followed.values()].filter((followed) => this.#isDue(followed, position));
    if (due.length === 0) return false;
    const from = due.reduce((least, { set }) => Math.min(least, set.place!.position), Infinity);
    const group = due.filter(({ set }) => set.place!.position === from);
    const next = Math.min(...due.filter((one) => !group.includes(one)).map(({ set }) => set.place!.position));
    const until = Math.min(from + this.#sliceEvents, Math.max(from + 1, next));
    const left = position - from;
    if (left < GATHER_EVENTS) await this.#gather(from);
    if (left > FAR_EVENTS && !this.#isAwaited) await stretch.rest();
    this.#isHurried = false;
    const slice = await sliceAfter(core, core.untilClosed, from, until, this.#names);
    if (!slice) return false;
    const read = eventReader(core);
    for (const followed of group) await this.#step(followed, slice, read);
    // Where documents are so large that a step holds fewer events, the next slice is no longer than it must be.
    const reached = Math.min(...group.map(({ set }) => set.place?.position ?? slice.to.position));
    const taken = reached < slice.to.position ? reached - from : this.#sliceEvents;
    this.#sliceEvents = Math.max(1, Math.min(SLICE_EVENTS, 2 * taken));
    await core.runtime.turn();
    return true;
  }

  async #step(followed: Followed, slice: Slice, read: ReadEvent): Promise<void> {
    const stepped = await this.#tried(followed, () => foldInto(this.#core, followed.set, slice, read));
    if (stepped === undefined) return;
    followed.asideSince = stepped === 'moved' ? this.#core.runtime.elapsed() : -Infinity;
    if (stepped === 'behind') await this.#outOfDate();
  }

  /** A few documents that had failed. False if none was mended. */
  async #mend(): Promise<boolean> {
    let mended = false;
    for (const followed of this.#followed.values()) {
      const { set, making, mending, pausedUntil } = followed;
      if (!set.place || making || isBeingMade(set.place) || !mending.isDue) continue;
      if (this.#core.runtime.elapsed() < pausedUntil) continue;
      const stepped = await this.#tried(followed, () => mending.step());
      if (stepped === 'behind') await this.#outOfDate();
      mended ||= stepped === 'stored';
    }
    return mended;
  }

  /** Does something with a set. If it fails for that set alone, it is tried again after a pause. */
  async #tried(followed: Followed, work: () => Promise<Stepped | undefined>): Promise<Stepped | undefined> {
    const { closing } = this.#core;
    try {
      const stepped = await work();
      followed.tries = 0;
      followed.error = undefined;
      return stepped;
    } catch (error) {
      if (closing.signal.aborted || hasCode(error, 'Closed')) throw error;
      if (concernsAll(error) && !hasCode(error, 'StoreUnavailable', 'ConnectionsBusy', 'NotWritable')) throw error;
      this.#failed(followed, error);
      return undefined;
    }
  }

  #isToBeMade({ set: { place }, making, isMade, asideSince, pausedUntil }: Followed, end: number): boolean {
    const now = this.#core.runtime.elapsed();
    if (!place || making || now < pausedUntil) return false;
    // Another server shows every half second that it is at it.
    if (isBeingMade(place)) return now - asideSince >= MAKING_ASIDE_MS;
    return !isMade && end - place.position >= MAKING_EVENTS;
  }

  /** Sets that are at one place are made together. Two of one collection are there while it is rebuilt: each by itself. */
  #make(followed: readonly Followed[]): void {
    const isTogether = (one: Followed, other: Followed): boolean =>
      one.set.place!.position === other.set.place!.position && one.set.collection !== other.set.collection;
    const groups: Followed[][] = [];
    for (const one of followed) {
      const group = groups.find((others) => others.every((other) => isTogether(one, other)));
      if (group) group.push(one);
      else groups.push([one]);
    }
    for (const group of groups) {
      const made = makeTogether(
        this.#core,
        group.map(({ set }) => set),
      );
      for (const [index, one] of group.entries()) one.making = this.#isMade(one, made[index]!);
    }
  }

  /** Never rejects. */
  async #isMade(followed: Followed, making: Promise<Made>): Promise<void> {
    const { runtime } = this.#core;
    const { set } = followed;
    try {
      const made = await making;
      followed.tries = 0;
      followed.error = undefined;
      followed.isMade = made === 'over';
      if (made === 'behind') await this.#outOfDate();
      if (made !== 'over') {
        followed.asideSince = runtime.elapsed();
        set.forget();
      }
    } catch (error) {
      if (!this.#core.closing.signal.aborted) this.#failed(followed, error);
    } finally {
      followed.making = undefined;
      this.#hurry();
    }
  }

  #failed(followed: Followed, error: unknown): void {
    const { logger, runtime } = this.#core;
    const { name } = followed.set.collection;
    if (followed.error === undefined)
      logger.warn({ err: error, collection: name }, `the documents of ${name} can't be stored for now`);
    followed.error = error;
    followed.pausedUntil = runtime.elapsed() + Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** followed.tries);
    followed.tries += 1;
    // What was sent may have been stored.
    followed.set.forget();
  }

  #isDue(followed: Followed, end: number): boolean {
    const { set, asideSince, pausedUntil } = followed;
    const place = set.place;
    if (!place || place.position >= end || followed.making || isBeingMade(place)) return false;
    const now = this.#core.runtime.elapsed();
    if (now < pausedUntil) return false;
    if (now - asideSince >= ASIDE_MS) return true;
    return [...this.#waiting].some(
      (waiting) => waiting.isUrgent && waiting.set === set.number && waiting.position > place.position,
    );
  }

  /** Whoever waits for what is reached now goes on. */
  #answer(): void {
    for (const waiting of this.#waiting) {
      const place = this.#followed.get(waiting.set)?.set.place;
      if (!place) continue;
      const hasMoved = waiting.from !== undefined && !isSamePlace(place, waiting.from);
      if (place.position >= waiting.position || hasMoved) waiting.resolve(true);
    }
  }

  get #isAwaited(): boolean {
    for (const { isUrgent } of this.#waiting) if (isUrgent) return true;
    return false;
  }

  #sawEnd(position: number): void {
    const last = this.#lags.at(-1);
    if ((last?.position ?? 0) < position) this.#lags.push({ position, at: this.#core.runtime.elapsed() });
    const place = this.#least(position);
    while (this.#lags.length > 1 && this.#lags[0]!.position <= place) this.#lags.shift();
    // A long lag needs no finer steps.
    if (this.#lags.length > LAGS_MAX) this.#lags.splice(1, this.#lags.length - LAGS_MAX);
  }

  /** Until the log has moved, somebody hurries, or a set that was left aside or paused may be due. */
  async #rest(): Promise<void> {
    const core = this.#core;
    const { seen } = core.watermark;
    this.#isHurried = false;
    // The log has moved since it was looked at.
    if ([...this.#followed.values()].some((followed) => this.#isDue(followed, seen.position))) return;
    const isBehind = [...this.#followed.values()].some(
      ({ set: { place }, mending }) => !place || place.position < seen.position || isBeingMade(place) || mending.isOpen,
    );
    if (isBehind) {
      await this.#sleep(ASIDE_MS / 4);
      await this.#lookAgain();
      return;
    }
    if (this.#waiting.size > 0) return this.#untilMoved(seen);
    // Nobody waits for it: the process may end meanwhile.
    await this.#sleep(IDLE_MS);
    if (core.watermark.seen === seen) await core.watermark.look(core.untilClosed);
  }

  async #untilMoved(seen: LogEnd): Promise<void> {
    const core = this.#core;
    const { closing } = core;
    const wake = this.#awaken();
    if (this.#isAwaited) await core.watermark.look(core.untilClosed);
    if (core.watermark.seen !== seen) return;
    const pause = abortController();
    const watched = [...this.#waiting].filter(({ from }) => from !== undefined);
    if (watched.length > 0) void core.runtime.sleep(MENDED_MS, pause.signal, { ref: false }).then(() => pause.abort());
    const signals = [wake, pause.signal, closing.signal];
    const moved = withAny(signals, (either) => core.session.moved(seen, either));
    const end = await moved
      .catch((error: unknown) => {
        if ((wake.aborted || pause.signal.aborted) && !closing.signal.aborted) return undefined;
        throw error;
      })
      .finally(() => pause.abort());
    if (end) return core.watermark.observe(seen, end, core.untilClosed);
    // Another server may have mended documents: nothing else tells of it.
    for (const number of new Set(watched.map(({ set }) => set))) {
      const found = this.#followed.get(number);
      if (found && !(await found.set.look())) return this.#outOfDate();
    }
  }

  /** Sets that others move: where are they now? */
  async #lookAgain(): Promise<void> {
    for (const followed of this.#followed.values()) {
      const { set } = followed;
      const waits = set.place && isBeingMade(set.place) ? MAKING_ASIDE_MS : ASIDE_MS;
      if (followed.making || this.#core.runtime.elapsed() - followed.asideSince >= waits) continue;
      const before: LogPoint | undefined = set.place;
      if (!(await set.look())) return this.#outOfDate();
      if (before && (!set.place || !isSamePlace(set.place, before))) followed.asideSince = this.#core.runtime.elapsed();
    }
    this.#answer();
  }

  /** Waits for more events after a position, whatever is stored meanwhile: unless somebody hurries. */
  async #gather(from: number): Promise<void> {
    for (const ms of [GATHER_MS, GATHER_MORE_MS]) {
      if (this.#isHurried) return;
      if (this.#hurried.signal.aborted) this.#hurried = abortController();
      await this.#sleep(ms, this.#hurried.signal);
      if (this.#core.watermark.seen.position - from < MANY_EVENTS) return;
    }
  }

  async #sleep(ms: number, wake = this.#awaken()): Promise<void> {
    const { runtime, closing } = this.#core;
    await withAny([wake, closing.signal], (either) => runtime.sleep(ms, either, { ref: false }));
  }

  /** A signal that aborts when the log has moved, or somebody hurries. */
  #awaken(): AbortSignal {
    if (this.#moved.signal.aborted) this.#moved = abortController();
    if (this.#isHurried) this.#moved.abort();
    return this.#moved.signal;
  }
}
