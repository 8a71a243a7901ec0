/** The property that every store must have, for the tests and for runs of hours. */
import * as fc from 'fast-check';
import type { MakeStore } from '../../src/testing/conformance/case.ts';
import type { EnginePlant } from '../../simulation/engine-defects.ts';
import { interpret } from './interpreter.ts';
import { plan, type RunPlan } from './plan.ts';

/** A defect must show within so many plans. */
export const DEFECT_RUNS = 4_000;

export interface Checked {
  readonly seed: number;
  /** How many plans were run. */
  readonly runs: number;
  /** For a plan that broke a law: all that is needed to run it again, shrunk as far as it would. */
  readonly failure: string | undefined;
  readonly counterexample?: RunPlan;
}

/** Runs so many random plans, each on a store of its own. */
export async function checkStore(
  makeStore: MakeStore,
  {
    seed,
    runs,
    endOnFailure = false,
    plant,
  }: { seed: number; runs: number; endOnFailure?: boolean; plant?: EnginePlant },
): Promise<Checked> {
  const property = fc.asyncProperty(plan, async (plan: RunPlan) => interpret(plan, makeStore, plant));
  const result = await fc.check(property, { seed, numRuns: runs, endOnFailure });
  const { failed, numRuns, errorInstance } = result;
  if (!failed) return { seed, runs: numRuns, failure: undefined };
  const failure = `${String(errorInstance)}\n${fc.defaultReportMessage(result)}`;
  return { seed, runs: numRuns, failure, counterexample: result.counterexample![0] };
}
