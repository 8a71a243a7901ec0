/** The numbers that a store gives to documents, whatever they are. */
import { expect, it } from 'vitest';
import { services, users } from '../../../test/support/market.ts';
import { collectionDefinition } from '../../model/collection.ts';
import { Pace } from '../pace.ts';
import { Folding } from './folding.ts';
import { OTHERS, UNKNOWN } from './slots.ts';

const definitions = [collectionDefinition(services)];

it('keeps apart as many documents as there are, in the order they are named', async () => {
  const folding = new Folding(definitions);
  const count = 300_000;
  for (let document = 1; document <= count; document += 1) {
    const collection = document % 3 === 0 ? users.name : services.name;
    folding.add({ collection, id: `d${document}`, document });
  }
  for (let document = 1; document <= count; document += 1) {
    const slot = folding.slotOf(document);
    const others = document % 3 === 0;
    expect(others ? slot : folding.ids[slot]).toBe(others ? OTHERS : `d${document}`);
    if (others) continue;
    folding.change(slot, document, { document });
    folding.count(slot, document + 1);
  }
  const [made] = await folding.documents(new Pace({ elapsed: () => 0, turn: () => Promise.resolve() }));
  expect(made!.size).toBe(200_000);
  expect(made!.get('d299999')).toMatchObject({ version: 300_000, changed: 299_999, state: { document: 299_999 } });
});

it('takes numbers that are far apart, without room for all in between', () => {
  const folding = new Folding(definitions);
  const far = [2 ** 45, 2 ** 31, 100_000, 1, 2 ** 20];
  for (const document of far) folding.add({ collection: services.name, id: `d${document}`, document });
  for (let document = 200_000; document < 800_000; document += 1) {
    folding.add({ collection: services.name, id: `d${document}`, document });
  }
  for (const document of [...far, 200_000, 799_999]) {
    expect(folding.ids[folding.slotOf(document)]).toBe(`d${document}`);
  }
  for (const document of [0, 2, 900_000, 2 ** 44]) expect(folding.slotOf(document)).toBe(UNKNOWN);
});
