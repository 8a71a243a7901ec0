/**
 * A server of one release that is going to be killed while it reduces, attaches old events, fills indexes and rebuilds; it writes
 * meanwhile, so that there is always something to be reduced.
 *
 * Says: `open`, `rebuilt`, and `ended` with the error, should a call fail.
 */
import { open, type Store } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { place, type TheatreApp } from '../support/theatre.ts';
import { randomOf } from '../support/seed.ts';
import { RELEASES } from './growing-releases.ts';
import { say } from './test-process.ts';

export interface GrowingServerArgs {
  /** A file, or the URL of a database with a schema. */
  readonly file?: string;
  readonly url?: string;
  readonly schema?: string;
  readonly release: string;
  readonly seed: number;
}

const { file, url, schema, release, seed } = JSON.parse(process.argv[2]!) as GrowingServerArgs;
const random = randomOf(seed);
const store: Store = url === undefined ? sqlite(file!) : postgres(url, { schema: schema!, connections: 3 });
const { parts, put, seats } = RELEASES[release]!();

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
try {
  const app = (await open({ store, ...parts, logger: quiet } as never)) as unknown as TheatreApp;
  say('open');
  const writing = async (): Promise<never> => {
    for (;;) {
      const events = Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
        type: (['BOOKED', 'CANCELLED', 'NOTED'] as const)[Math.floor(random() * 3)]!,
        ...place(Math.floor(random() * 300)),
      }));
      await app.execute(put, { events });
    }
  };
  const rebuilding = async (): Promise<void> => {
    if (random() > 0.4) return;
    await app.rebuild(seats).then(
      () => say('rebuilt'),
      // Another server has ended it; or this one's documents aren't made yet.
      (error: { code?: string }) => {
        if (error.code !== 'UnknownCollection' && error.code !== 'Rebuilding') throw error;
      },
    );
  };
  await Promise.all([writing(), writing(), rebuilding()]);
} catch (error) {
  say('ended', { code: (error as { code?: unknown }).code, message: String(error) });
}
