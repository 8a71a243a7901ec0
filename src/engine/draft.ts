/** Drafting a batch: decides commands one after the other, each on the state its predecessors left. */
import { Closed, Conflict, HistoryDiverged, ReducerFailed, StoreUnavailable, UpcastFailed } from '../errors.ts';
import type { CommandDefinition } from '../model/command.ts';
import {
  contended,
  decide,
  errored,
  foresee,
  type Asked,
  type Deciding,
  type Decision,
  type Rules,
} from '../model/decide.ts';
import type { AnyRef } from '../model/reads.ts';
import { commitDigest } from '../store/chain.ts';
import type { Batch, Commit, Session } from '../store/store.ts';
import type { Core } from './core.ts';
import { readOf } from './document.ts';
import type { Entry } from './entry.ts';
import { unknownCollection, WorkingSet, type Working } from './working-set.ts';

/** A batch ready to be sent, and what is needed to answer its callers. */
export interface Draft {
  readonly batch: Batch;
  readonly working: WorkingSet;
  /** In the order of the batch's commits and of its reads. */
  readonly drafted: readonly Drafted[];
  readonly reads: readonly Working[];
  /** Entries that didn't fit any more. */
  readonly left: readonly Entry[];
}

export interface Drafted {
  readonly entry: Entry;
  readonly decision: Decision;
  readonly time: number;
}

export interface DraftOptions {
  /** Bring cached documents up to date first. */
  readonly fresh: boolean;
  /** Others outran these commands this often: record that instead of deciding. */
  readonly contendedAfter?: number | undefined;
}

interface Started {
  readonly entry: Entry;
  readonly asked: Asked;
  readonly deciding: Deciding;
  first: IteratorResult<readonly AnyRef[], Decision>;
}

// Commands that were seen to ask in more than one stage: their later stages are worth fetching ahead.
const staged = new WeakSet<CommandDefinition>();

/**
 * Decides the entries. Those that turn out to be no command (a conflict with `unchanged`, an id in the input that is
 * none) are rejected here; undefined if none is left.
 *
 * @throws StoreUnavailable, HistoryDiverged from loading
 */
export async function draftBatch(
  core: Core,
  io: Pick<Session, 'load'>,
  entries: readonly Entry[],
  { fresh, contendedAfter }: DraftOptions,
): Promise<Draft | undefined> {
  const { generation, attacher } = core.membership;
  const rules: Rules = { events: core.events, attacher, limits: core.limits };
  const { seen } = core.watermark;
  const time = Math.max(core.runtime.now(), seen.recordedAt);
  const working = new WorkingSet(core, io, fresh);
  const started = entries.flatMap((entry) => start(entry, time, rules, contendedAfter));
  await fetchAhead(core, working, started);

  const drafted: Drafted[] = [];
  let bytes = 0;
  let left: readonly Entry[] = [];
  for (const [index, one] of started.entries()) {
    const rests = new Set<Working>();
    let decision: Decision | undefined;
    try {
      await checkUnchanged(one.entry, working, rests);
      decision = await finish(one, working, core, rests);
    } catch (error) {
      if (concernsAll(error)) throw error;
      one.entry.reject(error);
      continue;
    }
    const size = decision.events.reduce((sum, event) => sum + event.bytes, 0);
    if (drafted.length > 0 && bytes + size > core.limits.batchBytesMax) {
      left = started.slice(index).map(({ entry }) => entry);
      break;
    }
    bytes += size;
    try {
      working.commit(decision.events, time);
    } catch (error) {
      // An event that a document it rests on can't take in would make that document unreadable: it isn't stored.
      decision = errored(one.asked, error, rules);
      working.commit(decision.events, time);
    }
    for (const document of rests) document.read = true;
    drafted.push({ entry: one.entry, decision, time });
  }
  if (drafted.length === 0) return undefined;
  const reads = [...working.documents].filter(({ read }) => read);
  const batch: Batch = {
    seen,
    generation,
    handled: core.handled,
    reads: reads.map(({ collection, id, stored }) => ({ collection: collection.name, id, version: stored.version })),
    commits: drafted.map(commitOf),
  };
  return { batch, working, drafted, reads, left };
}

