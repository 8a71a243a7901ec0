/**
 * A server of one release of the theatre, under load until it is told to stop, or killed: it books places and frees them. The ids of
 * its commands say which release has decided.
 *
 * Says: `open`, `booked` after each decision, and, told to stop, `done`; `ended` with the error, should a call fail.
 */
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { RELEASES } from '../faults/growing-releases.ts';
import { hear, say } from '../faults/test-process.ts';
import { randomOf } from '../support/seed.ts';
import { place, type TheatreApp } from '../support/theatre.ts';

export interface TheatreServerArgs {
  readonly file: string;
  readonly name: string;
  readonly release: string;
  readonly seed: number;
}

const CALLERS = 4;
const SEATS = 12;

const { file, name, release, seed } = JSON.parse(process.argv[2]!) as TheatreServerArgs;
const random = randomOf(seed);
const { parts, book, put } = RELEASES[release]!();
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const stopping = new AbortController();
let executed = 0;

try {
  const app = (await open({ store: sqlite(file), ...parts, logger: quiet } as never)) as unknown as TheatreApp;
  say('open');
  const caller = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const id = `${release}:${name}-${(executed += 1)}`;
      const seat = place(Math.floor(random() * SEATS), { room_id: `r${Math.floor(random() * 2)}`, guest_id: id });
      if (random() < 0.4) await app.execute(put, { events: [{ type: 'CANCELLED', ...seat }] }, { id: `free:${id}` });
      else {
        const { status } = await app.execute(book, seat, { id });
        say('booked', { status });
      }
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, caller));
  await Promise.race([hear(), callers]);
  stopping.abort();
  await callers;
  await app.close();
  say('done');
  process.exit(0);
} catch (error) {
  say('ended', { code: (error as { code?: unknown }).code, message: String(error) });
  process.exit(1);
}
