/** The parent's side of a server process. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { NotMeasured } from './contestant.ts';
import type { Done, Work } from './peer.ts';
import type { Answer, Order } from './worker.ts';

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

  async close(): Promise<void> {
    await this.#tell({ do: 'close' });
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

  #tell(order: Order): Promise<Answer & { status: 'done' }> {
    const answer = this.#answer();
    this.#child!.send(order);
    return answer as Promise<Answer & { status: 'done' }>;
  }

  async #answer(): Promise<Answer> {
    const child = this.#child!;
    const turn = new AbortController();
    const exit = once(child, 'exit', { signal: turn.signal }).then((): [Answer] => [
      { status: 'failed', why: 'its process ended' },
    ]);
    const [answer] = (await Promise.race([once(child, 'message', { signal: turn.signal }), exit])) as [Answer];
    exit.catch(() => undefined);
    turn.abort();
    if (answer.status === 'failed') throw new NotMeasured(answer.why);
    return answer;
  }
}
