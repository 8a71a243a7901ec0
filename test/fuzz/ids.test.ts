/** Ids against a definition of their own, and their order: by UTF-8 bytes, on every store alike. */
import fc from 'fast-check';
import { domain, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { idFault } from '../../src/model/id.ts';
import { onLocalStores } from '../support/stores.ts';
import { drawn } from './seed.ts';

/** Code units of every kind: of one, two, three bytes, halves of four, NUL, and forms that normalise to each other. */
const unit = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
  { weight: 2, arbitrary: fc.integer({ min: 0x80, max: 0x7ff }) },
  { weight: 2, arbitrary: fc.integer({ min: 0x800, max: 0xffff }) },
  fc.constantFrom(0, 1, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe9, 0x301, 0xfb01, 0xfeff, 0xfffd, 0xffff, 0xe000),
);
const units = fc.array(unit, { maxLength: 12 }).map((codes) => String.fromCharCode(...codes));
const anyText = fc.oneof(
  { weight: 4, arbitrary: units },
  { weight: 2, arbitrary: fc.string({ unit: 'binary' }) },
  // About the bound.
  fc
    .tuple(fc.constantFrom('a', 'é', '€', '𝒳', '\udc00'), fc.integer({ min: 120, max: 520 }))
    .map(([one, n]) => one.repeat(n)),
);

/** UTF-8 bytes counted by hand; undefined if it isn't well-formed, or has a NUL. */
function bytesOf(text: string): number | undefined {
  let bytes = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0) return undefined;
    if (code < 0x80) bytes += 1;
    else if (code < 0x800) bytes += 2;
    else if (code < 0xd800 || code > 0xdfff) bytes += 3;
    else {
      const next = text.charCodeAt(index + 1);
      if (code > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return undefined;
      bytes += 4;
      index += 1;
    }
  }
  return bytes;
}

function isId(text: string): boolean {
  const bytes = bytesOf(text);
  return bytes !== undefined && bytes >= 1 && bytes <= 512;
}

test('an id is well-formed text without NUL, of 1 to 512 bytes of UTF-8', () => {
  const seen = { id: 0, none: 0 };
  fc.assert(
    fc.property(anyText, (text) => {
      seen[isId(text) ? 'id' : 'none'] += 1;
      expect(idFault(text) === undefined).toBe(isId(text));
    }),
    drawn(3_000),
  );
  expect(Math.min(seen.id, seen.none)).toBeGreaterThan(100);
});

test('at the bound, exactly', () => {
  for (const [one, bytes] of [
    ['a', 1],
    ['é', 2],
    ['€', 3],
    ['𝒳', 4],
  ] as const) {
    const most = Math.floor(512 / bytes);
    expect(idFault(one.repeat(most))).toBeUndefined();
    expect(idFault(one.repeat(most + 1))).toMatch(/at most 512 bytes/);
  }
});

test('what is no string is no id', () => {
  fc.assert(
    fc.property(
      fc.anything().filter((value) => typeof value !== 'string'),
      (value) => {
        expect(idFault(value)).toMatch(/must be a string/);
      },
    ),
    drawn(300),
  );
});

onLocalStores('ids', (makeStore) => {
  const lab = domain({ events: { SEEN: type<{ ids: string[] }>() } });
  const things = lab.collection('things', {
    key: 'ids',
    initial: { n: 0 },
    reduce: { SEEN: ({ n }) => ({ n: n + 1 }) },
  });
  const see = lab.command('SEE', {
    input: type<{ ids: string[] }>(),
    decide: (_, input) => ({ type: 'SEEN', ...input }),
  });

  test('are compared and ordered by their UTF-8 bytes, and never normalised', async () => {
    const ids = fc.array(anyText.filter(isId), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(ids, async (found) => {
        const store = makeStore();
        await using app = await open({ store, collections: [things], commands: [see] });
        const half = Math.ceil(found.length / 2);
        await app.execute(see, { ids: found.slice(0, half) });
        await app.execute(see, { ids: found.slice(half) });
        const session = await store.open();
        const listed = (await session.documents({ limit: 100 })).map(({ id, head }) => [id, head]);
        await session.close();
        const heads = new Map<string, number>();
        for (const part of [found.slice(0, half), found.slice(half)]) {
          for (const id of new Set(part)) heads.set(id, (heads.get(id) ?? 0) + 1);
        }
        const expected = [...heads].sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
        expect(listed).toEqual(expected);
        for (const [id, head] of expected) expect(await app.get(things, id)).toMatchObject({ id, version: head });
      }),
      drawn(10, 40),
    );
  });
});

test('control: the order by UTF-16 code units is another one, and is met', () => {
  const pair = ['\u{1f600}', '\uffff'];
  expect([...pair].sort()).not.toEqual(pair.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
});
