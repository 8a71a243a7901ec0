/** Answers commands from the ledger: one that was executed before isn't executed again (law 1). */
import { LogCorrupt } from '../../errors.ts';
import type { StoredCommit } from '../../store/store.ts';
import type { BatchCalls } from './for-batch.ts';
import { concernsAll } from '../outage.ts';
import type { Core } from '../core.ts';
import { stillInDoubt } from './doubt.ts';
import type { Draft, Drafted } from './draft.ts';
import type { Entry } from './entry.ts';
import { assertSame, replay } from './replay.ts';
import { resolveUnrecorded } from './settle.ts';

/** Refuses commands that can't be decided. One that was executed before gets its outcome, whatever has changed since. */
export async function refuseUnlessKnown(core: Core, io: BatchCalls, conflicts: Draft['conflicts']): Promise<void> {
  if (conflicts.length === 0) return;
  const outcomes = await finalOutcomes(io, conflicts);
  // The cache may be of a log that the store no longer holds.
  await core.watermark.look(io);
  for (const { entry, error } of conflicts) {
    const commit = outcomes.get(entry.id);
    if (commit) await answer(core, io, entry, commit);
    else entry.reject(error);
  }
}

/** Answers commands that record nothing; one that was executed before gets its earlier outcome. */
export async function answerUnrecorded(
  core: Core,
  io: BatchCalls,
  unrecorded: readonly Drafted[],
  positionOf: (drafted: Drafted) => number,
): Promise<void> {
  const outcomes = await finalOutcomes(io, unrecorded);
  for (const drafted of unrecorded) {
    const commit = outcomes.get(drafted.entry.id);
    if (drafted.entry.settled) continue;
    if (commit) await answer(core, io, drafted.entry, commit);
    else resolveUnrecorded(core, drafted, positionOf(drafted));
  }
}

/** The final commits of commands that the ledger may know. */
async function finalOutcomes(
  io: BatchCalls,
  asked: readonly { readonly entry: Entry }[],
): Promise<ReadonlyMap<string, StoredCommit>> {
  const entries = asked.map(({ entry }) => entry).filter(({ request, inDoubt }) => request.named || inDoubt);
  return ledgerOf(io, entries, ({ final }) => final);
}

/** The commits of entries' ids. Damage is told to the entry whose commit it is, and to no other. */
async function ledgerOf(
  io: BatchCalls,
  entries: readonly Entry[],
  isAsked: (commit: StoredCommit) => boolean,
): Promise<ReadonlyMap<string, StoredCommit>> {
  if (entries.length === 0) return new Map();
  try {
    const commits = await io.ledger(entries.map(({ id }) => id));
    return new Map(commits.filter(isAsked).map((commit) => [commit.command.id, commit]));
  } catch (error) {
    if (concernsAll(error)) throw error;
    if (entries.length === 1) {
      entries[0]!.reject(entries[0]!.inDoubt ? stillInDoubt(error) : error);
      return new Map();
    }
    const found: [string, StoredCommit][] = [];
    for (const entry of entries) found.push(...(await ledgerOf(io, [entry], isAsked)));
    return new Map(found);
  }
}

export async function answerKnown(core: Core, io: BatchCalls, entries: readonly Entry[]): Promise<void> {
  const asked = entries.filter(({ settled }) => !settled).map((entry) => ({ entry }));
  const outcomes = await finalOutcomes(io, asked);
  if (outcomes.size === 0) return;
  // What the ledger says counts as seen: later decisions come after it.
  await core.watermark.look(io);
  for (const entry of entries) {
    const commit = outcomes.get(entry.id);
    if (commit && !entry.settled) await answer(core, io, entry, commit);
  }
}

/** Answers entries that fell because the ledger has an outcome of theirs. */
export async function answerDuplicates(core: Core, io: BatchCalls, duplicates: readonly Entry[]): Promise<void> {
  const commits = await ledgerOf(io, duplicates, () => true);
  for (const entry of duplicates) {
    const { id } = entry;
    const commit = commits.get(id);
    if (commit?.final) await answer(core, io, entry, commit);
    else if (!entry.settled) {
      await core.watermark.look(io);
      const message = `The ledger refused the command id ${JSON.stringify(id)} but holds no outcome of it. Run verify.`;
      entry.reject(new LogCorrupt(message, { id }));
    }
  }
}

async function answer(core: Core, io: Pick<BatchCalls, 'read'>, entry: Entry, commit: StoredCommit): Promise<void> {
  try {
    assertSame(entry.request, commit.command);
    const outcome = await replay(core, commit, io);
    core.counters.commands += 1;
    core.counters.replayed += 1;
    const isOwn = entry.sentAfter !== undefined && commit.position > entry.sentAfter;
    entry.resolve(isOwn ? Object.freeze({ ...outcome, replayed: false }) : outcome);
  } catch (error) {
    entry.reject(entry.inDoubt ? stillInDoubt(error) : error);
  }
}
