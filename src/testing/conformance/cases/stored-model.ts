/**
 * Random steps, fillings and reads of one set by two servers, compared with the model after each.
 */
import { Buffer } from 'node:buffer';
import assert from 'node:assert/strict';
import type { IndexEntry, IndexKey, KeyRange, LogPoint, Session, StoredDocument } from '../../../store/store.ts';
import { commit, event, GENESIS, range } from '../batches.ts';
import { onLog } from '../case.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';
import { repeatably, type Chance } from '../random.ts';
import { addIndex, remove } from '../registered.ts';
import { SetModel } from '../set-model.ts';
import { above, key, pointOf, TestSet } from '../sets.ts';

const STEPS = 300;
const IDS = [
  'a',
  'A',
  'b',
  'é',
  'e\u0301',
  'ﬀ',
  '\u{1F30A}',
  '10',
  '9',
  ' ',
  'aa',
  'a\u0001',
  ...range(1, 20).map((n) => `d${n}`),
];
/** Few, so that bounds and keys meet. */
const BYTES = [0x00, 0x01, 0x61, 0x7f, 0x80, 0xff];

interface Trial {
  readonly log: TestLog;
  readonly set: TestSet;
  readonly model: SetModel;
  readonly chance: Chance;
  readonly met: Map<string, number>;
}

export const storedModelCases = [
  onLog(6, 'random steps, fillings and reads by two servers give what the model gives', (log) =>
    repeatably(async (chance) => {
      const set = TestSet.of(log);
      const trial: Trial = { log, set, model: new SetModel(log.generation), chance, met: new Map() };
      const sessions = await log.sessions(2);
      for (let step = 0; step < STEPS; step += 1) {
        const by = chance.pick(sessions);
        // By the step, not by chance: every run must come to each of the answers.
        if (step % 20 === 4) await newIndex(trial, by);
        else if (step % 20 === 14) await oldIndex(trial, by);
        else if (step % 3 === 2) await fill(trial, by, step);
        else await move(trial, by, step);
        if (step % 50 === 49) while (await by.sweep());
        await compare(trial, chance.pick(sessions), `after step ${step}`);
      }
      const all = [
        'stored',
        'moved',
        'behind',
        'diverged',
        'filled',
        'not filled',
        'live',
        'by ids',
        'by keys',
        'by index',
        'not told',
        'more',
      ];
      for (const kind of all)
        assert(trial.met.has(kind), `nothing was answered with ${kind}: the case shows too little`);
    }),
  ),
];

function meets({ met }: Trial, kind: string): void {
  met.set(kind, (met.get(kind) ?? 0) + 1);
}

async function newIndex({ log, set, model }: Trial, by: Session): Promise<void> {
  const number = await addIndex(by, set.number, { state: 'filling' });
  model.indexes.set(number, { entries: new Map(), filling: { to: undefined } });
  model.generation += 1;
  same((await log.session.registry()).generation, model.generation);
}

async function oldIndex({ model, chance }: Trial, by: Session): Promise<void> {
  if (model.indexes.size < 3) return;
  const number = chance.pick([...model.indexes.keys()]);
  await remove(by, number);
  model.indexes.delete(number);
  model.generation += 1;
}

/** Fills the next page of an index, or one that isn't next. */
async function fill(trial: Trial, by: Session, step: number): Promise<void> {
  const { model, chance } = trial;
  if (model.indexes.size === 0) return;
  const [index, { filling }] = chance.pick([...model.indexes]);
  const from = step % 12 === 2 ? chance.pick(IDS) : filling?.to;
  const bounds = from === undefined ? {} : { from: above(key(from)) };
  const { documents, more } = model.byKeys({ ...bounds, limit: 1 + chance.below(12) })!;
  const entries = documents.map(([, { id }]) => entryOf(index, id, chance));
  const page = { index, from, to: documents.at(-1)?.[1].id ?? from, entries, live: !more };
  const expected = model.fillIndex(page);
  same(await by.exclusive((locked) => locked.fillIndex(page)), expected, `step ${step}`);
  meets(trial, !expected ? 'not filled' : page.live ? 'live' : 'filled');
}

