/**
 * Callers who know no bounds: each asks for something that is within all limits, or far beyond one, over and over. What is
 * refused must be refused by name, and to them alone.
 */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { collectedFrom } from './collected.ts';
import { call, docs, fill, note, tag, wide, type Shop } from './shop.ts';

interface Rude {
  readonly app: Shop;
  /** A whole number below. */
  readonly below: (max: number) => number;
  /** Aborts when the soak is over. */
  readonly over: AbortSignal;
}

/** Calls made in one turn of the event loop. With more, the callers themselves would hold up the loop. */
const CALLS_A_TURN = 100;
const LARGE_CALLS_A_TURN = 10;

/** All of them, settled. What went wrong is counted by whoever runs it. */
async function many(
  count: number,
  one: (index: number) => Promise<unknown>,
  callsATurn = CALLS_A_TURN,
): Promise<readonly PromiseSettledResult<unknown>[]> {
  const settled: Promise<PromiseSettledResult<unknown>[]>[] = [];
  for (let index = 0; index < count; index += callsATurn) {
    const calls = Math.min(callsATurn, count - index);
    settled.push(Promise.allSettled(Array.from({ length: calls }, (_, n) => one(index + n))));
    await turn();
  }
  return (await Promise.all(settled)).flat();
}

// Made once, so that making it isn't measured as time of the application.
const shared = Array.from({ length: 1_000_000 }, (_, n) => n);
const manyUnchanged = Array.from({ length: 200_000 }, (_, n) => ({ collection: 'docs', id: `x${n}`, version: 0 }));

type Behaviour = (rude: Rude) => Promise<readonly PromiseSettledResult<unknown>[]>;

export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  'a long list of documents that must be unchanged': ({ app, below }) =>
    many(3, (n) => app.execute(note, { doc_id: `u${n}` }, { unchanged: manyUnchanged })).then(async (found) => [
      ...found,
      ...(await many(20, () =>
        app.execute(
          note,
          { doc_id: 'u' },
          { unchanged: [{ collection: 'docs', id: `honest-${below(20)}`, version: 2 ** 52 }] },
        ),
      )),
    ]),
  'commands that read a thousand documents': ({ app, below }) =>
    many(50, (n) => app.execute(wide, { doc_id: `x${n}`, from: below(1_000_000), count: 1_000, ms: 0 })),
  'commands that take long to decide': ({ app, below }) =>
    many(200, (n) => app.execute(wide, { doc_id: `x${n}`, from: below(1_000), count: 1, ms: 2 })),
  'gets at once': ({ app, below }) => many(20_000, () => app.get(docs, `g${below(1_000_000)}`)),
  'outcomes at once': ({ app, below }) => many(3_000, () => app.outcome(`never-${below(1_000_000)}`)),
  'events that concern thousands': async ({ app, below }) => [
    ...(await many(1, () => app.execute(tag, { from: below(1_000), events: 1_000 }))),
    ...(await many(3, () => app.execute(tag, { from: below(1_000), events: 2 }))),
  ],
  'large inputs': ({ app }) =>
    many(
      100,
      (n) => app.execute(fill, { doc_id: `large-${n}`, text: `${n}`.padEnd(100_000, 'x') }),
      LARGE_CALLS_A_TURN,
    ),
  'an input that is larger than it looks': ({ app }) =>
    many(2, (n) =>
      app.execute(wide, {
        doc_id: `n${n}`,
        from: 0,
        count: 0,
        ms: 0,
        of: Array.from({ length: 3_000 }, () => shared),
      } as never),
    ),
  'followers that come and go': async ({ app, below, over }) => {
    const leaving = AbortSignal.any([over, AbortSignal.timeout(2_000)]);
    return many(500, (n) =>
      collectedFrom(
        app.history(docs, n < 20 ? `honest-${n}` : `f${below(1_000)}`, { follow: true, signal: leaving }),
        leaving,
      ),
    );
  },
  'verifying and folding': async ({ app, over }) => {
    const found = await many(1, () => app.fold(docs));
    return over.aborted ? found : [...found, ...(await many(1, () => app.verify()))];
  },
  'callers who give up': ({ app, below }) =>
    many(200, (n) => {
      const signal = AbortSignal.timeout(below(20));
      const input = { doc_id: `c${n}`, ms: below(40) };
      return app.execute(call, input, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }),
  'more commands than can wait': ({ app, below }) =>
    many(15_000, () => app.execute(note, { doc_id: `q${below(1_000)}` })),
};

/** One after the other, each kind by itself, until it is over. */
export async function behave(rude: Rude, behaviour: Behaviour, heard: (error: unknown) => void): Promise<number> {
  let times = 0;
  while (!rude.over.aborted) {
    for (const settled of await behaviour(rude)) if (settled.status === 'rejected') heard(settled.reason);
    times += 1;
    await sleep(2_000 + rude.below(8_000), undefined, { signal: rude.over }).catch(() => undefined);
  }
  return times;
}
