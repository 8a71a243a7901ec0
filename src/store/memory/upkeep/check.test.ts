/** What `check` finds in indexes, also while sets move on. */
import { expect, it } from 'vitest';
import { range } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { addIndex, remove } from '../../../testing/conformance/registered.ts';
import { document, entry, gone, TestSet } from '../../../testing/conformance/sets.ts';
import { memory } from '../index.ts';

const IDS = range(1, 5_000).map((n) => `d${n}`);

/** Where a document is in the index: somewhere else for each version. */
const keyOf = (id: string, version: number): string => `${(version * 7 + id.length) % 10} ${id}`;

it('finds entries of documents that aren’t stored, and several of one document, while their set moves on', async () => {
  const log = await TestLog.on(memory());
  const { number } = TestSet.of(log);
  const index = await addIndex(log.session, number, { state: 'live' });
  const set = new TestSet(log, number, log.generation + 1);
  let version = 1;
  await set.advance(
    IDS.map((id) => document(id)),
    { added: IDS.map((id) => entry(index, keyOf(id, 1), id)) },
  );
  const move = async (): Promise<void> => {
    const [before, now] = [version, (version += 1)];
    const entries = {
      dropped: IDS.map((id) => gone(index, keyOf(id, before))),
      added: IDS.map((id) => entry(index, keyOf(id, now), id)),
    };
    await set.moveOn(
      IDS.map((id) => document(id, now)),
      entries,
    );
  };
  // Between its pieces entries go from behind where it is to before it, and back.
  expect(await log.session.check(move)).toEqual([]);
  expect(version).toBeGreaterThan(2);
  const wrong = [entry(index, 'z1', 'd5'), entry(index, 'z2', 'nobody'), entry(index, 'z3', 'f1')];
  await set.moveOn([document('f1', 1, { failed: 'it threw' })], { added: wrong });
  const said = [
    `The index ${index} has several entries of the document d5.`,
    `The index ${index} has an entry of the document nobody, which isn't stored.`,
    `The index ${index} has an entry of the document f1, which isn't stored.`,
  ];
  expect(await log.session.check()).toEqual(said);
  // An entry that moves meanwhile may hide another of its document; nothing is said that isn't so.
  for (const finding of await log.session.check(move)) expect(said).toContain(finding);
  // What isn't registered any more is left for a sweep.
  await remove(log.session, index);
  expect(await log.session.check()).toEqual([]);
  await log.close();
});