/** A step with documents that go on, fail, or go on after that. */
async function move(trial: Trial, by: Session, step: number): Promise<void> {
  const { log, set, model, chance } = trial;
  if (chance.once(2)) {
    const events = range(0, chance.below(3)).map(() => event('NOTED'));
    await log.append(commit(`c${step}`, events), { by, generation: model.generation });
  }
  const documents = chance.sample(IDS, chance.below(6)).map((id): StoredDocument => {
    const version = (model.documents.get(id)?.version ?? 0) + 1;
    const state = JSON.stringify({ step, id, text: 'é\\"\u0001'.repeat(chance.below(4)) });
    const failed = chance.once(6) ? `no ${step}` : undefined;
    return { id, version, changed: chance.below(version + 1), state, failed };
  });
  const sent = set.step(documents, {
    from: chance.once(8)
      ? chance.pick([GENESIS, pointOf(log.end), { ...model.place, hash: 'ab'.repeat(32) }])
      : model.place,
    to: log.end,
    seen: step % 25 === 7 ? chance.pick(unseen(log.end)) : log.end,
    generation: model.generation + (step % 10 === 6 ? chance.pick([-1, 1]) : 0),
    ...entriesOf(model, documents, chance),
  });
  const expected = model.advance(sent, [GENESIS, log.end]);
  same(await by.advance(sent), expected, `step ${step}, sent ${JSON.stringify(sent)}`);
  meets(trial, expected);
}

/** Points that the log doesn't hold. */
function unseen({ position, hash }: LogPoint): LogPoint[] {
  return [
    { position, hash: 'cd'.repeat(32) },
    { position: position + 1, hash },
  ];
}

/** Some entries go, among them all of documents that fail; some come, of documents that are there. */
function entriesOf(
  model: SetModel,
  documents: readonly StoredDocument[],
  chance: Chance,
): { readonly dropped: readonly IndexKey[]; readonly added: readonly IndexEntry[] } {
  const failed = new Set(documents.filter((one) => one.failed !== undefined).map(({ id }) => id));
  const dropped = [...model.indexes].flatMap(([index, { entries }]) =>
    [...entries]
      .filter(([, id]) => failed.has(id) || chance.once(10))
      .map(([one]) => ({ index, key: Buffer.from(one, 'hex') })),
  );
  const sound = documents.filter((one) => one.failed === undefined);
  const added = [...model.indexes.keys(), 999].flatMap((index) =>
    chance.some(sound).map(({ id }) => entryOf(index, id, chance)),
  );
  return { dropped: [...dropped, ...(chance.once(3) ? [{ index: 999, key: key('x') }] : [])], added };
}

/** It ends with the id, so no two documents have the same. */
function entryOf(index: number, id: string, chance: Chance): IndexEntry {
  return { index, key: Buffer.concat([someBytes(chance), key(`\0${id}`)]), id };
}

function someBytes(chance: Chance): Uint8Array {
  return key(range(1, chance.below(3)).map(() => chance.pick(BYTES)));
}

async function compare(trial: Trial, by: Session, message: string): Promise<void> {
  const { set, model, chance } = trial;
  const ids = [...chance.some(IDS), 'nobody'];
  const found = await set.byIds(ids, by);
  same([found.place, found.more], [model.place, false], message);
  same(byId(found.documents), byId(each(model.byIds(ids), 1)), message);
  meets(trial, 'by ids');
  const asked: Omit<KeyRange, 'set'> = {
    ...(chance.once(3)
      ? { failed: chance.once(2) }
      : { index: chance.pick([undefined, 999, ...model.indexes.keys()]) }),
    ...(chance.once(2) && { from: someBytes(chance) }),
    ...(chance.once(2) && { below: chance.once(2) ? someBytes(chance) : key(chance.pick(IDS)) }),
    reverse: chance.once(2),
    limit: chance.pick([0, 1, 3.5, 10, 1_000]),
  };
  const expected = model.byKeys(asked);
  const page = await by.stored({ set: set.number, ...asked });
  const wanted = expected && { place: model.place, documents: each(expected.documents, 1), more: expected.more };
  same(page, wanted, `${message}, asked ${JSON.stringify(asked)}`);
  meets(trial, !expected ? 'not told' : asked.index === undefined ? 'by keys' : 'by index');
  if (expected?.more) meets(trial, 'more');
}

function byId(documents: readonly StoredDocument[]): StoredDocument[] {
  return documents.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}
