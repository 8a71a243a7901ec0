/** The parent's side of a server process. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NotMeasured } from './contestant.ts';
import type { Done, Work } from './peer.ts';
import type { Answer, Order } from './worker.ts';

/** How long a process may take over an order; seeding takes longest. */
const ANSWER_MS = 180_000;
const CLOSE_MS = 5_000;

export class Server {
  readonly #adapter: string;
  readonly #place: string;
  #child: ChildProcess | undefined;
  packages: readonly string[] = [];
  setup = '';

  constructor(adapter: string, place: string) {
    this.#adapter = adapter;
    this.#place = place;
  }

  async start(): Promise<void> {
    this.#child = fork(join(import.meta.dirname, 'worker.ts'), [this.#adapter, this.#place], {
      execArgv: ['--conditions=@tidemark/source', '--disable-warning=ExperimentalWarning'],
      // Act reads this package's description of itself there.
      cwd: import.meta.dirname,
      env: { ...process.env, NODE_ENV: 'production', LOG_LEVEL: 'error' },
      serialization: 'advanced',
      // Some systems write each conflict there.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const about = await this.#answer();
    if (about.status === 'about') ({ packages: this.packages, setup: this.setup } = about);
  }

  async seed(services: number): Promise<void> {
    await this.#tell({ do: 'seed', services });
  }

  async open(): Promise<void> {
    await this.#tell({ do: 'open' });
  }

  async work(work: Work): Promise<Done> {
    return (await this.#tell({ do: 'work', work })).done!;
  }

  async count(): Promise<number> {
    return (await this.#tell({ do: 'count' })).count!;
  }

  /** Lets it close its connections, but doesn't insist. */
  async close(): Promise<void> {
    await this.#tell({ do: 'close' }, CLOSE_MS).catch(() => undefined);
    await this.kill();
  }

  /** For one that has callers who never got an answer. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async #tell(order: Order, withinMs = ANSWER_MS): Promise<Answer & { status: 'done' }> {
    if (!this.#child?.connected) throw new NotMeasured('its process ended');
    const answer = this.#answer(withinMs);
    this.#child.send(order);
    return (await answer) as Answer & { status: 'done' };
  }

  async #answer(withinMs = ANSWER_MS): Promise<Answer> {
    const child = this.#child!;
    const turn = new AbortController();
    const { signal } = turn;
    const [answer] = (await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(failed('its process ended')),
      sleep(withinMs, undefined, { signal }).then(failed(`no answer within ${withinMs / 1_000} s`)),
    ])) as [Answer];
    turn.abort();
    if (answer.status === 'failed') throw new NotMeasured(answer.why);
    return answer;
  }
}

/** As a message would come: in a list. */
const failed = (why: string) => (): [Answer] => [{ status: 'failed', why }];
