/** A theatre whose releases differ: collections that come later, other reducers, other keys. Its events stay as they are. */
import { domain, failure, type, type App } from 'tidemark';

export interface Place {
  readonly seat_id: string;
  readonly room_id: string;
  readonly guest_id: string;
}

export interface Seat {
  readonly guest: string;
  readonly times: number;
}

interface Release {
  readonly definition?: number;
  readonly key?: unknown;
  readonly handled?: readonly ('BOOKED' | 'CANCELLED')[];
  /** What a booking counts. */
  readonly counts?: number;
  readonly indexes?: readonly (string | readonly string[])[];
  /** Whether it has rooms, which came later. */
  readonly hasRooms?: boolean;
  /** Thrown when a booking of this guest is folded. */
  readonly fails?: (guest: string) => boolean;
}

/** The application as a release has it. */
export function theatre(release: Release = {}) {
  const { definition = 1, key = 'seat_id', handled = ['BOOKED', 'CANCELLED'], counts = 1 } = release;
  const { indexes = [], hasRooms = false, fails = () => false } = release;
  const house = domain({
    events: { BOOKED: type<Place>(), CANCELLED: type<Place>(), NOTED: type<Place & { text: string }>() },
  });
  const reduce = {
    BOOKED: ({ times }: Seat, { guest_id }: Place): Seat => {
      if (fails(guest_id)) throw new RangeError(`nobody knows ${guest_id}`);
      return { guest: guest_id, times: times + counts };
    },
    CANCELLED: ({ times }: Seat): Seat => ({ guest: '', times }),
  };
  const seats = house.collection('seats', {
    key: key as 'seat_id',
    definition,
    initial: { guest: '', times: 0 },
    reduce: Object.fromEntries(handled.map((name) => [name, reduce[name]])) as unknown as typeof reduce,
    indexes: indexes as ['times'],
  });
  const rooms = house.collection('rooms', {
    key: 'room_id',
    initial: { booked: 0 },
    reduce: {
      BOOKED: ({ booked }) => ({ booked: booked + 1 }),
      CANCELLED: ({ booked }) => ({ booked: booked - 1 }),
    },
    indexes: ['booked'],
  });
  const idOf = (input: Place): string => (key === 'seat_id' ? input.seat_id : `${input.room_id}/${input.seat_id}`);
  const book = house.command('BOOK', {
    input: type<Place>(),
    reads: (input) => ({ seat: seats.ref(idOf(input)) }),
    decide: ({ seat }, input) => (seat.state.guest === '' ? { type: 'BOOKED', ...input } : failure('TAKEN')),
  });
  /** Reads the room of a later release. */
  const bookIn = house.command('BOOK_IN', {
    input: type<Place & { capacity: number }>(),
    reads: ({ room_id }) => ({ room: rooms.ref(room_id) }),
    decide: ({ room }, { capacity, ...place }) =>
      room.state.booked < capacity ? { type: 'BOOKED', ...place } : failure('FULL'),
  });
  const put = house.command('PUT', {
    input: type<{ events: readonly (Place & { type: 'BOOKED' | 'CANCELLED' | 'NOTED'; text?: string })[] }>(),
    decide: (_, { events }) => events.map((event) => ({ text: '', ...event })) as never,
  });
  const collections = hasRooms ? ([seats, rooms] as const) : ([seats] as const);
  const commands = hasRooms ? ([book, put, bookIn] as const) : ([book, put] as const);
  return { seats, rooms, book, bookIn, put, parts: { collections, commands } };
}

export type Theatre = ReturnType<typeof theatre>;
export type TheatreApp = App<Theatre['book'] | Theatre['put'] | Theatre['bookIn'], Theatre['seats'] | Theatre['rooms']>;

export const place = (n: number, more: Partial<Place> = {}): Place => ({
  seat_id: `s${n}`,
  room_id: `r${n % 7}`,
  guest_id: `g${n}`,
  ...more,
});

/** Stores many bookings: commits of so many events. */
export async function filled(app: TheatreApp, { put }: Theatre, count: number, each = 500): Promise<void> {
  for (let from = 0; from < count; from += each) {
    const events = Array.from({ length: Math.min(each, count - from) }, (_, n) => ({
      type: 'BOOKED' as const,
      ...place((from + n) % 500),
    }));
    await app.execute(put, { events });
  }
}
