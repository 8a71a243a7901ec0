/** Which of several servers is connected to: pools that answer as they are told. */
import { describe, expect, it } from 'vitest';
import { Failed } from '../failed.ts';
import { Hosts } from './hosts.ts';
import type { PostgresClient, PostgresPool } from './pool.ts';

const WAITS = { connectTimeoutMs: 1_000, answerTimeoutMs: 1_000 };

type State = 'primary' | 'standby' | 'gone' | 'wrong password';

/** A server that is asked whether it is in recovery, and counts how often. */
class FakeServer implements PostgresPool {
  state: State;
  asked = 0;
  destroyed = 0;
  idle: PostgresClient[] = [];
  readonly name: string;

  constructor(name: string, state: State) {
    this.name = name;
    this.state = state;
  }

  get pool(): PostgresPool {
    return this;
  }

  async connect(): Promise<PostgresClient> {
    const idle = this.idle.pop();
    if (idle) return idle;
    if (this.state === 'gone')
      throw Object.assign(new Error(`connect ECONNREFUSED ${this.name}`), { code: 'ECONNREFUSED' });
    if (this.state === 'wrong password') {
      throw Object.assign(new Error(`password authentication failed at ${this.name}`), {
        code: '28P01',
        severity: 'FATAL',
      });
    }
    const client: PostgresClient = {
      query: async () => {
        this.asked += 1;
        if (this.state === 'gone') throw new Error('Connection terminated unexpectedly');
        return { rows: [[this.state === 'standby' ? 't' : 'f']], command: 'SELECT' };
      },
      on: () => undefined,
      off: () => undefined,
      release: (destroy) => {
        if (destroy) this.destroyed += 1;
        else this.idle.push(client);
      },
    };
    return client;
  }

  on(): void {}
  async end(): Promise<void> {}
}

function servers(...states: State[]): FakeServer[] {
  return states.map((state, index) => new FakeServer(`h${index + 1}`, state));
}

async function failureOf(hosts: Hosts): Promise<unknown> {
  const failed: unknown = await hosts.connect().catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(Failed);
  return (failed as Failed).error;
}

describe('several hosts', () => {
  it('the one that takes writes is found, and stays the first to be asked', async () => {
    const all = servers('gone', 'standby', 'primary');
    const hosts = new Hosts(all, true, WAITS);
    const first = await hosts.connect();
    expect(all.map(({ asked }) => asked)).toEqual([0, 1, 1]);
    // A connection to a standby isn't kept.
    expect(all[1]!.destroyed).toBe(1);
    await hosts.connect();
    expect(all.map(({ asked }) => asked)).toEqual([0, 1, 2]);
    // Nor is one asked again that is known.
    first.release();
    await hosts.connect();
    expect(all.map(({ asked }) => asked)).toEqual([0, 1, 2]);
  });

  it('idle connections are asked again once one was lost, and the next host is tried at once', async () => {
    const all = servers('primary', 'standby');
    const hosts = new Hosts(all, true, WAITS);
    const held = await Promise.all([hosts.connect(), hosts.connect()]);
    for (const connection of held) connection.release();
    expect(all[0]!.idle).toHaveLength(2);
    [all[0]!.state, all[1]!.state] = ['gone', 'primary'];
    hosts.distrust();
    await hosts.connect();
    expect(all.map(({ asked }) => asked)).toEqual([3, 1]);
    expect(all[0]!.destroyed).toBe(1);
  });

  it('none that takes writes: what each one said, to be tried again', async () => {
    const error = await failureOf(new Hosts(servers('gone', 'standby', 'wrong password'), true, WAITS));
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors.map((one: Error) => one.message)).toEqual([
      'connect ECONNREFUSED h1',
      'h2 is a standby, which takes no writes',
    ]);
  });

  it('what would fail in the same way for ever at each of them is told as it is', async () => {
    expect(await failureOf(new Hosts(servers('wrong password', 'wrong password'), true, WAITS))).toMatchObject({
      code: '28P01',
    });
  });
});

it('lesson 22: a single name that leads to a standby now isn’t read from', async () => {
  const all = servers('standby');
  const hosts = new Hosts(all, true, WAITS);
  expect(await failureOf(hosts)).toMatchObject({ message: 'h1 is a standby, which takes no writes' });
  all[0]!.state = 'primary';
  await hosts.connect();
});
