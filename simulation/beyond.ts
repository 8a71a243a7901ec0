/**
 * Readers whose place lies beyond the end: users keep it as a number, and the log may have been put back from an older
 * copy. When all is calm each of them must be told so at once, by name; who is left waiting, or told that there is
 * nothing, skips what is committed up to there.
 */
import { DomainOutdated, HistoryDiverged, type RecordedEvent } from 'tidemark';
import { holds } from './laws/broken.ts';
import type { Server } from './server.ts';
import type { World } from './world.ts';

/** How long they wait for a refusal, in milliseconds of the simulated time: nothing else goes on. */
const REFUSED_MS = 1_000;

/** @throws LawBroken */
export async function refusesBeyond(world: World, { app, release, name: server }: Server): Promise<void> {
  const { chance, plan, trace } = world;
  const { timeline } = world.witness;
  const [name, collection] = chance.pick([...release.collections]);
  const id = chance.pick(plan.ids);
  const [end, head] = [timeline.length, timeline.head(release.index, name, id)];
  const beyond = 1 + chance.below(3);
  const readers: Record<string, () => AsyncIterator<RecordedEvent>> = {
    [`a reader after ${end + beyond} of ${end}`]: () => app.events({ after: end + beyond }),
    [`a follower after ${end + beyond} of ${end}`]: () => app.events({ after: end + beyond, follow: true }),
    [`a reader of ${name} ${id} after ${head + beyond} of ${head}`]: () =>
      app.history(collection, id, { after: head + beyond }),
    [`a follower of ${name} ${id} after ${head + beyond} of ${head}`]: () =>
      app.history(collection, id, { after: head + beyond, follow: true }),
  };
  for (const [reader, begin] of Object.entries(readers)) {
    const told = await toldFirst(world, begin);
    const what = told instanceof Error ? String(told) : JSON.stringify(told);
    // Or that all that its server has seen is gone; or, of a document, that its server may not read it at all.
    const refused =
      (told instanceof HistoryDiverged && ('after' in told.details || world.witness.era > 0)) ||
      (told instanceof DomainOutdated && reader.includes(` of ${name} ${id} `) && world.mayBeOutdated(release.index));
    holds(9, refused, () => `${reader} at ${server} was not refused, but told ${what}`);
  }
  trace.meets('beyond the end');
}

async function toldFirst({ scheduler, machine }: World, begin: () => AsyncIterator<RecordedEvent>): Promise<unknown> {
  const reader = begin();
  const first = reader.next().catch((error: unknown) => error);
  const told = await Promise.race([first, scheduler.wait(machine, 'waits for a refusal', REFUSED_MS)]);
  void reader.return?.()?.catch(() => undefined);
  return told ?? 'nothing';
}
