/**
 * Mutants that record at another time than their clock says, or go by another clock.
 */
import { memory } from '../../src/store/memory/index.ts';
import type { MakeStore } from '../../src/testing/conformance/case.ts';
import { START } from '../../src/testing/conformance/batches.ts';
import { answersStored, mutant, recorded, withDefect } from './mutant.ts';
import type { Defect, Mutant } from './mutant.ts';

/** A defect that knows the store's clock. */
const clocked =
  (change: (clock: () => number) => Defect): MakeStore =>
  (options) =>
    withDefect(() => change(options.clock ?? Date.now))(options);

export const timing: readonly Mutant[] = [
  mutant(
    'lets recordedAt run backwards',
    'recordedAt is the latest',
    recorded((_, commit) => commit.time),
  ),
  {
    defect: 'follows its clock back',
    caught: 'recordedAt is the latest',
    makeStore: clocked((clock) => recorded((_, { time }) => Math.max(clock(), time))),
  },
  {
    defect: 'records before the decision',
    caught: 'recordedAt is the latest',
    makeStore: clocked((clock) => recorded(clock)),
  },
  {
    defect: 'records when it was decided',
    caught: 'what was recorded by a time that has passed',
    makeStore: withDefect(() => {
      let last = 0;
      return recorded((_, { time }) => (last = Math.max(last, time)));
    }),
  },
  mutant(
    'reads its clock for each commit',
    'the clock is read once a batch',
    recorded(({ recordedAt }, _, index) => recordedAt + index),
  ),
  mutant('reads its clock before it has the lock', 'the clock is read with the write lock held', (sound) => ({
    append: async (batch) => {
      const before = Date.now();
      const early = answersStored((stored) => ({ ...stored, end: { ...stored.end, recordedAt: before } }));
      return early(sound).append!(batch);
    },
  })),
  {
    defect: 'has a clock that stands still',
    caught: 'a store without the option clock uses its own clock, and shows none',
    makeStore: ({ clock = () => START }) => memory({ clock }),
  },
  {
    defect: 'hides the clock that it was given',
    caught: 'a store that was given a clock shows it, and uses no other',
    makeStore: (options) => {
      const store = memory(options);
      return { name: 'secretive', open: (opening) => store.open(opening) };
    },
  },
  {
    defect: 'goes by the application’s clock, though it has its own',
    caught: 'a store that was given a clock shows it, and uses no other',
    makeStore: ({ clock }) => {
      const store = memory();
      return { name: 'obliging', clock, open: (opening) => store.open({ clock: opening?.clock ?? clock }) };
    },
  },
];
