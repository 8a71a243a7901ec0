/**
 * Loading from stored documents: the answer begins there, and goes on with the events above.
 */
import { PAGE_BYTES_MAX } from '../../../store/store.ts';
import type { LoadedDocument, LoadOptions, LoadRequest } from '../../../store/store.ts';
import { commit, event, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';
import { remove } from '../registered.ts';
import { document, TestSet } from '../sets.ts';

/** The head, the version of what is stored, and those of the events. */
const told = ({ head, stored, events }: LoadedDocument): readonly unknown[] => [
  head,
  stored?.version,
  each(events, 'version'),
];

async function load(
  log: TestLog,
  requests: readonly LoadRequest[],
  options?: LoadOptions,
): Promise<readonly (readonly unknown[])[]> {
  const { documents } = await log.session.load(requests, options);
  return documents.map(told);
}

/** Ten events of u1, and a set of users that has it at version 6; s1 has the events at even positions. */
async function tenEvents(log: TestLog): Promise<TestSet> {
  const set = TestSet.of(log);
  for (const n of range(1, 10)) {
    const attached = n % 2 === 0 ? event('NOTED', user('u1'), service('s1')) : event('NOTED', user('u1'));
    await log.append(commit(`c${n}`, attached));
    if (n === 6) await set.advance([document('u1', 6, { changed: 4 }), document('far', 100)]);
  }
  return set;
}

export const loadStoredCases = [
  onLog(4, 'a load begins with the stored document, if that is later', async (log) => {
    const { number: set } = await tenEvents(log);
    const u1 = (after: number, upTo?: number): LoadRequest => ({ ...user('u1'), after, upTo, set });
    const { documents, end, generation } = await log.session.load([u1(0)]);
    same([end, generation], [log.end, log.generation]);
    same(documents[0]?.stored, document('u1', 6, { changed: 4 }));
    same(told(documents[0]!), [10, 6, [7, 8, 9, 10]]);
    same(await load(log, [u1(5)]), [[10, 6, [7, 8, 9, 10]]]);
    // Not above what is known already.
    same(await load(log, [u1(6), u1(7), u1(10)]), [
      [10, undefined, [7, 8, 9, 10]],
      [10, undefined, [8, 9, 10]],
      [10, undefined, []],
    ]);
    // Bounds that are no versions.
    same(await load(log, [u1(-5), u1(5.5), u1(0, 6.5)]), [
      [10, 6, [7, 8, 9, 10]],
      [10, 6, [7, 8, 9, 10]],
      [10, 6, []],
    ]);
    same(await load(log, [{ ...user('u1'), after: 0 }]), [[10, undefined, range(1, 10)]]);
  }),

  onLog(4, 'a stored document above upTo or asOf isn’t used', async (log) => {
    const { number: set } = await tenEvents(log);
    const u1 = (upTo?: number): LoadRequest => ({ ...user('u1'), after: 0, upTo, set });
    same(await load(log, [u1(5), u1(6), u1(7), u1(0)]), [
      [10, undefined, range(1, 5)],
      [10, 6, []],
      [10, 6, [7]],
      [10, undefined, []],
    ]);
    same(await load(log, [u1()], { asOf: 5 }), [[5, undefined, range(1, 5)]]);
    same(await load(log, [u1()], { asOf: 6 }), [[6, 6, []]]);
    same(await load(log, [u1(), u1(7)], { asOf: 8 }), [
      [8, 6, [7, 8]],
      [8, 6, [7]],
    ]);
    // Above its head: nothing that the log knows of.
    same(await load(log, [{ ...user('far'), after: 0, set }]), [[0, undefined, []]]);
  }),

  onLog(
    4,
    'several documents are loaded, each from the set asked for, and a set that isn’t there has none',
    async (log) => {
      const users = await tenEvents(log);
      const services = TestSet.of(log, 'services');
      await services.advance([document('s1', 2), document('u1', 9)]);
      same(
        await load(log, [
          { ...service('s1'), after: 0, set: services.number },
          { ...user('u1'), after: 0, set: users.number },
          { ...user('u2'), after: 0, set: users.number },
          { ...service('s1'), after: 3, set: services.number },
          { ...service('s1'), after: 0 },
          { ...user('u1'), after: 0, set: 999 },
        ]),
        [
          [5, 2, [3, 4, 5]],
          [10, 6, [7, 8, 9, 10]],
          [0, undefined, []],
          [5, undefined, [4, 5]],
          [5, undefined, [1, 2, 3, 4, 5]],
          [10, undefined, range(1, 10)],
        ],
      );
      await remove(log.session, log.registry.definitions.find(({ set }) => set === users.number)!.id);
      same(await load(log, [{ ...user('u1'), after: 0, set: users.number }]), [[10, undefined, range(1, 10)]]);
    },
  ),

  onLog(4, 'a document that failed is loaded as far as it came', async (log) => {
    const set = TestSet.of(log);
    for (const n of range(1, 4)) await log.append(commit(`c${n}`, event('NOTED', user('u1'))));
    const failed = document('u1', 2, { failed: 'Error: no' });
    await set.advance([failed]);
    const { documents } = await log.session.load([{ ...user('u1'), after: 0, set: set.number }]);
    same([documents[0]?.stored, told(documents[0]!)], [failed, [4, 2, [3, 4]]]);
    await log.session.exclusive(async (by) => {
      same((await by.load([{ ...user('u1'), after: 0, set: set.number }])).documents, documents);
    });
  }),

  onLog('contract', 'the state of a stored document counts as the text of an event does', async (log) => {
    const set = TestSet.of(log);
    const third = JSON.stringify('€'.repeat(Math.floor(PAGE_BYTES_MAX / 3.5 / 3)));
    const refs = ['a', 'b', 'c', 'd', 'e'].map((id) => user(id));
    await log.append(commit('c1', event('NOTED', ...refs)));
    await set.advance(refs.map(({ id }) => document(id, 1, { state: third })));
    await log.append(commit('c2', event('NOTED', ...refs)));
    const requests = refs.map((ref) => ({ ...ref, after: 0, set: set.number }));
    // Three fit. Of the fourth there is nothing, nor of those after it.
    const none = [2, undefined, []];
    same(await load(log, requests), [[2, 1, [2]], [2, 1, [2]], [2, 1, [2]], none, none]);
    same(await load(log, requests.slice(3)), [
      [2, 1, [2]],
      [2, 1, [2]],
    ]);
    // The first is returned however long it is, and then nothing else.
    const huge = document('a', 2, { state: JSON.stringify('x'.repeat(PAGE_BYTES_MAX)) });
    await set.advance([huge]);
    await log.append(commit('c3', event('NOTED', ...refs)));
    same((await log.session.load(requests)).documents[0], { ...(await document0(log)), stored: huge, events: [] });
    same(await load(log, requests.slice(0, 2)), [
      [3, 2, []],
      [3, undefined, []],
    ]);
  }),
];

/** The document a, without anything of it. */
async function document0(log: TestLog): Promise<LoadedDocument> {
  const { documents } = await log.session.load([{ ...user('a'), after: 0, upTo: 0 }]);
  return documents[0]!;
}
