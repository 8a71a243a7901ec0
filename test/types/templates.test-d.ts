/** Keys with templates: what compiles, what must not, and what identifies a document. Checked by the type check. */
import { domain, open, type, type Collection, type IdOf } from 'tidemark';
import { memory } from 'tidemark/memory';
import * as z from 'zod';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(equal: Equal<A, B>): void;

const hotel = domain({
  events: {
    BOOKED: z.object({ room_id: z.string(), day: z.string(), guest: z.string(), nights: z.int() }),
    CLOSED: type<{ room_ids: string[]; day: string; reasons?: string[] }>(),
    MOVED: type<{ from_room: string | null; room_id?: string | undefined; day: string }>(),
    RATED: type<{ room_id: string; stars: number }>(),
    ASKED: z.discriminatedUnion('by', [
      z.object({ by: z.literal('phone'), room_id: z.string(), day: z.string() }),
      z.object({ by: z.literal('letter'), address: z.object({ city: z.string() }) }),
    ]),
  },
});
const blank = { initial: { guest: '' }, reduce: {} };

// --- For all events -------------------------------------------------------------------------------------------------------
const days = hotel.collection('days', {
  key: '{room_id}/{day}',
  initial: { guest: '' },
  reduce: { BOOKED: (_, { guest }) => ({ guest }), MOVED: (day) => day, ASKED: (day) => day },
});
same<typeof days, Collection<'days', { guest: string }, { readonly room_id: string; readonly day: string }>>(true);
same<IdOf<typeof days>, string | { readonly room_id: string; readonly day: string }>(true);
hotel.collection('a1', { ...blank, key: ['guest', '{room_id}/{day}'] });
// @ts-expect-error no event has that field
hotel.collection('a2', { ...blank, key: '{room}/{day}' });
// @ts-expect-error a number is no part of an id
hotel.collection('a3', { ...blank, key: '{room_id}/{nights}' });
// @ts-expect-error no event has both
hotel.collection('a4', { ...blank, key: '{guest}/{from_room}' });
// @ts-expect-error also among several
hotel.collection('a5', { ...blank, key: ['guest', '{room}/{day}'] });
// @ts-expect-error events of that type have no day: the reducer would never run
hotel.collection('a6', { key: '{room_id}/{day}', initial: { n: 0 }, reduce: { RATED: (s) => s } });
// @ts-expect-error nor is there a guest where a room is closed
hotel.collection('a7', { key: ['guest', '{room_id}/{day}'], initial: { n: 0 }, reduce: { CLOSED: (s) => s } });

// --- In a map ---------------------------------------------------------------------------------------------------------------
const calendar = hotel.collection('calendar', {
  key: {
    BOOKED: '{room_id}/{day}',
    CLOSED: '{room_ids}/{day}',
    ASKED: (e) => (e.by === 'phone' ? e.day : e.address.city),
  },
  initial: { guest: '' },
  reduce: { BOOKED: (_, { guest }) => ({ guest }), CLOSED: (day) => day },
});
type Day = { readonly room_id: string; readonly day: string };
same<IdOf<typeof calendar>, string | Day | { readonly room_ids: string; readonly day: string }>(true);
hotel.collection('m1', { ...blank, key: { MOVED: ['{from_room}/{day}', '{room_id}/{day}'], ASKED: 'address.city' } });
hotel.collection('m2', { ...blank, key: { ASKED: '{room_id}/{day}' } });
// @ts-expect-error those events have no guest
hotel.collection('m3', { ...blank, key: { BOOKED: '{room_id}/{day}', MOVED: '{guest}/{day}' } });
// @ts-expect-error a number is no part of an id
hotel.collection('m4', { ...blank, key: { RATED: '{room_id}/{stars}' } });
// @ts-expect-error at most one array
hotel.collection('m5', { ...blank, key: { CLOSED: '{room_ids}/{reasons}' } });
// @ts-expect-error a path
hotel.collection('m6', { ...blank, key: { ASKED: '{address.city}/{day}' } });
// @ts-expect-error also among several
hotel.collection('m7', { ...blank, key: { BOOKED: ['guest', '{room_id}/{da}'] } });
// @ts-expect-error not in the map: the reducer would never run
hotel.collection('m8', { key: { BOOKED: '{room_id}/{day}' }, initial: { n: 0 }, reduce: { RATED: (s) => s } });

// --- What identifies a document -----------------------------------------------------------------------------------------
days.ref('r1/monday');
days.ref({ room_id: 'r1', day: 'monday' });
calendar.ref({ room_ids: 'r1', day: 'monday' });
// @ts-expect-error a missing field
days.ref({ room_id: 'r1' });
// @ts-expect-error a superfluous field
days.ref({ room_id: 'r1', day: 'monday', guest: 'ann' });
// @ts-expect-error a field of another type
days.ref({ room_id: 'r1', day: 1 });
const guests = hotel.collection('guests', { ...blank, key: 'guest' });
same<typeof guests, Collection<'guests', { guest: string }>>(true);
same<IdOf<typeof guests>, string>(true);
// @ts-expect-error its key has no template
guests.ref({ guest: 'ann' });

const app = await open({ store: memory(), collections: [days, calendar, guests], commands: [] });
const day = await app.get(days, { room_id: 'r1', day: 'monday' });
same<typeof day.state.guest, string>(true);
await app.get(days, [{ room_id: 'r1', day: 'monday' }, 'r1/tuesday']);
app.history(days, { room_id: 'r1', day: 'monday' });
// @ts-expect-error not the template's fields
await app.get(days, { room: 'r1', day: 'monday' });
// @ts-expect-error nor in a list
await app.get(days, [{ day: 'monday' }]);
// @ts-expect-error another collection's
await app.get(guests, { room_id: 'r1', day: 'monday' });
// @ts-expect-error the fields of another collection
app.history(guests, { room_id: 'r1', day: 'monday' });
