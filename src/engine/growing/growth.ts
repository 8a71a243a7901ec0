/**
 * What has to be made because code has changed: keyings and indexes are filled, page by page, beside commands. A page is stored
 * only if nobody has gone on meanwhile; a server that finds another at work steps aside, and takes over when that one stops.
 * Once an hour what this code uses is marked as used, also while something is made, and what nobody uses any more is let go.
 */
import { hasCode } from '../../errors.ts';
import { withAny } from '../../signal.ts';
import type { Core } from '../core.ts';
import { Stretch } from '../giving-way.ts';
import type { Reduction } from '../reduction/reduction.ts';
import { fillKeying } from './filling.ts';
import { fillIndex } from './indexing.ts';
import { DOCUMENTS, IDS, Portions } from './portions.ts';
import { LeftRebuilds } from './left-rebuilds.ts';
import { Others } from './others.ts';
import { BEAT_MS } from './rebuild-note.ts';
import { reportingTo, type OnProgress } from './reporting.ts';
import { Rate } from '../registry/rate.ts';
import { isReady, paced, type Progress } from '../registry/readiness.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { aging, USED_MS, using } from '../registry/retiring.ts';

/** Work that another server does is looked at so often, in milliseconds, … */
const LOOK_MS = 100;
/** … and taken over when it hasn't moved for so long. */
const ASIDE_MS = 1_000;
const PAUSE_MAX_MS = 2_000;
/** Where there is nothing to do, it is looked so often what other servers have changed, in milliseconds. */
export const IDLE_LOOK_MS = 5_000;
/**
 * What is unused is judged by the time that the log had so many rounds before: after a quiet weekend its time goes on by days at once,
 * and by then every server that runs has marked what it uses.
 */
const AGING_ROUNDS = 2;

interface Work {
  readonly rate: Rate;
  /** Where it was when it was seen last, and since when it is there. */
  at: number | string | undefined;
  since: number;
  /** Whether another server is at it. */
  isAside: boolean;
  error: unknown;
  tries: number;
  pausedUntil: number;
}

export class Growth {
  readonly #core: Core;
  readonly #reduction: Reduction;
  /** By the name of a keying or the number of an index. */
  readonly #works = new Map<string | number, Work>();
  /** By set: how fast it is folded. */
  readonly #folding = new Map<number, Rate>();
  readonly #stretch: Stretch;
  readonly #portions = { ids: new Portions(IDS), documents: new Portions(DOCUMENTS) };
  readonly #left: LeftRebuilds;
  #keptAt = -Infinity;
  /** The times of the log when it was marked what is used. */
  readonly #times: number[] = [];
  /** Whether there may be something to be swept; and the sets that there were when that was looked at last. */
  #isUnswept = false;
  #sets = '';
  /** What has ended it. */
  #ended: { readonly error: unknown } | undefined;

  constructor(core: Core, reduction: Reduction) {
    this.#core = core;
    this.#stretch = new Stretch(core);
    this.#reduction = reduction;
    this.#left = new LeftRebuilds(core, reduction);
  }

