/** A server that writes when it is told to, for `follow.test.ts`: one command a line, one after the other. */
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { parts, viewService } from '../support/market.ts';
import { hear, say } from './test-process.ts';

const [file = '', name = ''] = process.argv.slice(2);
const app = await open({ store: sqlite(file), ...parts });
say('open');
for (;;) {
  const { commands, pauseMs } = await hear<{ commands: number; pauseMs: number }>();
  for (let n = 1; n <= commands; n += 1) {
    const { position, events } = await app.execute(viewService, { service_id: name });
    say('stored', { position, at: events[0]!.recordedAt });
    if (pauseMs > 0) await new Promise((resolve) => void setTimeout(resolve, pauseMs));
  }
  say('done');
}
