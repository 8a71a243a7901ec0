import { expect, test } from 'vitest';
import { InvalidInput } from '../errors.ts';
import { documentId } from './document-id.ts';
import { idFinder } from './find-ids.ts';
import { defineKey } from './key.ts';

const types = new Map([['BOOKED', { stored: 'BOOKED', fields: () => undefined }]]);
const collectionOf = (key: unknown) => ({ name: 'days', key: defineKey('days', key, types) });
const days = collectionOf(['{room_id}/{day}', '{from_room}/{day}', 'day']);

test('an id is itself', () => {
  expect(documentId(days, 'r1/monday')).toBe('r1/monday');
  expect(documentId(collectionOf('day'), 'monday')).toBe('monday');
});

test('fields make the id that the key finds in an event with them', () => {
  for (const [room_id, day] of [
    ['r1', 'monday'],
    ['a/b', '{50%}'],
    ['%2F', 'é'],
  ] as const) {
    const id = documentId(days, { day, room_id });
    expect(idFinder('days', days.key, 'BOOKED')!({ type: 'BOOKED', room_id, day })).toContain(id);
    expect(documentId(days, { from_room: room_id, day, guest: undefined })).toBe(id);
  }
});

test('each field is read once', () => {
  let reads = 0;
  const given = {
    room_id: 'r1',
    get day() {
      return (reads += 1) === 1 ? 'monday' : 'tuesday';
    },
  };
  expect(documentId(days, given)).toBe('r1/monday');
});

test.each<[unknown, string]>([
  [{ room_id: 'r1' }, 'by its id, or by { room_id, day } or { from_room, day }, not by { room_id }'],
  [{}, 'not by no fields'],
  [{ room_id: 'r1', day: undefined }, 'not by { room_id }'],
  [{ room_id: 'r1', day: 'monday', guest: 'ann' }, 'not by { room_id, day, guest }'],
  [{ room_id: 'r1', day: 7 }, 'day must be a string, not number'],
  [{ room_id: null, day: 'monday' }, 'room_id must be a string, not null'],
  [{ room_id: ['r1'], day: 'monday' }, 'room_id must be a string, not an array'],
  [{ room_id: '', day: 'monday' }, 'room_id must not be empty'],
  [{ room_id: 'r1', day: 'x'.repeat(511) }, 'at most 512 bytes'],
  [['r1', 'monday'], 'not by { 0, 1 }'],
  [7, 'must be a string, not number'],
  [null, 'must be a string, not null'],
  [undefined, 'must be a string, not undefined'],
  ['', 'must not be empty'],
])('%j identifies no document', (given, said) => {
  const ask = (): string => documentId(days, given);
  expect(ask).toThrow(InvalidInput);
  expect(ask).toThrow(said);
});

test('where the key has no template, fields don’t identify a document', () => {
  expect(() => documentId(collectionOf('day'), { day: 'monday' })).toThrow('must be a string, not object');
});
