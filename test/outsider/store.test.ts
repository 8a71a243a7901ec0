/** What `tidemark/store` exports is enough to write a store of it that keeps the contract. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { storeConformance } from 'tidemark/testing';
import { expect, test } from 'vitest';
import { outsiderStore } from './store.ts';

storeConformance('an outsider’s store', outsiderStore);

test('it uses nothing else of the package', () => {
  const files = readdirSync(import.meta.dirname).filter((file) => !file.endsWith('.test.ts'));
  const used = files.flatMap((file) =>
    [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(/ from '([^']+)'/g)].map(([, from]) => from!),
  );
  expect(new Set(used.filter((from) => !from.startsWith('node:') && !from.startsWith('./')))).toEqual(
    new Set(['tidemark', 'tidemark/store']),
  );
});
