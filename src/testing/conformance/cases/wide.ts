/**
 * Pages are bounded by what their events are attached to as well: each attachment costs as much as a short event.
 */
import { PAGE_ATTACHMENTS_MAX } from '../../../store/store.ts';
import { commit, event, range, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { ConformanceCase } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';

/** Two fit on a page, three don't. */
const WIDE = Math.floor(PAGE_ATTACHMENTS_MAX * 0.4);
/** Does not fit on any page but its own. */
const HUGE = PAGE_ATTACHMENTS_MAX + 1;

/** Five events, all of them u1's: the fourth is huge, the last small, the others wide. */
async function fiveEvents(log: TestLog): Promise<void> {
  for (const [index, count] of [WIDE, WIDE, WIDE, HUGE, 1].entries()) {
    const attached = range(1, count).map((n) => user(`u${n}`));
    await log.append(commit(`c${index + 1}`, event('NOTED', ...attached)));
  }
}

const anyDocument = (): boolean => true;

/** The positions on each page. */
async function pages(
  read: (next: number | undefined) => Promise<{
    readonly events: readonly { readonly position: number }[];
    readonly next: number | undefined;
  }>,
): Promise<number[][]> {
  const found: number[][] = [];
  let next: number | undefined;
  do {
    const page = await read(next);
    found.push(each(page.events, 'position'));
    next = page.next;
  } while (next !== undefined && found.length < 10);
  return found;
}

export const wideCases: readonly ConformanceCase[] = [
  onLog('contract', 'a page holds at most so many attachments, but always an event', async (log) => {
    await fiveEvents(log);
    const { session } = log;
    const all = { limit: 100 };
    const forward = [[1, 2], [3], [4], [5]];
    same(await pages((after) => session.read({ ...all, after })), forward);
    same(await pages((before) => session.read({ ...all, before, reverse: true })), [[5], [4], [3, 2], [1]]);
    same(await pages((after) => session.read({ ...all, after, types: ['NOTED'] })), forward);
    same(await pages((after = 0) => session.read({ ...all, after, document: user('u1') })), forward);
  }),

  onLog('contract', 'a scan holds at most so many attachments, but always an event', async (log) => {
    await fiveEvents(log);
    same(await pages((after) => log.session.scan({ limit: 100, after, known: anyDocument })), [[1, 2], [3], [4], [5]]);
  }),
];
