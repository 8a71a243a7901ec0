/**
 * Positive controls: for each way in which a store may be wrong, a case of the suite that fails.
 */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TidemarkError } from '../../src/errors.ts';
import { conformanceCases } from '../../src/testing/conformance/cases.ts';
import { standingCases } from '../../src/testing/conformance/cases/standing.ts';
import { PATIENCE } from '../../src/testing/conformance/patience.ts';
import { deciding } from './deciding.ts';
import { filling } from './filling.ts';
import { withDefect } from './mutant.ts';
import { reading } from './reading.ts';
import { reducing } from './reducing.ts';
import { registering } from './registering.ts';
import { seeing } from './seeing.ts';
import { sessions } from './sessions.ts';
import { judgedBy, soundly, standing } from './standing.ts';
import { storing } from './storing.ts';
import { timing } from './timing.ts';
import { waiting } from './waiting.ts';

const mutants = [
  ...deciding,
  ...standing,
  ...storing,
  ...timing,
  ...seeing,
  ...reading,
  ...sessions,
  ...registering,
  ...reducing,
  ...filling,
  ...waiting,
];

describe('the suite', () => {
  it('has a name of its own for each case', () => {
    expect(new Set(conformanceCases.map(({ name }) => name)).size).toBe(conformanceCases.length);
  });

  it('has cases for every law that a store owes', () => {
    expect(new Set(conformanceCases.map(({ law }) => law))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 9, 'contract']));
  });

  it('passes what the mutants are made of, when nothing is wrong with it', async () => {
    for (const { run } of conformanceCases) await run(withDefect(() => () => ({})));
  });

  it('passes a store that judges once more what stands, as the mutants do, and rightly', async () => {
    for (const { law, run } of standingCases) if (law !== 'contract') await run(withDefect(() => judgedBy(soundly)));
  });
});

describe('the suite catches a store that', () => {
  // A mutant that leaves somebody asleep does so for ever: nothing is learnt by waiting for as long as for a slow store.
  const { ms } = PATIENCE;
  beforeAll(() => void (PATIENCE.ms = 500));
  afterAll(() => void (PATIENCE.ms = ms));
  for (const { defect, caught, makeStore } of mutants) {
    it(`${defect}`, async () => {
      const guard = conformanceCases.find(({ name }) => name.startsWith(caught));
      assert(guard, `no case is named “${caught}…”`);
      const error: unknown = await guard.run(makeStore).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      // The case says no, or the mutant refuses what it must not refuse; it doesn't just break down.
      assert(
        error instanceof assert.AssertionError || error instanceof TidemarkError,
        `the mutant is alive: ${String(error)}`,
      );
    });
  }
});
