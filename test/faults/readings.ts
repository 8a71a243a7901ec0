/** The domain of the tests of clocks: each event says by what time it was decided. */
import { domain, type } from 'tidemark';

const plant = domain({
  events: { READ: type<{ meter_id: string; decided_at: number }>() },
});

export const meters = plant.collection('meters', {
  key: 'meter_id',
  initial: { readings: 0, last: 0 },
  reduce: { READ: ({ readings }, { decided_at }) => ({ readings: readings + 1, last: decided_at }) },
});

export const read = plant.command('READ', {
  input: type<{ meter_id: string }>(),
  reads: ({ meter_id }) => ({ meter: meters.ref(meter_id) }),
  decide: (_, { meter_id }, { time }) => ({ type: 'READ', meter_id, decided_at: time }),
});

export const parts = { collections: [meters], commands: [read] } as const;
