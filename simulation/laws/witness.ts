/**
 * The witness of a run: takes in the log commit by commit as it grows, and what callers and readers were told, and judges
 * both by the laws. The tests with fast-check and the simulation have the same one.
 */
import type { DocumentVersion, Outcome } from 'tidemark';
import { chainHash, commitDigest, GENESIS_HASH } from '../../src/store/chain.ts';
import type { Fields } from '../domain/user-code.ts';
import { checkError, checkOutcome, type Circumstances } from './answers.ts';
import { attachments, liveOf, type Live, type Registered } from './attach.ts';
import { holds, LawBroken, same } from './broken.ts';
import { checkDecision } from './decisions.ts';
import { checkReading } from './readings.ts';
import { looksAtSets, type Call, type Logged, type Reading } from './records.ts';
import { Timeline } from './timeline.ts';

interface WitnessOptions extends Circumstances {
  /** Whether all servers are of one process, on one store: then they know what of each other is on its way. */
  readonly together: boolean;
}

/** When a commit was stored. */
interface ClockSpan {
  /** What the store's clock said: between these. */
  readonly from: number;
  readonly to: number;
  /** However wrong clocks are, the log's time isn't later than this. */
  readonly latest: number;
}

export class Witness {
  readonly #options: WitnessOptions;
  readonly #calls = new Map<string, Call>();
  /** Those that may still be on their way, and what of the same id was when a call was asked. */
  readonly #underway = new Set<Call>();
  readonly #beside = new WeakMap<Call, readonly Call[]>();
  /** Command id → the commits under it, in order. */
  #attempts = new Map<string, Logged[]>();
  /** What a log that went back has lost: who was answered before was right then. */
  readonly #lost: Logged[] = [];
  timeline: Timeline;
  era = 0;
  /** Servers that have seen what the log has lost, and the hash of the last of it: they must notice. */
  readonly #doomed = new Map<string, string>();

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.timeline = new Timeline(options.shape);
  }

  /** Before it is sent: the log may show it before the caller is answered. */
  asks(call: Call): void {
    this.#calls.set(call.token, call);
    const near = ({ id, server }: Call): boolean =>
      id !== undefined && id === call.id && (this.#options.together || server === call.server);
    this.#beside.set(call, [...this.#underway].filter(near));
    this.#underway.add(call);
  }

  /**
   * The next commit of the log. Where it isn't known by which registry it was stored, `earlier` is what that was before.
   *
   * @throws LawBroken
   */
  takes(logged: Logged, registered: Registered, clock: ClockSpan, earlier = registered): void {
    const { commit, events } = logged;
    const { timeline } = this;
    const where = (): string => `the commit at ${commit.position}`;
    holds(3, commit.position === timeline.length + 1, () => `${where()} follows position ${timeline.length}`);
    holds(
      2,
      events.length === commit.eventCount && events.length > 0,
      () => `${where()} has ${events.length} of ${commit.eventCount} events`,
    );
    events.forEach(({ position }, index) => same(3, position, commit.position + index, where));
    const least = Math.max(commit.time, timeline.recordedAt, clock.from);
    const most = Math.max(commit.time, timeline.recordedAt, clock.to);
    const { recordedAt } = commit;
    holds(
      3,
      least <= recordedAt && recordedAt <= most,
      () => `${where()} was recorded at ${recordedAt}, not from ${least} to ${most}`,
    );
    holds(
      'clock',
      recordedAt <= clock.latest,
      () => `${where()} was recorded at ${recordedAt}, later than any clock may drag the log along: ${clock.latest}`,
    );
    const previous = timeline.commits.at(-1)?.commit.hash ?? GENESIS_HASH;
    const link = chainHash(previous, commit.position, commit.recordedAt, commitDigest({ ...commit, events }));
    same(9, commit.hash, link, () => `the hash of ${where()}`);
    timeline.knows(registered);
    this.#checkAttachments(logged, registered);
    const call = this.#checkIdentity(logged);
    this.#checkDecision(call, logged, registered, earlier);
    this.#keeps(logged);
  }

  #checkDecision(call: Call, logged: Logged, registered: Registered, earlier: Registered): void {
    const { shape } = this.#options;
    if (earlier !== registered) {
      try {
        return checkDecision(this.timeline, { shape, registered: earlier }, call, logged);
      } catch (error) {
        if (!(error instanceof LawBroken)) throw error;
      }
    }
    checkDecision(this.timeline, { shape, registered }, call, logged);
  }

  /** A call was answered. @throws LawBroken */
  answered(asked: Call): void {
    const { era } = this;
    const call = Object.assign(asked, { live: this.#stillLive(asked) });
    // Who gave up left it on its way.
    if (!call.aborted) this.#underway.delete(call);
    const beside = this.#beside.get(call) ?? [];
    if (call.outcome) {
      // Whoever asks for the same id while it is on its way is told what its first sender is told.
      const first = Math.min(call.era, ...beside.map((one) => one.era));
      this.#mustNotice({ server: call.server, era: first }, 'executed a command');
      const logged = this.#find(call.outcome, first < era);
      checkOutcome(this.#options, this.timeline, call, call.outcome, logged, beside, (of) => this.#callOf(of));
    } else if (call.error !== undefined) {
      const known = [...this.timeline.commits, ...this.#lost];
      // What a log that went back says of a call from before can't be judged by the log that there is now.
      if (call.era < era && !isUnexplained(call.error)) return;
      checkError(this.#options, this.timeline, call, known, beside, (of) => this.#callOf(of));
    }
  }

  /** Something was read. Readings that span two eras are nobody's to judge. @throws LawBroken */
  read(asked: Reading): void {
    const reading = { ...asked, live: this.#stillLive(asked) };
    // Another keying has come in the place of one that was retired: it may have been either.
    if ([...asked.live].some(([name, keying]) => this.timeline.keyingOf(asked.release, name)?.name !== keying)) return;
    // A server notices by what it reads of the log.
    const mustNotice = !looksAtSets(reading) && !('error' in reading && reading.error !== undefined);
    if (mustNotice) this.#mustNotice(reading, `answered ${reading.kind}`);
    if (reading.kind === 'status' && this.#wasEnd(reading.status)) return;
    if (reading.era === this.era && reading.endEra === this.era) checkReading(this.timeline, reading);
  }

  /** What has come to the registry. */
  knows(registered: Registered): void {
    this.timeline.knows(registered);
  }

  /** Without what was retired meanwhile: then events may be told without its documents. */
  #stillLive({ live, release }: Call | Reading): Live {
    const now = liveOf(this.timeline.registered, this.#options.shape, release);
    return new Map([...live].filter(([name, keying]) => now.get(name) === keying));
  }

  /** What was lost may be the last that a server was told: by an answer that was on its way when the store went back. */
  #wasEnd(status: { readonly position: number; readonly hash: string } | undefined): boolean {
    return this.#lost.some(
      ({ commit: { position, eventCount, hash } }) =>
        position + eventCount - 1 === status?.position && hash === status.hash,
    );
  }

  /** The store went back in time, to this position. What was lost may be answered to those who asked before. */
  wentBack(position: number, servers: readonly { readonly name: string; readonly seen: number }[]): void {
    const all = this.timeline.commits;
    this.#lost.push(...all.filter(({ commit }) => commit.position > position));
    this.era += 1;
    const { registered } = this.timeline;
    this.timeline = new Timeline(this.#options.shape);
    this.timeline.knows(registered);
    this.#attempts = new Map();
    for (const logged of all) if (logged.commit.position <= position) this.#keeps(logged);
    for (const { name, seen } of servers) {
      const last = all.findLast(({ commit }) => commit.position <= seen);
      if (last && seen > position && !this.#doomed.has(name)) this.#doomed.set(name, last.commit.hash);
    }
  }

  #keeps(logged: Logged): void {
    const { id } = logged.commit.command;
    this.#attempts.set(id, [...(this.#attempts.get(id) ?? []), logged]);
    this.timeline.add(logged);
  }

  #callOf({ commit }: Logged): Call | undefined {
    return this.#calls.get(commit.command.causation ?? '');
  }

  /** Whether it has seen what the log doesn't hold. The same commits may have been stored once more, at the same moment. */
  isDoomed(server: string): boolean {
    const hash = this.#doomed.get(server);
    return hash !== undefined && !this.timeline.commits.some(({ commit }) => commit.hash === hash);
  }

  /** A server that has seen what is lost answers nobody who asks after that (law 9). */
  #mustNotice({ server, era }: Pick<Call, 'server' | 'era'>, what: string): void {
    holds(
      9,
      era < this.era || !this.isDoomed(server),
      () => `${server} ${what} on a store that no longer holds what it has seen`,
    );
  }

  /** The commit that an outcome is of; a lost one only for who asked before it was lost. */
  #find({ position, events }: Outcome, also: boolean): Logged | undefined {
    const now = this.timeline.commitAt(position);
    const ending = [...(now ? [now] : []), ...(also ? this.#lost : [])].filter(
      ({ commit }) => commit.position + commit.eventCount - 1 === position,
    );
    const [first] = events;
    const own = ending.filter(({ commit }) => commit.command.causation === first?.command.causation);
    // Sent again after it was lost, a command may be stored at the same position once more.
    return own.find(({ commit }) => commit.time === first?.time) ?? own[0] ?? ending[0];
  }

  /** Versions are dense for each document, and the keys find the documents. */
  #checkAttachments({ events }: Logged, registered: Registered): void {
    const heads = new Map<string, number>();
    for (const { type, json, position, attachments: recorded } of events) {
      const found = attachments(registered, { type, ...(JSON.parse(json) as object) } as Fields, position);
      const expected = found.map(({ keyed, id }) => {
        const version = (heads.get(`${keyed.name} ${id}`) ?? this.timeline.headOf(keyed, id)) + 1;
        heads.set(`${keyed.name} ${id}`, version);
        return { collection: keyed.name, id, version };
      });
      // Whose collections come first is a matter of what the server calls them.
      // To keyings that are being filled it is attached when it is their turn.
      const live = new Set(registered.keyings.filter(({ isLive }) => isLive).map(({ name }) => name));
      const told = recorded.filter(({ collection }) => live.has(collection));
      // A log that went back keeps how far a keying was filled: what is stored there now may be attached as it is stored, in its order.
      if (this.era > 0) for (const list of [told, expected]) list.sort(byId);
      same(4, byKeying(told), byKeying(expected), () => `the attachments of the event at ${position}`);
    }
  }

  /** One outcome for each command: nothing stands in the log that nobody asked for, and nothing final twice. */
  #checkIdentity(logged: Logged): Call {
    const { command, final, position } = logged.commit;
    const call = this.#callOf(logged);
    if (!call) throw new LawBroken(1, `nobody asked for the commit at ${position} (${JSON.stringify(command)})`);
    this.#mustNotice(call, `stored a commit at ${position}`);
    const { id, actor, command: name } = call;
    same(
      1,
      { name: command.name, actor: command.actor },
      { name, actor },
      () => `the command of the commit at ${position}`,
    );
    holds(
      1,
      id === undefined || command.id === id,
      () => `${call.token} of the id ${id} was stored under ${command.id}`,
    );
    const another = !final && this.#options.doubts.has(call.token);
    holds(
      'errors',
      another || mayStillCome(call),
      () => `${call.token} was told ${String(call.error)}, and then stored at ${position}`,
    );
    const before = this.#attempts.get(command.id) ?? [];
    holds(
      1,
      before.every(({ commit }) => !commit.final),
      () => `the command ${command.id} has an outcome at ${before.at(-1)?.commit.position}, and another at ${position}`,
    );
    const own = before.filter(({ commit }) => commit.command.causation === call.token);
    // An outcome that isn't final, sent again in doubt, may be there twice: each was a try.
    holds(
      1,
      own.length === 0 || this.#options.doubts.has(call.token),
      () =>
        `${call.token} was stored at ${own[0]?.commit.position}, and again at ${position}${final ? '' : ' (not final)'}`,
    );
    holds(
      3,
      logged.commit.time >= call.seenTime,
      () => `${call.token} was decided at ${logged.commit.time}, before ${call.seenTime}, which its server had seen`,
    );
    return call;
  }
}

/** Whether a call may be stored after it was answered: it gave up, or was told that nobody knows. */
function mayStillCome({ error, aborted }: Call): boolean {
  if (error === undefined || aborted === true) return true;
  const { code, details } = error as { code?: string; details?: { unknown?: unknown } };
  return (code === 'StoreUnavailable' && details?.unknown === true) || code === 'HistoryDiverged';
}

const compared = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

const byId = (one: { readonly id: string }, other: { readonly id: string }): number =>
  Buffer.compare(Buffer.from(one.id), Buffer.from(other.id));

function byKeying(attachments: readonly DocumentVersion[]): readonly DocumentVersion[] {
  return [...attachments].sort((one, other) => compared(one.collection, other.collection));
}

/** Whether an error is none of ours. */
function isUnexplained(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code !== 'string' && (error as Error).name !== 'AbortError';
}
