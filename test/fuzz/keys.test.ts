/** Declared keys against a small interpreter of their grammar: refused where they are defined, or they find what it finds. */
/* eslint-disable no-console -- the seed and what was met */
/* eslint-disable oxc/no-map-spread -- few objects */
/* eslint-disable vitest/no-conditional-expect -- which is expected depends on what was drawn */
import fc from 'fast-check';
import { InvalidDefinition, InvalidEvent } from 'tidemark';
import { expect, test } from 'vitest';
import { attacher } from '../../src/model/attach.ts';
import { defineKey } from '../../src/model/key.ts';
import { isDeclaredKey } from '../../src/store/declared-key.ts';
import { runs, drawn } from './seed.ts';

const limits = (attachmentsMax: number) => ({ attachmentsMax, unattached: () => undefined });

const piece = fc.constantFrom(
  'a',
  'b',
  'list',
  '[]',
  '.',
  '.',
  '[]',
  '[',
  ']',
  'type',
  '__proto__',
  'constructor',
  'é',
  ' ',
  '\0',
  '\ud800',
  '',
);
/** Without braces: a text that has them is a template. */
const strange = fc
  .oneof(
    fc.array(piece, { maxLength: 6 }).map((parts) => parts.join('')),
    fc.string(),
    fc.constant('x'.repeat(201)),
  )
  .map((text) => text.replaceAll(/[{}]/g, ''));
const field = fc.constantFrom('a', 'b', 'list', 'constructor', 'é', '__proto__', 'type');
const part = fc.tuple(field, fc.constantFrom('', '[]')).map((both) => both.join(''));
const wellFormed = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.'));
const path = fc.oneof(strange, wellFormed, wellFormed);

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom<unknown>('i1', 'i2', 'i3', null, 'i1'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'list', 'constructor', 'é', 'a.b', 'list[]'), tie('value'), { maxKeys: 4 }),
  ),
}));
/** Rarely something that is no id. */
const fields = fc
  .tuple(
    fc.dictionary(fc.constantFrom('a', 'b', 'list', 'constructor', 'é', 'a.b', 'list[]'), value, {
      maxKeys: 5,
      noNullPrototype: true,
    }),
    fc.option(fc.constantFrom<unknown>('', 7, true, 'x'.repeat(513), { a: 1 }), { freq: 8 }),
  )
  .map(([made, odd]) => (odd === null ? made : { ...made, a: odd }));

// --- The grammar, once more ----------------------------------------------------------------------------------------------

/** A name of a field as a key may have it. */
function isName(name: string): boolean {
  return (
    name !== '' &&
    name !== 'type' &&
    name !== '__proto__' &&
    !name.includes('\0') &&
    name.isWellFormed() &&
    new TextEncoder().encode(name).length <= 200
  );
}

