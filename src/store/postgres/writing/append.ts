/** Sends a batch to `append_v1` in one call, and reads its answer. */
import { hasCode, LogCorrupt } from '../../../errors.ts';
import { GENESIS_HASH } from '../../chain.ts';
import { refuseTimesAhead, timeOf } from '../../clock.ts';
import { corrupt } from '../../corrupt.ts';
import type { Appended, Batch, DocumentEvent, Judged, LogEnd, StoredAt } from '../../store.ts';
import type { Settings } from '../connecting/options.ts';
import type { Calls } from '../functions.ts';
import { documentEvent } from '../reading/load.ts';
import { bounded, hash, numbers, whole } from '../values.ts';
import { answerOf, appendCall, appendParameters, type AppendAnswer } from './append-parameters.ts';
import { encoded, type Encoded, type SessionValues } from './encode.ts';
import { KnownDocuments, type Learned } from './known.ts';

/** Who appends, and how. */
export interface AppendSettings extends Pick<Settings, 'lockTimeoutMs' | 'synchronousCommit' | 'clock'> {
  /** The session's id: 128 random bits, as a UUID. */
  readonly session: string;
}

/**
 * Nothing was stored, because the session has raised its fence meanwhile, or because the log isn't the one whose documents it
 * knows. The batch must be sent again.
 */
export const AGAIN = { status: 'again' } as const;

export interface Answered {
  readonly appended: Appended | typeof AGAIN;
  /** To be called once the batch is committed: `known` learns from it. */
  readonly learn?: () => void;
}

const HASH_DIGITS = 64;

export class Appender {
  readonly #call: string;
  readonly #settings: AppendSettings;

  constructor(schema: string, settings: AppendSettings) {
    this.#call = appendCall(schema);
    this.#settings = settings;
  }

  /** `known`: what the session knows of documents; nothing if the answer may still be rolled back. */
  async append(query: Calls, batch: Batch, fence: number, known = new KnownDocuments()): Promise<Answered> {
    known.enter(batch.generation);
    const sent = encoded(batch, known, this.#values(fence));
    const [row] = await query(this.#call, appendParameters(sent.values));
    const answer = answerOf(row!);
    const { status } = answer;
    switch (status) {
      case 'stored':
        return stored(batch, sent, answer, known);
      case 'refused':
        return { appended: { status: 'refused', ...judged(batch, sent, answer), end: endBefore(answer) } };
      case 'replaced':
        known.forget();
        return { appended: AGAIN };
      case 'fenced':
        return { appended: AGAIN };
      case 'diverged':
      case 'behind':
        return { appended: { status } };
      case 'ahead':
        this.#refuse(batch, answer);
        break;
      default:
    }
    const message = `The function append_v1 answers ${status}, which it never does. Restore it as it was made.`;
    throw new LogCorrupt(message, { status });
  }

  /** @throws ClockAhead */
  #refuse({ commits }: Batch, answer: AppendAnswer): void {
    const fallen = new Set(numbers(answer.fallen));
    const standing = commits.filter((_, index) => !fallen.has(index + 1));
    const { aheadMs } = this.#settings.clock;
    refuseTimesAhead(standing, endBefore(answer).recordedAt, whole(answer.now, 'a time'), aheadMs);
  }

  #values(fence: number): SessionValues {
    const { session, lockTimeoutMs, synchronousCommit, clock } = this.#settings;
    return {
      session,
      fence,
      lock_timeout: String(lockTimeoutMs),
      durability: synchronousCommit,
      clock: clock.now && timeOf(clock.now),
      ahead_ms: Math.floor(bounded(clock.aheadMs)),
    };
  }
}

function endBefore({ end_position, end_recorded_at, end_hash }: AppendAnswer): LogEnd {
  if (end_position === '0') return { position: 0, hash: GENESIS_HASH, recordedAt: 0 };
  const position = whole(end_position, 'the end of the log');
  return {
    position,
    hash: hash(end_hash, { position }),
    recordedAt: whole(end_recorded_at, 'a time', { position }),
  };
}

