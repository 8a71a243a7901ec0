/**
 * Mutants that judge wrongly which commits of a batch fall, and those that leave something of them behind.
 */
import { ClockAhead } from '../../src/errors.ts';
import { CLOCK_AHEAD_MAX_MS, STALE_EVENTS_MAX } from '../../src/store/store.ts';
import type { Batch, Commit, DocumentRef, Session, StoredAt } from '../../src/store/store.ts';
import { resting } from '../../src/testing/conformance/batches.ts';
import { answersStored, head, mutant, recorded } from './mutant.ts';
import type { Defect, Mutant } from './mutant.ts';

/** What a judge knows: the rows that are lost so far, and the ids that are taken. */
interface Case {
  readonly batch: Batch;
  readonly lost: Set<number>;
  readonly taken: ReadonlySet<string>;
}

/** Which commits stand. */
type Judge = (known: Case) => readonly boolean[];

const key = ({ collection, id }: DocumentRef): string => `${collection} ${id}`;

/** The rows that a commit changes. */
function changes({ events }: Commit, { reads, handled }: Batch, isHandled = true): number[] {
  const changed = new Set(
    events.flatMap(({ type, attachments }) =>
      attachments.filter(({ collection }) => !isHandled || handled.get(collection)?.has(type)).map(key),
    ),
  );
  return [...reads.keys()].filter((row) => changed.has(key(reads[row]!)));
}

/** A judge that goes through the commits in order, and does something about each. */
const inOrder =
  (then: (stands: boolean, commit: Commit, known: Case) => void): Judge =>
  (known) =>
    known.batch.commits.map((commit) => {
      const stands = !known.taken.has(commit.command.id) && !commit.reads.some((row) => known.lost.has(row));
      then(stands, commit, known);
      return stands;
    });

const loses = ({ lost }: Case, rows: readonly number[]): void => rows.forEach((row) => lost.add(row));

/** As it should be: what the mutants differ from. */
export const soundly: Judge = inOrder((stands, commit, known) => {
  if (!stands) loses(known, changes(commit, known.batch));
});

/** A store that stores what the judge lets stand. */
export function judgedBy(judge: Judge): Defect {
  const appends = (sound: Pick<Session, 'append' | 'load' | 'ledger'>) => async (batch: Batch) => {
    const { end, documents } = await sound.load(
      batch.reads.map(({ collection, id, version }) => ({ collection, id, after: version })),
    );
    const isStale = (row: number): boolean =>
      documents[row]!.events.some(({ type }) => batch.handled.get(batch.reads[row]!.collection)?.has(type));
    const lost = new Set([...batch.reads.keys()].filter(isStale));
    const known = await sound.ledger(batch.commits.map(({ command }) => command.id));
    const taken = new Set(known.filter(({ final }) => final).map(({ command }) => command.id));
    const stands = judge({ batch, lost: new Set(lost), taken });
    if (lost.size + taken.size === 0) return sound.append(batch);
    const judged = {
      heads: documents.map((document) => document.head),
      stale: [...lost].map((row) => {
        const { collection, id } = batch.reads[row]!;
        const { head, events } = documents[row]!;
        return { collection, id, head, events: events.slice(0, STALE_EVENTS_MAX) };
      }),
      duplicates: batch.commits.map(({ command }) => command.id).filter((id) => taken.has(id)),
    };
    if (!stands.includes(true)) return { status: 'refused' as const, end, ...judged };
    const kept = batch.commits.filter((_, index) => stands[index]);
    const answer = await sound.append(resting({ ...batch, commits: kept }, () => false));
    if (answer.status !== 'stored') return answer;
    const places = [...answer.commits];
    return { ...answer, ...judged, commits: stands.map((stands) => (stands ? places.shift() : undefined)) };
  };
  return (sound) => ({
    append: appends(sound),
    exclusive: (work) => sound.exclusive((locked) => work({ ...locked, append: appends(locked) })),
  });
}

/** What was answered, with other places for what stands after something that fell. */
const replaced = (change: (at: StoredAt, fellBefore: readonly Commit[]) => StoredAt): Defect =>
  answersStored((stored, { commits }) => {
    const fell: Commit[] = [];
    const places = stored.commits.map((at, index) => {
      if (at) return change(at, fell);
      fell.push(commits[index]!);
      return undefined;
    });
    return { ...stored, commits: places };
  });

