/** The laws that a run must keep, each with what was found: what the servers said, held against what the log proves. */
import type { Told } from './answers.ts';
import type { Left } from './evidence.ts';
import type { Proof } from './proof.ts';
import type { RaceResult } from './race.ts';

export interface Law {
  readonly name: 'answers' | 'resent' | 'places' | 'oversold' | 'winners' | 'rebuilt' | 'chain' | 'race';
  readonly ok: boolean;
  /** One sentence. */
  readonly found: string;
}

/** In so many rounds for each server, one without a win shows that there was no race; in fewer it may be chance. */
const ROUNDS_TO_WIN = 50;

/** What was asked for. */
interface Asked {
  readonly rounds: number;
  /** How many of each service must have been sold. */
  readonly sales: number;
}

export function judge(asked: Asked, result: RaceResult, { evidence, folded, verification }: Proof): readonly Law[] {
  const told = [...result.answers.told];
  const wins = winsByServer(result);
  const { problems, position, hash } = verification;

  const missing = told.filter(([id, said]) => !agrees(said, evidence.commands.get(id)));
  const extra = [...evidence.commands.keys()].filter((id) => !result.answers.told.has(id));
  const unmade = told.filter(([, { reason }]) => reason === 'ERROR');
  const answers = [
    ...missing.map(([id]) => `${id} was answered otherwise than the log says`),
    ...extra.map((id) => `${id} is in the log, but nobody was told`),
    ...unmade.map(([id, { reason }]) => `${id} ended in ${reason}`),
  ];
  const resent = told.filter(([, { sent }]) => sent > 1);
  const unlike = told.filter(([, { fresh, contradicted }]) => fresh !== 1 || contradicted);
  const unlikeWins = [...wins].filter(([server, count]) => count !== (evidence.wins.get(server) ?? 0));
  const strangers = [...evidence.wins.keys()].filter((server) => !wins.has(server));
  const different = result.digests.filter(
    ({ digests }) => digests.length !== folded.length || digests.some((digest, index) => digest !== folded[index]),
  );
  const { meetings, reports } = result;
  const winless = mustWin(asked.rounds, reports.length) ? [...wins].filter(([, won]) => won === 0) : [];
  const unraced = [
    ...(meetings.rounds === 0 ? ['no two servers were ever at work at once'] : []),
    ...(meetings.rounds > 0 && meetings.conflicts === 0 ? ['the servers never met in a conflict'] : []),
    ...winless.map(([server]) => `${server} never won in ${count(asked.rounds, 'round')}`),
  ].map((fault) => `${fault}: this was no race`);

  return [
    law('answers', answers, `each of ${count(told.length, 'command')} left the outcome that was told, in the log`),
    law(
      'resent',
      unlike.map(([id]) => `${id} was not stored once and answered alike`),
      resent.length === 0
        ? 'no command was sent twice'
        : `${count(resent.length, 'command')} sent again: answered alike, stored once`,
    ),
    law(
      'places',
      evidence.uneven.map(({ service, sold }) => `${service} was sold ${sold} times, not ${asked.sales}`),
      `${count(asked.rounds, 'service')}, each sold exactly ${asked.sales === 1 ? 'once' : `${number(asked.sales)} times`}`,
    ),
    law(
      'oversold',
      evidence.oversold > 0 ? [`${count(evidence.oversold, 'place')} sold that nobody had`] : [],
      'no place in the whole log was sold that nobody had (asked by SQL)',
    ),
    law(
      'winners',
      [
        ...unlikeWins.map(([server, wins]) => `${server} says ${wins} wins, the log ${evidence.wins.get(server) ?? 0}`),
        ...strangers.map((server) => `${server} has wins in the log, but is no server`),
      ],
      `${[...wins].map(([server, wins]) => `${server} ${number(wins)}`).join(', ')}, in the log too`,
    ),
    law(
      'rebuilt',
      different.map(({ name }) => `${name} holds other documents than the events fold to`),
      `${count(folded.length, 'document')} folded again from event 1: what ${result.digests.length === 1 ? 'the server holds' : 'every server holds'}`,
    ),
    law(
      'chain',
      problems.map(({ message }) => message.replace(/\.$/, '')),
      `${count(verification.commits, 'commit')} to position ${number(position)} hold together, and ${count(verification.documents, 'document')} with them; hash ${hash.slice(0, 12)}…`,
    ),
    law(
      'race',
      reports.length < 2 ? [] : unraced,
      reports.length < 2
        ? 'one server: nobody to meet'
        : `the servers were at work at once in ${count(meetings.rounds, 'round')}, and met there in ${count(meetings.conflicts, 'conflict')}`,
    ),
  ];
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

function agrees(said: Told, left: Left | undefined): boolean {
  return (
    left !== undefined &&
    left.events > 0 &&
    left.position === said.position &&
    left.reason === said.reason &&
    left.server === said.server
  );
}

const FAULTS_SHOWN_MAX = 3;

function law(name: Law['name'], faults: readonly string[], sound: string): Law {
  if (faults.length === 0) return { name, ok: true, found: sound };
  const more = faults.length > FAULTS_SHOWN_MAX ? `; and ${number(faults.length - FAULTS_SHOWN_MAX)} more` : '';
  return { name, ok: false, found: faults.slice(0, FAULTS_SHOWN_MAX).join('; ') + more };
}

function count(amount: number, what: string): string {
  return `${number(amount)} ${what}${amount === 1 ? '' : 's'}`;
}

/** 12345 → 12,345 */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}
