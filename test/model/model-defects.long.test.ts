/** The property of the model can fail: each defect of a store or of the engine is found within so many plans. */
import { expect, it } from 'vitest';
import { memory } from 'tidemark/memory';
import type { MakeStore } from '../../src/testing/conformance/case.ts';
import { ENGINE_DEFECTS } from '../../simulation/engine-defects.ts';
import { GROWING_DEFECTS } from './growing-defects.ts';
import { DEFECTS_FOUND, mutantNamed } from './mutants.ts';
import { checkStore, DEFECT_RUNS } from './property.ts';

const sound: MakeStore = (options) => memory(options);

it.each(DEFECTS_FOUND)('finds a store that %s', { timeout: 300_000 }, async (defect) => {
  const { makeStore } = mutantNamed(defect);
  const { failure, runs } = await checkStore(makeStore, { seed: 5, runs: DEFECT_RUNS, endOnFailure: true });
  // Told by the witness, or noticed by the engine itself, as it comes.
  expect(failure).toMatch(/^(LawBroken|HistoryDiverged)/);
  // By the defect, and by nothing else.
  expect((await checkStore(sound, { seed: 5, runs })).failure).toBeUndefined();
});

const PLANTS = { ...ENGINE_DEFECTS, ...GROWING_DEFECTS };

it.each(Object.keys(PLANTS))('finds an engine where %s', { timeout: 300_000 }, async (name) => {
  const plant = PLANTS[name]!;
  const { failure, runs } = await checkStore(sound, { seed: 5, runs: DEFECT_RUNS, endOnFailure: true, plant });
  expect(failure).toMatch(/^LawBroken/);
  expect((await checkStore(sound, { seed: 5, runs })).failure).toBeUndefined();
});

it('shrinks a failure to a few steps, and finds it again by its seed', { timeout: 300_000 }, async () => {
  const { makeStore } = mutantNamed('skips a version');
  const first = await checkStore(makeStore, { seed: 4, runs: DEFECT_RUNS });
  expect(first.failure).toMatch(/LawBroken: law \d/);
  expect(first.counterexample!.steps.length).toBeLessThan(4);
  const again = await checkStore(makeStore, { seed: 4, runs: DEFECT_RUNS });
  expect(again.runs).toBe(first.runs);
});
