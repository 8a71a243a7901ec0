/** What an application takes of the registry: a keying that can't have been registered so is damage, and is named. */
import { expect, test } from 'vitest';
import type { DeclaredKey } from '../../model/key.ts';
import type { Registry } from '../../store/store.ts';
import { membershipOf } from './membership.ts';

const FIELDS: DeclaredKey = { fields: ['seat_id'] };
const FUNCTION: DeclaredKey = { types: { SOLD: 'function' } };

function membership(key: DeclaredKey, definition: number | undefined): unknown {
  const keying = { name: 'seats', collection: 'seats', key, definition, state: 'retired', filled: 0 } as const;
  const registry: Registry = { generation: 1, last: 2, keyings: [keying], definitions: [], indexes: [] };
  return membershipOf(registry, new Map(), { attachmentsMax: 10, unattached: { count: 0 } });
}

test('only a key with a function is a definition’s own', () => {
  expect(membership(FIELDS, undefined)).toMatchObject({ generation: 1 });
  expect(membership(FUNCTION, 1)).toMatchObject({ generation: 1 });
  const refused = expect.objectContaining({ code: 'LogCorrupt', details: { collection: 'seats' } }) as Error;
  expect(() => membership(FIELDS, 1)).toThrow(refused);
  expect(() => membership(FUNCTION, undefined)).toThrow(refused);
});
