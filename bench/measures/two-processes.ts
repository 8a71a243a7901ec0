/** Two server processes on one file, against one: together, and each of them. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { LIMITS } from '../limits.ts';
import type { Bench, Figure } from '../bench.ts';
import { buy, median, openMarket, serviceId } from '../workload.ts';

interface Answer {
  readonly commands: number;
  readonly seconds: number;
  readonly errors: number;
}

export async function twoProcesses({ template, copyOf, ms, rounds }: Bench): Promise<Figure[]> {
  const alone: number[] = [];
  const together: number[] = [];
  const shares: number[] = [];
  let errors = 0;
  for (let round = 0; round < rounds; round += 1) {
    const [single] = await race(copyOf(template), 1, ms);
    const both = await race(copyOf(template), 2, ms);
    const rates = both.map(({ commands, seconds }) => commands / seconds);
    const sum = rates.reduce((total, rate) => total + rate, 0);
    alone.push(single!.commands / single!.seconds);
    together.push(sum);
    shares.push(Math.min(...rates) / sum);
    errors += both.reduce((total, one) => total + one.errors, single!.errors);
  }
  return [
    { name: 'one process on the file: commands/s', ours: median(alone) },
    { name: 'two processes on the file: commands/s', ours: median(together) },
    {
      name: 'two processes, of one',
      ratio: median(together.map((rate, index) => rate / alone[index]!)),
      atLeast: LIMITS.twoProcesses,
    },
    { name: "the slower process's share (worst run)", ratio: Math.min(...shares), atLeast: LIMITS.slowerShare },
    { name: 'errors that reached a caller', ours: errors, atMost: 0 },
  ];
}

const said = async (child: ChildProcess): Promise<unknown> => {
  const [message] = (await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])])) as [
    unknown,
  ];
  if (message === undefined) throw new Error('A server process ended early.');
  return message;
};

/** Starts servers, lets them begin at once, and waits for what they did. */
async function race(file: string, servers: number, ms: number): Promise<Answer[]> {
  const children = Array.from({ length: servers }, () =>
    fork(import.meta.filename, [file, String(ms)], { execArgv: process.execArgv }),
  );
  await Promise.all(children.map(said));
  const answers = children.map(said);
  for (const child of children) child.send('go');
  const all = (await Promise.all(answers)) as Answer[];
  await Promise.all(children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined)));
  return all;
}

/** Each server begins elsewhere. */
const pick = (n: number): string => serviceId(n * 7_919 + process.pid);

async function serve(file: string, ms: number): Promise<void> {
  const app = await openMarket(file);
  process.send!('ready');
  await once(process, 'message');
  let errors = 0;
  let done = { commands: 0, seconds: 1 };
  try {
    await buy(app, 64, ms, pick); // Warming up, in the same company.
    done = await buy(app, 64, ms, pick);
  } catch (error) {
    errors += 1;
    console.error(error);
  }
  await app.close();
  process.send!({ commands: done.commands, seconds: done.seconds, errors } satisfies Answer, () =>
    process.disconnect(),
  );
}

const [, program, file, ms] = process.argv;
if (program === import.meta.filename && file && process.send) await serve(file, Number(ms));