export const standing: readonly Mutant[] = [
  mutant(
    'lets stand what builds on a commit that fell',
    'what builds on a commit that fell',
    judgedBy(inOrder(() => undefined)),
  ),
  mutant(
    'fells what builds on a commit that fell, and not what builds on that',
    'what builds on a commit that fell',
    judgedBy(({ batch, lost, taken }) => {
      const stale = new Set(lost);
      return inOrder((stands, commit, known) => {
        const byItself = taken.has(commit.command.id) || commit.reads.some((row) => stale.has(row));
        if (!stands && byItself) loses(known, changes(commit, known.batch));
      })({ batch, lost, taken });
    }),
  ),
  mutant(
    'fells what came before as well',
    'what came before a commit that fell stands',
    judgedBy((known) => {
      // Until nothing changes.
      for (let before = -1; before < known.lost.size;) {
        before = known.lost.size;
        soundly(known);
      }
      return soundly(known);
    }),
  ),
  mutant(
    'fells what builds on any attachment',
    'an event that its document doesn’t handle makes no commit fall',
    judgedBy(
      inOrder((stands, commit, known) => {
        if (!stands) loses(known, changes(commit, known.batch, false));
      }),
    ),
  ),
  mutant(
    'lets stand what builds on a duplicate',
    'what builds on a commit that falls also falls, whatever its outcome and the reason',
    judgedBy(
      inOrder((stands, commit, known) => {
        if (!stands && !known.taken.has(commit.command.id)) loses(known, changes(commit, known.batch));
      }),
    ),
  ),
  mutant(
    'lets stand what builds on a failure',
    'what builds on a commit that falls also falls, whatever its outcome and the reason',
    judgedBy(
      inOrder((stands, commit, known) => {
        if (!stands && commit.outcome === 'succeeded') loses(known, changes(commit, known.batch));
      }),
    ),
  ),
  mutant(
    'takes what was written without a read for good',
    'a commit that attaches without reading stands, and takes the next version',
    judgedBy(
      inOrder((stands, commit, known) => {
        const rows = changes(commit, known.batch);
        if (!stands) loses(known, rows);
        else for (const row of rows) known.lost.delete(row);
      }),
    ),
  ),
  mutant(
    'fells whoever writes to what is lost',
    'a commit that attaches without reading stands, and takes the next version',
    judgedBy((known) =>
      known.batch.commits.map((commit) => {
        const rows = changes(commit, known.batch);
        const touches = [...commit.reads, ...rows].some((row) => known.lost.has(row));
        const stands = !known.taken.has(commit.command.id) && !touches;
        if (!stands) loses(known, rows);
        return stands;
      }),
    ),
  ),
  mutant(
    'stores all or nothing',
    'a commit falls that rests on what is stale, and no other',
    judgedBy((known) => {
      const stands = soundly(known);
      return stands.map(() => !stands.includes(false));
    }),
  ),
  mutant('stores the first event of what falls', 'a commit that falls leaves nothing behind', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status !== 'stored') return answer;
      const fell = batch.commits
        .filter((_, index) => !answer.commits[index])
        .map((commit) => Object.assign({}, commit, { events: commit.events.slice(0, 1) }));
      const { seen } = batch;
      if (fell.length > 0) await sound.append(resting({ ...batch, seen, commits: fell }, () => false));
      return answer;
    },
  })),
  mutant(
    'leaves a gap for what falls',
    'versions are counted over what stands',
    replaced((at, fell) => ({ ...at, position: at.position + fell.flatMap(({ events }) => events).length })),
  ),
  mutant(
    'counts versions of what fell',
    'versions are counted over what stands',
    answersStored((stored, { commits }) => {
      const fell = commits.filter((_, index) => !stored.commits[index]);
      const lost = fell.flatMap(({ events }) => events.flatMap(({ attachments }) => attachments)).length;
      return { ...stored, versions: stored.versions.map((version) => version + lost) };
    }),
  ),
  mutant('records as late as what fell', 'the chain and the times are those of what stands', (sound) => {
    let late = 0;
    const { append, ...rest } = recorded(({ recordedAt }) => Math.max(recordedAt, late))(sound);
    return {
      ...rest,
      append: (batch) => {
        late = Math.max(...batch.commits.map(({ time }) => time));
        return append!(batch);
      },
    };
  }),
  mutant('looks at the clock of what falls', 'a clock that is ahead is an error where the commit stands', (sound) => ({
    append: async (batch) => {
      if (batch.commits.some(({ time }) => time > Date.now() + CLOCK_AHEAD_MAX_MS))
        throw new ClockAhead('A commit was decided ahead of the clock, or so it seems.', {});
      return sound.append(batch);
    },
  })),
  mutant(
    'tells of no duplicate but where nothing else is in the way',
    'every duplicate and every stale document is named, also where a commit falls for another reason',
    (sound) => ({
      append: async (batch) => {
        const answer = await sound.append(batch);
        if (answer.status !== 'stored' && answer.status !== 'refused') return answer;
        return answer.stale.length > 0 ? { ...answer, duplicates: [] } : answer;
      },
    }),
  ),
  mutant('answers heads after what was stored of a batch', 'what came before a commit that fell stands', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status !== 'stored' || !answer.commits.includes(undefined)) return answer;
      return { ...answer, heads: await Promise.all(batch.reads.map((read) => head(sound, read))) };
    },
  })),
];
