/** What a server that doesn't reduce, or only reads, leaves to others: it waits for them as long as they go on. */
import { Rebuilding } from '../../errors.ts';
import type { LogPoint } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { askedOf } from '../reduction/reduction-status.ts';
import type { Progress } from '../registry/readiness.ts';
import { refreshMembership } from '../registry/refresh.ts';

export class Others {
  readonly #core: Core;
  /** How everything was when it was looked at last, and since when it is so. */
  #seen = '';
  #since: number;

  constructor(core: Core) {
    this.#core = core;
    this.#since = core.runtime.elapsed();
  }

  /** Where sets are now. @throws DomainOutdated if this code's definition is gone */
  async look(): Promise<ReadonlyMap<number, LogPoint>> {
    const core = this.#core;
    // Nothing else does so where the log is only read.
    await refreshMembership(core, core.untilClosed);
    const { places } = await askedOf(core, 0);
    const made = [...core.membership.own.values()].map(({ keying, indexes }) => [keying.filled, indexes]);
    const seen = JSON.stringify([[...places], made]);
    if (seen !== this.#seen) this.#since = core.runtime.elapsed();
    this.#seen = seen;
    return places;
  }

  /** @throws Rebuilding if what is left is for others to do, and they haven't gone on for as long as calls wait for documents */
  assertGoing(left: readonly Progress[]): void {
    const { runtime, session, limits } = this.#core;
    const waited = runtime.elapsed() - this.#since;
    if (waited < limits.rebuildingWaitMs) return;
    // Also without reduction it attaches events and fills indexes itself.
    if (!session.readOnly && left.some(({ work }) => work !== 'folding')) return;
    throw leftAlone(left[0]!, session.readOnly === true, waited);
  }
}

function leftAlone(
  { collection, definition, work, done, total }: Progress,
  isReading: boolean,
  ms: number,
): Rebuilding {
  const why = isReading ? 'the log was opened for reading' : "it was opened with reduction: 'off'";
  return new Rebuilding(
    `The documents of ${collection} aren't made yet (${work}: ${done} of ${total}), and definitions: 'before' waits for them. This ` +
      `application doesn't make them (${why}), and no other server has gone on for ${Math.round(ms)} ms. Open one that does, with the ` +
      "same code and reduction: 'background', and open this one again.",
    { collection, definition, work, done, total },
  );
}
