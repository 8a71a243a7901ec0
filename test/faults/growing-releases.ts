/** Releases of the theatre that servers run which are going to be killed. Definitions of one number are of one kind. */
import { theatre, type Theatre } from '../support/theatre.ts';

export const RELEASES: Readonly<Record<string, () => Theatre>> = {
  old: () => theatre(),
  fewer: () => theatre({ handled: ['BOOKED'] }),
  indexed: () => theatre({ indexes: ['times', ['guest', 'times']] }),
  rooms: () => theatre({ hasRooms: true, indexes: ['guest'] }),
  byRoom: () => theatre({ definition: 2, key: '{room_id}/{seat_id}', hasRooms: true, indexes: ['times'] }),
  counting: () => theatre({ definition: 3, counts: 10, indexes: ['times'] }),
};
