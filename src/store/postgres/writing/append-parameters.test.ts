/** One table says what append_v1 takes and answers: a database has it so, and no call leaves a part out. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { APPEND_ANSWERS, APPEND_PLACES, APPEND_TAKES, appendParameters } from './append-parameters.ts';
import type { AppendValues } from './append-parameters.ts';
import { encoded } from './encode.ts';
import { KnownDocuments } from './known.ts';
import { commit, event, GENESIS } from '../../../testing/conformance/batches.ts';

const database = testDatabase();

const session = { session: randomUUID(), fence: 7, lock_timeout: '1', durability: undefined, clock: undefined };
const { values } = encoded(
  { seen: GENESIS, generation: 0, handled: new Map(), reads: [], commits: [commit('c1', event('NOTED'))] },
  new KnownDocuments(),
  { ...session, ahead_ms: 0 },
);
const { ahead_ms, ...others } = values;

it('the function of a log has the parameters of the table, in their order', async () => {
  const opened = await database.store({ schema: 'parameters' }).open();
  await opened.close();
  const [found] = await database.run<{ names: string[] }>(
    "SELECT proargnames AS names FROM pg_proc WHERE proname = 'append_v1' AND pronamespace = 'parameters'::regnamespace",
  );
  expect(found!.names).toEqual([...Object.keys(APPEND_TAKES), 'log', ...Object.keys(APPEND_ANSWERS)]);
});

it('values are sent in the order of the table, whatever order they are given in', () => {
  const reversed = Object.fromEntries(Object.entries(values).toReversed()) as unknown as AppendValues;
  const sent = appendParameters(values);
  expect(appendParameters(reversed)).toEqual(sent);
  expect(sent).toHaveLength(Object.keys(APPEND_TAKES).length);
  expect(sent[APPEND_PLACES.fence]).toBe('7');
  expect(sent[APPEND_PLACES.ahead_ms]).toBe('0');
});

it('a value that is missing, misspelt or of another type doesn’t compile', () => {
  // @ts-expect-error ahead_ms is missing
  const missing: AppendValues = { ...others };
  // @ts-expect-error it is called ahead_ms
  const misspelt: AppendValues = { ...others, ahead: ahead_ms };
  // @ts-expect-error it is a number
  const ofAnotherType: AppendValues = { ...others, ahead_ms: '0' };
  expect([missing, misspelt, ofAnotherType]).toHaveLength(3);
});