/** Runs a command up to its first stage of reads, which rests on the input alone. */
function start(entry: Entry, time: number, rules: Rules, contendedAfter: number | undefined): Started[] {
  const { command, facts, input } = entry.request;
  const asked: Asked = { command, input, id: facts.id, time, actor: facts.actor, prepared: entry.prepared };
  if (contendedAfter !== undefined) {
    const deciding = decide(asked, rules);
    return [{ entry, asked, deciding, first: { done: true, value: contended(asked, contendedAfter, rules) } }];
  }
  const deciding = decide(asked, rules);
  try {
    return [{ entry, asked, deciding, first: deciding.next() }];
  } catch (error) {
    entry.reject(error);
    return [];
  }
}

/** Brings in what the commands will ask for: each stage, over the whole batch, in one call to the store. */
async function fetchAhead(core: Core, working: WorkingSet, started: readonly Started[]): Promise<void> {
  const known = (refs: readonly AnyRef[]): readonly AnyRef[] =>
    refs.filter((ref) => core.collections.has(ref.collection));
  await working.bring(
    started.flatMap(({ entry, first }) => [...(first.done ? [] : known(first.value)), ...entry.request.unchanged]),
  );
  let ahead = started
    .filter(({ asked, first }) => !first.done && staged.has(asked.command))
    .map(({ asked }) => {
      const stages = foresee(asked);
      return { stages, step: stages.next() };
    });
  for (;;) {
    ahead = ahead.filter(({ step }) => !step.done && step.value.every((ref) => usable(working, ref)));
    if (ahead.length === 0) return;
    for (const one of ahead) {
      one.step = one.stages.next(
        (one.step.value as readonly AnyRef[]).map((ref) => readOf(ref.id, working.find(ref)!.now)),
      );
    }
    await working.bring(ahead.flatMap(({ step }) => (step.done ? [] : known(step.value))));
  }
}

function usable(working: WorkingSet, ref: AnyRef): boolean {
  const found = working.find(ref);
  return found !== undefined && found.error === undefined;
}

async function checkUnchanged({ request }: Entry, working: WorkingSet, rests: Set<Working>): Promise<void> {
  for (const document of request.unchanged) {
    const found = working.find(document)!;
    if (found.error !== undefined) throw found.error;
    if (found.now.changed > document.version) {
      const { collection, id, version } = document;
      throw new Conflict(
        `Command ${request.command.name}: ${collection} ${JSON.stringify(id)} has changed since version ${version}. Nothing was recorded: read it again, and decide again.`,
        { collection, id, version, changed: found.now.changed },
      );
    }
    rests.add(found);
  }
}

/** Runs a started command to its decision, on the batch's state. */
async function finish(
  { asked, deciding, first }: Started,
  working: WorkingSet,
  core: Core,
  rests: Set<Working>,
): Promise<Decision> {
  let step = first;
  for (let stage = 1; !step.done; stage += 1) {
    if (stage === 2) staged.add(asked.command);
    const refs = step.value;
    const stranger = refs.find(({ collection }) => !core.collections.has(collection));
    if (stranger) {
      step = deciding.throw(unknownCollection(stranger.collection));
      continue;
    }
    await working.bring(refs);
    const found = refs.map((ref) => working.find(ref)!);
    const broken = found.find(({ error }) => error !== undefined);
    if (broken) {
      // The user's code that fails is recorded; a log that this code is too old for, or a damaged one, is not.
      const { error } = broken;
      if (!(error instanceof ReducerFailed || error instanceof UpcastFailed)) throw error;
      step = deciding.throw(error);
      continue;
    }
    for (const document of found) rests.add(document);
    step = deciding.next(found.map(({ id, now }) => readOf(id, now)));
  }
  return step.value;
}

/** What concerns the whole batch: the store is away, or isn't what it was. Anything else is one caller's to hear. */
function concernsAll(error: unknown): boolean {
  return error instanceof StoreUnavailable || error instanceof HistoryDiverged || error instanceof Closed;
}

function commitOf({ entry, decision, time }: Drafted): Commit {
  const { outcome, final, reason, details, events } = decision;
  const commit = { command: entry.request.facts, outcome, final, reason, details, time, events };
  return { ...commit, digest: commitDigest(commit) };
}