/** path = step { "." step };  step = field [ "[]" ];  field = any text without "." and "[", not empty. */
function isPath(text: string): boolean {
  return isName(text) && text.split('.').every((step) => /^[^[]+(\[\])?$/su.test(step));
}

class NoId extends Error {}

/** The ids that a path leads to, in order. @throws NoId for what stands where an id should, or the way to it */
function walk(here: unknown, steps: readonly string[]): string[] {
  if (here === null || here === undefined) return [];
  const [step, ...rest] = steps;
  if (step === undefined) return ids(here);
  if (typeof here !== 'object' || Array.isArray(here)) throw new NoId();
  const each = step.endsWith('[]');
  const entry = Object.entries(here).find(([name]) => name === (each ? step.slice(0, -2) : step));
  if (entry === undefined || entry[1] === null) return [];
  if (!each) return walk(entry[1], rest);
  if (!Array.isArray(entry[1])) throw new NoId();
  return entry[1].flatMap((item) => walk(item, rest));
}

function ids(found: unknown): string[] {
  if (found === null || found === undefined) return [];
  if (Array.isArray(found)) return found.flatMap(ids);
  if (typeof found === 'string' && found !== '' && Buffer.byteLength(found) <= 512) return [found];
  throw new NoId();
}

// --- The properties --------------------------------------------------------------------------------------------------------

const tally = { refused: 0, found: 0, none: 0, noId: 0 };

/** What the product finds by a key, or the error's name. */
function attached(key: unknown, event: object): readonly string[] | string {
  const types = new Map([['HAPPENED', { stored: 'HAPPENED', fields: () => undefined }]]);
  const { declared } = defineKey('things', key, types);
  // As the registry keeps it, and another program reads it.
  const read: unknown = JSON.parse(JSON.stringify(declared));
  if (!isDeclaredKey(read)) throw new Error('not a declared key');
  try {
    return attacher([{ name: 'things', collection: 'things', isOwn: true, key: read }], limits(1_000))
      .attach({ type: 'HAPPENED', ...event })
      .map(({ id }) => id);
  } catch (error) {
    if (error instanceof InvalidEvent) return 'InvalidEvent';
    throw error;
  }
}

function expected(find: () => string[]): readonly string[] | string {
  try {
    const found = [...new Set(find())];
    tally[found.length > 0 ? 'found' : 'none'] += 1;
    return found;
  } catch (error) {
    if (!(error instanceof NoId)) throw error;
    tally.noId += 1;
    return 'InvalidEvent';
  }
}

function same(key: unknown, valid: boolean, event: object, find: () => string[]): void {
  if (!valid) {
    tally.refused += 1;
    expect(() => attached(key, event)).toThrow(InvalidDefinition);
    return;
  }
  expect(attached(key, event)).toEqual(expected(find));
}

test('a path in a map of types', () => {
  fc.assert(
    fc.property(path, fields, (text, event) => {
      same({ HAPPENED: text }, isPath(text), event, () => walk({ type: 'HAPPENED', ...event }, text.split('.')));
    }),
    drawn(4_000),
  );
});

test('several paths: each id once, in the order of the paths’ names', () => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 4 }), fields, (texts, event) => {
      const valid = texts.length > 0 && texts.every(isPath);
      same({ HAPPENED: texts }, valid, event, () =>
        [...new Set(texts)].sort().flatMap((text) => walk({ type: 'HAPPENED', ...event }, text.split('.'))),
      );
    }),
    drawn(2_000),
  );
});

test('a field for all types is a name, not a path', () => {
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 3 }), fields, (texts, event) => {
      const own = (name: string): unknown => (Object.hasOwn(event, name) ? event[name as never] : undefined);
      const key = texts.length === 1 ? texts[0] : texts;
      same(key, texts.every(isName), event, () => [...new Set(texts)].sort().flatMap((name) => ids(own(name))));
    }),
    drawn(2_000),
  );
});

// --- Templates -----------------------------------------------------------------------------------------------------------

const braces = fc.constantFrom('{a}', '{b}', '{list}', '{é}', '{constructor}', '{type}', '{a.b}', '{}', '{', '}');
const literal = fc.constantFrom('/', '/', '/', '-', '', 'x/', '%', 'é', '\0');
const goodField = fc.constantFrom('{a}', '{b}', '{list}', '{é}');
const template = fc.oneof(
  fc.array(fc.oneof(braces, literal), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('')),
  fc.uniqueArray(goodField, { minLength: 2, maxLength: 3 }).map((parts) => `x${parts.join('/')}`),
);

/** The fields and literals of a template, read sign by sign; undefined if it isn't one. */
function partsOf(text: string): { readonly fields: string[]; readonly literals: string[] } | undefined {
  const [fields, literals]: [string[], string[]] = [[], ['']];
  let inside: string | undefined;
  for (const sign of text) {
    if (sign === '{' && inside === undefined) inside = '';
    else if (sign === '}' && inside !== undefined) {
      fields.push(inside);
      literals.push('');
      inside = undefined;
    } else if (sign === '{' || sign === '}') return undefined;
    else if (inside !== undefined) inside += sign;
    else literals[literals.length - 1] += sign;
  }
  const isSound =
    inside === undefined &&
    fields.length > 0 &&
    !text.includes('\0') &&
    fields.every((name) => isName(name) && !name.includes('.') && !name.includes('[')) &&
    new Set(fields).size === fields.length &&
    (fields.length > 1 || literals.join('') !== '') &&
    literals.slice(1, -1).every((one) => one.includes('/'));
  return isSound ? { fields, literals } : undefined;
}

/** What templates leave as it is, sign by sign. */
const encoded = (value: string): string =>
  Array.from(value, (sign) => ('/{}%'.includes(sign) ? encodeURIComponent(sign) : sign)).join('');

