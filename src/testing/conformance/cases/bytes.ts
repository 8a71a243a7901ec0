/**
 * Answers are bounded by the bytes of their texts too: a thousand events of 1 MiB must not be in memory at once.
 */
import { Buffer } from 'node:buffer';
import assert from 'node:assert/strict';
import { PAGE_BYTES_MAX } from '../../../store/store.ts';
import type { EventFacts, EventPage, LoadRequest } from '../../../store/store.ts';
import { above, at, commit, event, range, service, START, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';

/** Three fit into one answer, four don't; every character has three bytes in UTF-8, and one code unit. */
const LONG = '€'.repeat(Math.floor(PAGE_BYTES_MAX / 3.5 / 3));
/** Does not fit into any answer but its own. */
const HUGE = 'x'.repeat(PAGE_BYTES_MAX + 1);

type Placed = EventFacts & { readonly position: number };

/** Of the events' texts, each once. */
function bytes(events: readonly Placed[]): number {
  const texts = new Map(events.map(({ position, json }) => [position, json]));
  return [...texts.values()].reduce((sum, json) => sum + Buffer.byteLength(json), 0);
}

function bounded(events: readonly Placed[], what: string): void {
  assert(events.length === 1 || bytes(events) <= PAGE_BYTES_MAX, `${what} has ${bytes(events)} bytes of text`);
}

/** Every page, by its positions; each must be within the bound, and bring something. */
async function pages(read: (next: number | undefined) => Promise<EventPage>): Promise<number[][]> {
  const found: number[][] = [];
  let next: number | undefined;
  do {
    const page = await read(next);
    bounded(page.events, 'a page');
    assert(page.events.length > 0, 'a page of long texts is empty');
    found.push(each(page.events, 'position'));
    assert(found.length < 20, 'the pages come to no end');
    next = page.next;
  } while (next !== undefined);
  return found;
}

/** Ten events at positions 1 to 10: the 5th is huge, the 6th small, the others long. All are u1's, even ones u2's too. */
async function tenEvents(log: TestLog): Promise<void> {
  for (const n of range(1, 10)) {
    const attached = n % 2 === 0 ? event('NOTED', user('u1'), user('u2')) : event('NOTED', user('u1'));
    await log.append(commit(`c${n}`, { ...attached, json: n === 5 ? HUGE : n === 6 ? '{}' : LONG }));
  }
}

export const bytesCases = [
  onLog('contract', 'a page holds at most so many bytes of text, but always an event', async (log) => {
    await tenEvents(log);
    const all = { limit: 100 };
    same(await pages((after) => log.session.read({ ...all, after })), [[1, 2, 3], [4], [5], [6, 7, 8, 9], [10]]);
    same(await pages((before) => log.session.read({ ...all, before, reverse: true })), [
      [10, 9, 8],
      [7, 6],
      [5],
      [4, 3, 2],
      [1],
    ]);
    const types = ['NOTED'];
    same(await pages((after) => log.session.read({ ...all, after, types })), [[1, 2, 3], [4], [5], [6, 7, 8, 9], [10]]);
    // The bound of rows holds beside it.
    same((await pages((after) => log.session.read({ after, limit: 2 })))[0], [1, 2]);
  }),

  onLog('contract', 'a document’s page holds at most so many bytes of text, but always an event', async (log) => {
    await tenEvents(log);
    const document = (id: string) => (after: number | undefined) =>
      log.session.read({ document: user(id), after: after ?? 0, limit: 100 });
    same(await pages(document('u1')), [[1, 2, 3], [4], [5], [6, 7, 8, 9], [10]]);
    same(await pages(document('u2')), [[2, 4, 6, 8], [10]]);
  }),

  onLog(
    'contract',
    'a load holds at most so many bytes of text over all documents, but always an event',
    async (log) => {
      await tenEvents(log);
      const sizes = [0, 10, 5];
      const found = sizes.map((): number[] => []);
      for (let loads = 0; found.some(({ length }, index) => length < sizes[index]!); loads++) {
        assert(loads < 12, 'the load makes no progress');
        const requests = ['nobody', 'u1', 'u2'].map((id, index): LoadRequest => above(user(id), found[index]!.length));
        const { documents } = await log.session.load(requests, { asOf: 10 });
        same(each(documents, 'head'), sizes);
        bounded(
          documents.flatMap(({ events }) => events),
          'a load',
        );
        // In the order of the requests: nothing of a document before all of those that come first.
        assert(documents[2]!.events.length === 0 || found[1]!.length + documents[1]!.events.length === 10);
        documents.forEach(({ events }, index) => found[index]!.push(...events.map(({ version }) => version)));
      }
      same(
        found,
        sizes.map((size) => range(1, size)),
      );
    },
  ),

  onLog('contract', 'a text that documents share counts once: one long event comes with all of them', async (log) => {
    const documents = range(1, 20).map((n) => service(`s${n}`));
    const shared = { ...event('BOUGHT', ...documents), json: LONG };
    await log.append(commit('c1', [shared, { ...shared, attachments: documents.slice(5) }]));
    const whole = documents.map((_, index) => (index < 5 ? [1] : [1, 2]));
    for (const options of [{}, { asOf: 2 }]) {
      const loaded = await log.session.load(
        documents.map((document) => above(document, 0)),
        options,
      );
      const found = each(loaded.documents, 'events');
      same(
        found.map((events) => each(events, 'position')),
        whole,
      );
      assert(found.flat().every(({ json, type, time }) => json === LONG && type === 'BOUGHT' && time === START));
    }
    const reads = documents.map((document) => at(document, 0));
    const { stale } = await log.refuse(commit('c2', event('NOTED')), { reads });
    same(
      stale.map(({ events }) => each(events, 'position')),
      whole,
    );
    assert(stale.flatMap(({ events }) => events).every(({ json }) => json === LONG));
  }),

  onLog(5, 'a refusal holds at most so many bytes of text over all stale documents, and names each', async (log) => {
    const texts = ['s1', 's2', 's3'].map((id) => Object.assign(event('BOUGHT', service(id)), { json: LONG }));
    await log.append([commit('c1', [...texts, ...texts]), commit('c2', event('BOUGHT', service('s4')))]);
    const reads = range(1, 4).map((n) => at(service(`s${n}`), 0));
    const { stale } = await log.refuse(commit('c3', event('NOTED')), { reads });
    same(
      new Map(stale.map(({ id, head }) => [id, head])),
      new Map([
        ['s1', 2],
        ['s2', 2],
        ['s3', 2],
        ['s4', 1],
      ]),
    );
    bounded(
      stale.flatMap(({ events }) => events),
      'a refusal',
    );
    // The events of a document start directly above the version that was read.
    for (const { events } of stale) same(each(events, 'version'), range(1, events.length));
    assert(stale.some(({ events }) => events.length > 0));
  }),
];
