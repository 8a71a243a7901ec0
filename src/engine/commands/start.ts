/** Starts the commands of a batch, and brings in the documents that they will ask for. */
import type { CommandDefinition } from '../../model/command.ts';
import { decide, foresee, type CommandCall, type Deciding, type Decision, type Rules } from '../../model/decide.ts';
import type { AnyRef } from '../../model/reads.ts';
import { readOf } from '../../model/reduce.ts';
import type { DocumentRef } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Entry } from './entry.ts';
import { WAITS_MAX } from './late.ts';
import { Stint } from './stint.ts';
import type { WorkingSet } from './working-set.ts';

export interface Started {
  readonly entry: Entry;
  readonly asked: CommandCall;
  readonly deciding: Deciding;
  first: IteratorResult<readonly AnyRef[], Decision>;
}

export interface Refusal {
  readonly entry: Entry;
  readonly error: unknown;
}

/** The part of the time for deciding that starting may use. */
const START_PART = 0.5;

// Commands that have read in more than one stage: their later stages are worth fetching ahead.
export const staged = new WeakSet<CommandDefinition>();

export interface Begun {
  readonly time: number;
  readonly stint: Stint;
  readonly started: readonly Started[];
  readonly refused: Refusal[];
  /** Entries that weren't started: those before them ask for as many documents as a batch may, or took long. */
  readonly left: readonly Entry[];
}

/** Starts the entries, at the later of the clock and the newest time seen in the log. */
export function startAll(core: Core, entries: readonly Entry[], rules: Rules, until: number, part: number): Begun {
  const stint = new Stint(core, until);
  const time = Math.max(core.runtime.now(), core.watermark.seen.recordedAt);
  const begun = { time, stint, started: [] as Started[], refused: [] as Refusal[], left: [] as Entry[] };
  let [asked, tried] = [0, 0];
  for (const entry of entries) {
    if (entry.settled) continue;
    const isFull = asked >= core.limits.batchReadsMax * part || (tried > 0 && stint.isOver(START_PART * part));
    if (begun.left.length > 0 || isFull) {
      begun.left.push(entry);
      continue;
    }
    tried += 1;
    const one = start(entry, time, rules, begun.refused);
    entry.batchPart += stint.part();
    if (!one) continue;
    begun.started.push(one);
    asked += entry.request.unchanged.length + (one.first.done ? 0 : one.first.value.length);
  }
  return begun;
}

/** Runs a command up to its first stage of reads, which depends only on the input. */
function start(entry: Entry, time: number, rules: Rules, refused: Refusal[]): Started | undefined {
  const { command, facts, input } = entry.request;
  const asked: CommandCall = { command, input, id: facts.id, time, actor: facts.actor, prepared: entry.prepared };
  const deciding = decide(asked, rules);
  try {
    return { entry, asked, deciding, first: deciding.next() };
  } catch (error) {
    // An earlier release may have executed one whose id was given.
    if (entry.request.named || entry.inDoubt) refused.push({ entry, error });
    else entry.reject(error);
    return undefined;
  }
}

/** Whether a document of its was loaded several times and pushed out of the cache: then the batch waits for it. */
export function isToBeWhole({ waited }: Entry): boolean {
  if (waited) for (const times of waited.times.values()) if (times >= WAITS_MAX) return true;
  return false;
}

/** Brings in documents: each stage, of the whole batch, in one call to the store. */
export async function fetchAhead(
  core: Core,
  working: WorkingSet,
  { started, stint }: Begun,
  rules: Rules,
): Promise<void> {
  const wanted: DocumentRef[] = [];
  const wantedAll: DocumentRef[] = [];
  for (const { entry, first } of started) {
    if (entry.waited) working.offer(entry.waited.brought);
    const into = isToBeWhole(entry) ? wantedAll : wanted;
    for (const document of entry.request.unchanged) {
      working.expect(document);
      into.push(document);
    }
    if (!first.done) for (const ref of known(core, first.value)) into.push(ref);
  }
  if (wantedAll.length > 0) await stint.wait(working.bring(wantedAll, { all: true }));
  await stint.wait(working.bring(wanted, { all: false }));
  let asked = wantedAll.length + wanted.length;
  let ahead: { readonly entry: Entry; readonly stages: ReturnType<typeof foresee>; step: Foreseen }[] = [];
  for (const { entry, first, asked } of started) {
    if (first.done || !staged.has(asked.command) || stint.isOver(START_PART)) continue;
    const stages = foresee(asked, rules);
    ahead.push({ entry, stages, step: stages.next() });
    entry.batchPart += stint.part();
  }
  for (;;) {
    ahead = ahead.filter(({ step }) => !step.done && step.value.every((ref) => usable(working, ref)));
    if (ahead.length === 0) return;
    const next: DocumentRef[] = [];
    for (const one of ahead) {
      // The rest of the time is for deciding.
      if (asked >= core.limits.batchReadsMax || stint.isOver(START_PART) || stint.hasWaited) return;
      one.step = one.stages.next(
        (one.step.value as readonly AnyRef[]).map((ref) => readOf(ref.id, working.find(ref)!.now)),
      );
      one.entry.batchPart += stint.part();
      if (one.step.done) continue;
      asked += one.step.value.length;
      for (const ref of known(core, one.step.value)) next.push(ref);
    }
    await stint.wait(working.bring(next, { all: false }));
  }
}

type Foreseen = ReturnType<ReturnType<typeof foresee>['next']>;

/** The refs of collections that the application was given. */
export function known(core: Core, refs: readonly AnyRef[]): readonly AnyRef[] {
  const isKnown = ({ collection }: AnyRef): boolean => core.collections.has(collection);
  return refs.every(isKnown) ? refs : refs.filter(isKnown);
}

function usable(working: WorkingSet, ref: AnyRef): boolean {
  const found = working.find(ref);
  return found !== undefined && found.error === undefined;
}