const isPart = (item: unknown): boolean => typeof item === 'string' && item !== '' && item.length <= 512;

/** Each value of a field, once for each item of an array; and nothing if one of them is missing. */
function filledIn({ fields, literals }: NonNullable<ReturnType<typeof partsOf>>, event: object): string[] {
  const values = fields.map((name) => Object.entries(event).find(([one]) => one === name)?.[1] as unknown);
  if (values.some((one) => one === null || one === undefined)) return [];
  if (values.filter((one) => Array.isArray(one)).length > 1) throw new NoId();
  const choices = values.map((one) => (Array.isArray(one) ? one.filter((item) => item !== null) : [one]));
  if (!choices.flat().every(isPart)) throw new NoId();
  const made = choices.reduce<string[]>(
    (sofar, choice, index) =>
      sofar.flatMap((text) =>
        choice.map((item: unknown) => {
          return text + encoded(item as string) + literals[index + 1]!;
        }),
      ),
    [literals[0]!],
  );
  if (made.some((id) => new TextEncoder().encode(id).length > 512)) throw new NoId();
  return made;
}

const valueOfField = fc.oneof(
  fc.constantFrom<unknown>('i1', 'i2', 'a/b', '{a}', '100%', '%2F', null, '', 7, 'x'.repeat(510)),
  fc.array(fc.constantFrom<unknown>('i1', 'i/2', null, 'i1', ''), { maxLength: 3 }),
);
const fieldsOfTemplate = fc.dictionary(fc.constantFrom('a', 'b', 'list', 'é'), valueOfField, {
  minKeys: 2,
  maxKeys: 4,
  noNullPrototype: true,
});

test('a template makes ids of fields, for all types and in a map', () => {
  fc.assert(
    fc.property(template, fieldsOfTemplate, fc.boolean(), (text, event, forAll) => {
      fc.pre(/[{}]/.test(text));
      const parts = partsOf(text);
      same(forAll ? text : { HAPPENED: text }, parts !== undefined, event, () => filledIn(parts!, event));
    }),
    drawn(4_000),
  );
});

test('different values never make the same id', () => {
  const part = fc.array(fc.constantFrom('a', '/', '{', '}', '%', '2F', '-x'), { minLength: 1, maxLength: 5 });
  const values = fc
    .tuple(part, part, part)
    .map((parts) => parts.map((one) => one.join('')) as [string, string, string]);
  fc.assert(
    fc.property(
      values,
      values,
      fc.constantFrom('{a}/{b}/{list}', 'a/{a}-x/{b}//{list}', '{a}%2F/{b}/-x{list}a'),
      (one, other, text) => {
        const idOf = ([a, b, list]: [string, string, string]) => attached(text, { a, b, list });
        expect(String(idOf(one)) === String(idOf(other))).toBe(JSON.stringify(one) === JSON.stringify(other));
      },
    ),
    drawn(2_000),
  );
});

test('what is no declared key is told from one, whatever JSON it is', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      const declared = isDeclaredKey(json);
      // Whoever takes it for one must be able to use it.
      if (declared)
        expect(() =>
          attacher([{ name: 'things', collection: 'things', isOwn: true, key: json as never }], limits(10)).attach({
            type: 'HAPPENED',
          }),
        ).not.toThrow(TypeError);
    }),
    drawn(500),
  );
  for (const none of [
    null,
    [],
    {},
    { fields: 'a' },
    { fields: [1] },
    { types: [] },
    { types: { A: 'path' } },
    { fields: [], types: {} },
    { fields: [{ template: 'a' }] },
    { fields: [{ template: '{a' }] },
    { fields: [{ template: '{a}/{}' }] },
    { fields: [{ template: '{a}/{b}', more: 1 }] },
    { types: { A: { template: '{a}/{b}' } } },
  ]) {
    expect(isDeclaredKey(none)).toBe(false);
  }
  expect(isDeclaredKey({ types: { A: 'function', B: ['a[].b'] } })).toBe(true);
  expect(isDeclaredKey({ types: { A: ['a', { template: '{a}/{b}' }] } })).toBe(true);
});

test('control: every way to end was met', () => {
  if (runs(2_000) >= 500) expect(Math.min(...Object.values(tally))).toBeGreaterThan(10);
  console.log(`keys: ${JSON.stringify(tally)}`);
});