/** Positions, times and versions follow from the end of the log before, by the rules of `append_v1`. */
function stored(batch: Batch, sent: Encoded, answer: AppendAnswer, known: KnownDocuments): Answered {
  const before = endBefore(answer);
  const heads = numbers(answer.heads);
  const hashes = answer.hashes ?? '';
  const fallen = new Set(numbers(answer.fallen));
  if (hashes.length !== (batch.commits.length - fallen.size) * HASH_DIGITS)
    throw corrupt('append_v1 gives too few hashes');
  const now = whole(answer.now, 'a time');
  const commits: (StoredAt | undefined)[] = [];
  const versions: number[] = [];
  // The number of events attached to each document, by its place.
  const steps: number[] = [];
  let end = before;
  let [attachment, hashed] = [0, 0];
  for (const [index, { time, events }] of batch.commits.entries()) {
    let next = attachment;
    for (const event of events) next += event.attachments.length;
    if (fallen.has(index + 1)) {
      commits.push(undefined);
      attachment = next;
      continue;
    }
    const hash = hashes.slice(hashed, (hashed += HASH_DIGITS));
    const recordedAt = Math.max(now, time, end.recordedAt);
    commits.push({ position: end.position + 1, recordedAt, hash });
    end = { position: end.position + events.length, hash, recordedAt };
    for (; attachment < next; attachment += 1) {
      const place = sent.values.attachment_documents[attachment]!;
      const step = (steps[place - 1] ?? 0) + 1;
      steps[place - 1] = step;
      versions.push(heads[place - 1]! + step);
    }
  }
  return {
    appended: { status: 'stored', ...judged(batch, sent, answer), end, commits, versions },
    learn: () => known.learn(before, end, learned(sent, heads, answer, steps)),
  };
}

/** The documents of a batch that was stored, with their heads after it. */
function learned(
  { documents, numbered }: Encoded,
  heads: readonly number[],
  { document_numbers }: AppendAnswer,
  steps: readonly number[],
): Learned[] {
  // Nearly always all numbers were known.
  const answered = numbered.includes(undefined) ? numbers(document_numbers) : [];
  return documents.flatMap(({ collection, id }, index) => {
    const number = numbered[index]?.number ?? answered[index]!;
    // A document that was only read, or whose commit fell, may not exist.
    return number > 0 ? [{ collection, id, number, head: heads[index]! + (steps[index] ?? 0) }] : [];
  });
}

type Missed = readonly [
  ordinal: number,
  version: number,
  position: number,
  type: string,
  schemaVersion: number,
  time: number,
  /** Null if it came before, with another document. */
  json: string | null,
];

/** The missed events of a document, up to a damaged one: that must not hide what was stored. */
function untilDamaged(missed: readonly Missed[], version: number, texts: Map<number, string>): DocumentEvent[] {
  const events: DocumentEvent[] = [];
  for (const [, ...event] of missed) {
    const values = event.map((value) => (value === null ? null : String(value)));
    try {
      events.push(documentEvent(values, version + events.length + 1, texts));
    } catch (error) {
      if (!hasCode(error, 'LogCorrupt')) throw error;
      break;
    }
  }
  return events;
}

/** What was in the way of the batch. */
function judged(batch: Batch, sent: Encoded, answer: AppendAnswer): Omit<Judged, 'end'> {
  const ofDocuments = numbers(answer.heads);
  const heads = sent.readDocuments.map((place) => ofDocuments[place - 1]!);
  const missed = Map.groupBy(JSON.parse(answer.stale_events ?? '[]') as readonly Missed[], ([ordinal]) => ordinal);
  const texts = new Map<number, string>();
  const stale = numbers(answer.stale).map((ordinal) => {
    const { collection, id, version } = batch.reads[ordinal - 1]!;
    const events = missed.get(ordinal) ?? [];
    return { collection, id, head: heads[ordinal - 1]!, events: untilDamaged(events, version, texts) };
  });
  const duplicates = numbers(answer.duplicates).map((ordinal) => batch.commits[ordinal - 1]!.command.id);
  return { heads, stale, duplicates };
}