  /** Runs until the application is closed. Never rejects. */
  async run(): Promise<void> {
    if (this.#core.session.readOnly) return;
    await this.#run();
    await this.#left.ended();
  }

  async #run(): Promise<void> {
    const { closing, runtime } = this.#core;
    while (!closing.signal.aborted) {
      try {
        const isWorking = await this.#work();
        const hasRebuilds = this.#left.look();
        // Also where there is work for days.
        if (runtime.elapsed() - this.#keptAt >= USED_MS) await this.#keep();
        if (isWorking || (await this.#swept())) continue;
        const isWaiting = this.#works.size > 0;
        await this.#core.grown.next(isWaiting ? LOOK_MS : hasRebuilds ? BEAT_MS : IDLE_LOOK_MS, (ms, done) =>
          withAny([done, closing.signal], (either) => runtime.sleep(ms, either, { ref: isWaiting })),
        );
        await this.#refresh();
      } catch (error) {
        if (closing.signal.aborted) return;
        if (hasCode(error, 'Closed', 'HistoryDiverged', 'WrongLog', 'FormatTooNew', 'DomainOutdated')) {
          this.#ended = { error };
          return;
        }
        await runtime.sleep(PAUSE_MAX_MS / 4, closing.signal);
      }
    }
  }

  /**
   * Resolves when all documents of this code's collections have been made.
   *
   * @throws what `onProgress` throws, or rejects with; Rebuilding if only other servers can go on, and none does
   */
  async finished(onProgress: OnProgress): Promise<void> {
    const { closing, runtime } = this.#core;
    const reporting = reportingTo(onProgress);
    const others = new Others(this.#core);
    for (;;) {
      closing.signal.throwIfAborted();
      reporting.assertGoing();
      const stopped =
        this.#ended ?? [...this.#works.values()].find(({ tries }) => tries > 1) ?? this.#reduction.stopped();
      if (stopped) throw stopped.error;
      if (!this.#reduction.isRunning) this.#reduction.saw(await others.look());
      // A rebuild holds nobody up.
      const progress = this.progress().filter(({ work }) => work !== 'rebuilding');
      if (progress.length === 0) return;
      for (const one of progress) reporting.tell(one);
      if (!this.#reduction.isRunning) others.assertGoing(progress);
      await runtime.sleep(LOOK_MS, closing.signal);
    }
  }

  /** What is still to be made of this code's collections. */
  progress(): readonly Progress[] {
    const { membership, watermark } = this.#core;
    const end = watermark.seen.position;
    const found: Progress[] = [];
    for (const [collection, own] of membership.own) {
      const { definition } = own.definition;
      const attaching = this.#core.readiness.unready(collection);
      if (attaching) found.push(this.#withError(attaching, own.keying.name));
      else if (this.#reduction.isBehind(collection)) {
        const place = this.#reduction.reachedBy(own.definition.set);
        found.push({
          collection,
          definition,
          work: 'folding',
          ...paced(this.#rateOf(own.definition.set, place), place, end),
        });
      }
      const { rebuilt } = own.definition;
      if (rebuilt !== undefined) {
        const place = this.#reduction.reachedBy(rebuilt);
        found.push({ collection, definition, work: 'rebuilding', ...paced(this.#rateOf(rebuilt, place), place, end) });
      }
      for (const { number, state } of own.indexes) {
        if (state === 'live') continue;
        const rate = this.#works.get(number)?.rate ?? new Rate();
        const progress = { collection, definition, work: 'indexing' as const, ...paced(rate, rate.done, 0) };
        found.push(this.#withError(progress, number));
      }
    }
    return found;
  }

  /** One page of each piece of work that is this server's. False if there was none. */
  async #work(): Promise<boolean> {
    const { membership, collections } = this.#core;
    let worked = false;
    const needed = new Set<string | number>();
    for (const [collection, own] of membership.own) {
      const { keying, indexes } = own;
      if (!isReady(own)) {
        needed.add(keying.name);
        worked = (await this.#page(keying.name, keying.filled, () => this.#fillKeying(collection))) || worked;
        continue;
      }
      for (const index of indexes) {
        if (index.state !== 'filling') continue;
        needed.add(index.number);
        worked =
          (await this.#page(index.number, index.filled, () =>
            fillIndex(this.#core, collections.get(collection)!.name, index, this.#portions.documents),
          )) || worked;
      }
    }
    for (const name of this.#works.keys()) if (!needed.has(name)) this.#works.delete(name);
    return worked;
  }

  #withError(progress: Progress, name: string | number): Progress {
    const error = this.#works.get(name)?.error as { readonly code?: unknown; readonly message?: unknown } | undefined;
    if (error === undefined) return progress;
    return { ...progress, error: { code: String(error.code), message: String(error.message) } };
  }

  #fillKeying(collection: string): Promise<boolean> {
    const { collections, runtime } = this.#core;
    const rest = async (): Promise<void> => {
      await this.#stretch.rest();
      await runtime.turn();
    };
    return fillKeying(this.#core, collections.get(collection)!, { portions: this.#portions.ids, rest });
  }

  /** Whether it was done by this server. */
  async #page(name: string | number, at: number | string | undefined, fill: () => Promise<boolean>): Promise<boolean> {
    const { runtime, closing, logger } = this.#core;
    const work = this.#workOf(name, at);
    const now = runtime.elapsed();
    if (now < work.pausedUntil || (work.isAside && now - work.since < ASIDE_MS)) return false;
    try {
      work.isAside = !(await fill());
      work.error = undefined;
      work.tries = 0;
      await this.#refresh();
      // It holds the write lock of the log: commands get as long.
      await this.#stretch.rest();
      return !work.isAside;
    } catch (error) {
      if (closing.signal.aborted || hasCode(error, 'Closed', 'HistoryDiverged', 'WrongLog')) throw error;
      if (work.error === undefined) logger.warn({ err: error }, 'documents can’t be made for now');
      work.error = error;
      work.pausedUntil = runtime.elapsed() + Math.min(PAUSE_MAX_MS, LOOK_MS * 2 ** work.tries);
      work.tries += 1;
      return false;
    }
  }

  #workOf(name: string | number, at: number | string | undefined): Work {
    const now = this.#core.runtime.elapsed();
    let work = this.#works.get(name);
    if (!work) {
      work = { rate: new Rate(), at, since: now, isAside: false, error: undefined, tries: 0, pausedUntil: 0 };
      this.#works.set(name, work);
    }
    if (work.at !== at) {
      work.at = at;
      work.since = now;
    }
    if (typeof at === 'number') work.rate.reached(at, now);
    return work;
  }

  #rateOf(set: number, place: number): Rate {
    let rate = this.#folding.get(set);
    if (!rate) this.#folding.set(set, (rate = new Rate()));
    rate.reached(place, this.#core.runtime.elapsed());
    return rate;
  }

  async #refresh(): Promise<void> {
    await refreshMembership(this.#core, this.#core.untilClosed);
  }

  /** Marks what is used, and lets go of what isn't. */
  async #keep(): Promise<void> {
    const { session, membership, watermark, runtime, untilClosed } = this.#core;
    this.#keptAt = runtime.elapsed();
    // A server that nobody asks for anything has seen nothing of what the others do.
    const { recordedAt } = await watermark.look(untilClosed);
    const used = new Set<number>();
    for (const [collection, { definition, indexes }] of membership.own) {
      used.add(definition.id);
      const declared = new Set(this.#core.collections.get(collection)!.indexes.map((one) => JSON.stringify(one)));
      for (const { number, fields } of indexes) if (declared.has(JSON.stringify(fields))) used.add(number);
    }
    await session.change(using(used, recordedAt));
    this.#times.push(recordedAt);
    if (this.#times.length > AGING_ROUNDS) await session.change(aging(this.#times.shift()!));
    this.#isUnswept = true;
  }

  /** Removes some of what is left of sets that nobody needs any more. False if there is nothing. */
  async #swept(): Promise<boolean> {
    const { session, membership, runtime, closing } = this.#core;
    const sets = [...membership.own.values()].map(({ definition: { set, rebuilt } }) => `${set} ${rebuilt}`).join();
    // A rebuild has put one in the place of another, or was dropped.
    if (sets !== this.#sets) this.#isUnswept = true;
    this.#sets = sets;
    if (!this.#isUnswept) return false;
    this.#isUnswept = await session.sweep();
    if (this.#isUnswept) await runtime.sleep(LOOK_MS / 10, closing.signal);
    return this.#isUnswept;
  }
}
