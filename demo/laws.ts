/** The laws that a run must keep, each with its result: the answers of the servers are compared with the log. */
import type { Answered } from './answers.ts';
import type { Left } from './evidence.ts';
import type { Proof } from './proof.ts';
import type { RaceResult } from './race.ts';

export interface Law {
  readonly name: keyof typeof LAWS;
  readonly ok: boolean;
  /** One sentence. */
  readonly found: string;
}

/** With so many rounds for each server, a server without a win shows that there was no race. With fewer it may be chance. */
const ROUNDS_TO_WIN = 50;
const FAULTS_SHOWN_MAX = 3;

/** A run: its plan, its results, and what the log says. */
interface Run {
  readonly rounds: number;
  /** How many of each service must have been sold. */
  readonly sales: number;
  readonly result: RaceResult;
  readonly proof: Proof;
}

/** What is wrong, and the text if nothing is. */
interface Finding {
  readonly faults: readonly string[];
  readonly sound: string;
}

const LAWS = {
  answers({ result, proof }: Run): Finding {
    const { told } = result.answers;
    const { commands } = proof.evidence;
    return {
      faults: [
        ...ids(told, (said, id) => !agrees(said, commands.get(id)), 'was answered otherwise than the log says'),
        ...ids(commands, (_, id) => !told.has(id), 'is in the log, but nobody was told'),
        ...ids(told, ({ reason }) => reason === 'ERROR', 'ended in ERROR'),
      ],
      sound: `each of ${count(told.size, 'command')} left the outcome that was told, in the log`,
    };
  },

  resent({ result: { answers } }: Run): Finding {
    const resent = [...answers.told.values()].filter(({ sent }) => sent > 1);
    return {
      faults: ids(
        answers.told,
        ({ fresh, contradicted }) => fresh !== 1 || contradicted,
        'was not stored once and answered alike',
      ),
      sound:
        resent.length === 0
          ? 'no command was sent twice'
          : `${count(resent.length, 'command')} sent again: answered alike, stored once`,
    };
  },

  places({ rounds, sales, proof }: Run): Finding {
    return {
      faults: proof.evidence.uneven.map(({ service, sold }) => `${service} was sold ${sold} times, not ${sales}`),
      sound: `${count(rounds, 'service')}, each sold exactly ${sales === 1 ? 'once' : `${number(sales)} times`}`,
    };
  },

  oversold({ proof: { evidence } }: Run): Finding {
    return {
      faults: evidence.oversold > 0 ? [`${count(evidence.oversold, 'place')} sold beyond what there were`] : [],
      sound: 'no service in the whole log was sold more often than it had places (asked by SQL)',
    };
  },

  winners({ result, proof }: Run): Finding {
    const wins = winsByServer(result);
    const inLog = proof.evidence.wins;
    const unlike = [...wins].filter(([server, won]) => won !== (inLog.get(server) ?? 0));
    const strangers = [...inLog.keys()].filter((server) => !wins.has(server));
    return {
      faults: [
        ...unlike.map(([server, won]) => `${server} says ${won} wins, the log ${inLog.get(server) ?? 0}`),
        ...strangers.map((server) => `${server} has wins in the log, but is no server`),
      ],
      sound: `${[...wins].map(([server, won]) => `${server} ${number(won)}`).join(', ')}, in the log too`,
    };
  },

  rebuilt({ result, proof: { folded } }: Run): Finding {
    const same = (digests: readonly string[]): boolean =>
      digests.length === folded.length && digests.every((digest, index) => digest === folded[index]);
    const different = result.digests.filter(({ digests }) => !same(digests));
    const holders = result.digests.length === 1 ? 'the server holds' : 'every server holds';
    return {
      faults: different.map(({ name }) => `${name} holds other documents than the events fold to`),
      sound: `${count(folded.length, 'document')} folded again from event 1: what ${holders}`,
    };
  },

  stored({ proof: { folded, stored } }: Run): Finding {
    const different = folded.filter((digest, index) => digest !== stored[index]).length;
    return {
      faults: different > 0 ? [`${count(different, 'stored document')} not as the events fold`] : [],
      sound: `${count(stored.length, 'document')} found by queries: what the events fold to`,
    };
  },

  chain({ proof: { verification } }: Run): Finding {
    const { problems, commits, position, documents, hash } = verification;
    const walked = `${count(commits, 'commit')} to position ${number(position)} hold together`;
    return {
      faults: problems.map(({ message }) => message.replace(/\.$/, '')),
      sound: `${walked}, and ${count(documents, 'document')} with them; hash ${hash.slice(0, 12)}…`,
    };
  },

  race({ rounds, result }: Run): Finding {
    const { meetings, reports } = result;
    if (reports.length < 2) return { faults: [], sound: 'one server: nobody to meet' };
    const winless = mustWin(rounds, reports.length) ? [...winsByServer(result)].filter(([, won]) => won === 0) : [];
    const faults = [
      ...(meetings.rounds === 0 ? ['no two servers were ever at work at once'] : []),
      ...(meetings.rounds > 0 && meetings.conflicts === 0 ? ['the servers never met in a conflict'] : []),
      ...winless.map(([server]) => `${server} never won in ${count(rounds, 'round')}`),
    ];
    const [together, met] = [count(meetings.rounds, 'round'), count(meetings.conflicts, 'conflict')];
    return {
      faults: faults.map((fault) => `${fault}: this was no race`),
      sound: `the servers were at work at once in ${together}, and met there in ${met}`,
    };
  },
};

export function judge(expected: Pick<Run, 'rounds' | 'sales'>, result: RaceResult, proof: Proof): readonly Law[] {
  const run = { ...expected, result, proof };
  return (Object.keys(LAWS) as Law['name'][]).map((name) => {
    const { faults, sound } = LAWS[name](run);
    if (faults.length === 0) return { name, ok: true, found: sound };
    const more = faults.length > FAULTS_SHOWN_MAX ? `; and ${number(faults.length - FAULTS_SHOWN_MAX)} more` : '';
    return { name, ok: false, found: faults.slice(0, FAULTS_SHOWN_MAX).join('; ') + more };
  });
}

/** Whether there were so many rounds that each server must have won some. */
export function mustWin(rounds: number, servers: number): boolean {
  return servers > 1 && rounds >= ROUNDS_TO_WIN * servers;
}

/** Places sold, by the server that said so first. */
export function winsByServer({ answers, reports }: RaceResult): ReadonlyMap<string, number> {
  const wins = new Map(reports.map(({ name }) => [name, 0]));
  for (const { server, sold } of answers.told.values()) {
    if (sold && server !== undefined) wins.set(server, (wins.get(server) ?? 0) + 1);
  }
  return wins;
}

/** For each command with the problem: its id and what is wrong. */
function ids<Of>(commands: ReadonlyMap<string, Of>, holds: (of: Of, id: string) => boolean, fault: string): string[] {
  return [...commands].filter(([id, of]) => holds(of, id)).map(([id]) => `${id} ${fault}`);
}

function agrees(said: Answered, left: Left | undefined): boolean {
  return (
    left !== undefined &&
    left.events > 0 &&
    left.position === said.position &&
    left.reason === said.reason &&
    left.server === said.server
  );
}

function count(amount: number, what: string): string {
  return `${number(amount)} ${what}${amount === 1 ? '' : 's'}`;
}

/** 12345 → 12,345 */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}
