/** Append: the batch goes to `append_v1` in one call, and its answer is read. */
import { hasCode, LogCorrupt } from '../../../errors.ts';
import { refuseTimesAhead, timeOf } from '../../clock.ts';
import type { Appended, Batch, Commit, DocumentEvent, Judged, LogEnd, StoredAt } from '../../store.ts';
import type { Parameter, Query, Row, Value } from '../connecting/connection.ts';
import { encoded } from './encode.ts';
import type { Encoded } from './encode.ts';
import { GENESIS_HASH } from '../../chain.ts';
import type { KnownDocuments, Learned } from './known.ts';
import { documentEvent } from '../reading/load.ts';
import { corrupt } from '../../corrupt.ts';
import { call } from '../functions.ts';
import type { Settings } from '../connecting/options.ts';
import type { SynchronousCommit } from '../connecting/synchronous-commit.ts';
import { hash, numbers, whole } from '../values.ts';

/** Who appends, and how. */
export interface Sender {
  /** Of the session: 128 random bits, as a UUID. */
  readonly session: string;
  readonly fence: number;
  readonly lockTimeoutMs: number;
  readonly synchronousCommit: SynchronousCommit | undefined;
  readonly clock: Settings['clock'];
}

/**
 * Nothing was stored, because the session has raised its fence since, or because the log isn't the one that it knows
 * documents of: to be sent again.
 */
export const AGAIN = { status: 'again' } as const;

export type Append = (query: Query, batch: Batch, sender: Sender, known: KnownDocuments) => Promise<Answered>;

export interface Answered {
  readonly appended: Appended | typeof AGAIN;
  /** To be called once what was stored is committed: `known` learns from it. */
  readonly learn?: () => void;
}

const PARAMETERS = 47;
const HASH_DIGITS = 64;

export function appender(schema: string): Append {
  const append = call(
    schema,
    'append_v1',
    PARAMETERS,
    `status, end_position, end_recorded_at, pg_catalog.encode(end_hash, 'hex'), heads, document_ids,
      pg_catalog.encode(hashes, 'hex'), stale, stale_events, duplicates, clock, fallen`,
  );

  return async (query, batch, sender, known) => {
    const { now, aheadMs } = sender.clock;
    const sent = encoded(batch, { now: now && timeOf(now), aheadMs }, known);
    const parameters: readonly Parameter[] = [
      sender.session,
      String(sender.fence),
      String(sender.lockTimeoutMs),
      sender.synchronousCommit ?? null,
      ...sent.parameters,
    ];
    const [row] = await query(append, parameters);
    const [status, ...answer] = row!;
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
        refuseTimesAhead(standing(batch, answer), endBefore(answer).recordedAt, clockOf(answer), aheadMs);
        break;
      default:
    }
    throw new LogCorrupt(`The function append_v1 answers ${status}, which it never does. Restore it as it was made.`, {
      status,
    });
  };
}

/** The commits that didn’t fall. */
function standing({ commits }: Batch, answer: Row): readonly Commit[] {
  const fallen = new Set(numbers(answer[10]));
  return fallen.size === 0 ? commits : commits.filter((_, index) => !fallen.has(index + 1));
}

/** What the clock said that the database went by. */
function clockOf(answer: Row): number {
  return whole(answer[9], 'a time');
}

function endBefore([position, recordedAt, bytes]: Row): LogEnd {
  if (position === '0') return { position: 0, hash: GENESIS_HASH, recordedAt: 0 };
  return {
    position: whole(position, 'the end of the log'),
    hash: hash(bytes, { position }),
    recordedAt: whole(recordedAt, 'a time', { position }),
  };
}

/** Positions, times and versions follow from where the log ended, by the same rules that the database stored them by. */
function stored(batch: Batch, sent: Encoded, answer: Row, known: KnownDocuments): Answered {
  const before = endBefore(answer);
  const heads = numbers(answer[3]);
  const hashes = answer[5] ?? '';
  const fallen = new Set(numbers(answer[10]));
  if (hashes.length !== (batch.commits.length - fallen.size) * HASH_DIGITS)
    throw corrupt('append_v1 gives too few hashes');
  const now = clockOf(answer);
  const commits: (StoredAt | undefined)[] = [];
  const versions: number[] = [];
  // How many events were attached to each document, by its place.
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
      const place = sent.attachmentDocuments[attachment]!;
      const step = (steps[place - 1] ?? 0) + 1;
      steps[place - 1] = step;
      versions.push(heads[place - 1]! + step);
    }
  }
  return {
    appended: { status: 'stored', ...judged(batch, sent, answer), end, commits, versions },
    learn: () => known.learn(before, end, learned(sent, heads, answer[4], steps)),
  };
}

/** The documents of a batch that was stored, with their heads after it. */
function learned(
  { documents, told }: Encoded,
  heads: readonly number[],
  ids: Value | undefined,
  steps: readonly number[],
): Learned[] {
  // Nearly always all of them were known.
  const answered = told.includes(undefined) ? numbers(ids) : [];
  return documents.flatMap(({ collection, id }, index) => {
    const document = told[index]?.document ?? answered[index]!;
    // One that was only read, or that fell, may not exist yet.
    return document > 0 ? [{ collection, id, document, head: heads[index]! + (steps[index] ?? 0) }] : [];
  });
}

type Missed = readonly [
  ordinal: number,
  version: number,
  position: number,
  type: string,
  schemaVersion: number,
  time: number,
  /** Null if the event was told before, with another document. */
  json: string | null,
];

/** What was missed of a document, up to what is damaged: what was stored is stored all the same. */
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

/** What stood in the way. */
function judged(batch: Batch, sent: Encoded, answer: Row): Omit<Judged, 'end'> {
  const known = numbers(answer[3]);
  const heads = sent.readDocuments.map((place) => known[place - 1]!);
  const missed = Map.groupBy(JSON.parse(answer[7] ?? '[]') as readonly Missed[], ([ordinal]) => ordinal);
  const texts = new Map<number, string>();
  const stale = numbers(answer[6]).map((ordinal) => {
    const { collection, id, version } = batch.reads[ordinal - 1]!;
    const events = missed.get(ordinal) ?? [];
    return {
      collection,
      id,
      head: heads[ordinal - 1]!,
      events: untilDamaged(events, version, texts),
    };
  });
  return { heads, stale, duplicates: numbers(answer[8]).map((ordinal) => batch.commits[ordinal - 1]!.command.id) };
}
