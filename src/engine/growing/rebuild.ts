/**
 * Folding a collection's stored documents again. Of several calls, in one process or in many, one sees to it; the others wait for
 * it, and take what it found if it has replaced the documents.
 */
import { InvalidInput, NotWritable } from '../../errors.ts';
import type { AnyCollection } from '../../model/collection.ts';
import { abortSignal, optionsOf, type Check, type Checks } from '../../options.ts';
import type { Core } from '../core.ts';
import { Halt } from '../halt.ts';
import { knownCollection } from '../reading/get.ts';
import type { Reduction } from '../reduction/reduction.ts';
import type { Progress } from '../registry/readiness.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { Beats, noteOf, type Found } from './rebuild-note.ts';
import { Rebuilding, type Parts } from './rebuilding.ts';
import type { OnProgress } from './reporting.ts';

export interface RebuildOptions {
  /** Told how far it is, several times a second. What it throws, or rejects with, ends it, and nothing is changed. */
  readonly onProgress?: ((progress: Progress) => unknown) | undefined;
  /** Ends it: the signal's reason is thrown, and nothing is changed. */
  readonly signal?: AbortSignal | undefined;
  /** Compares only: the documents stay as they are. */
  readonly dryRun?: boolean | undefined;
}

/** What a rebuild found. */
export interface Rebuilt {
  /** Documents that were folded again. */
  readonly documents: number;
  /** How many came out different from what was stored. */
  readonly different: number;
  /** The first of these, by id: a version of 0 for one that isn't stored. */
  readonly examples: readonly { readonly id: string; readonly stored: number; readonly rebuilt: number }[];
  /** Whether the documents that were folded again have taken the place of the others. */
  readonly swapped: boolean;
}

/** How often it is looked how far others are, in milliseconds. */
const LOOK_MS = 50;
const isFlag: Check<boolean> = (value, refuse) =>
  typeof value === 'boolean' ? value : refuse('must be true or false');

const REBUILD: Checks<RebuildOptions> = {
  onProgress: (given, refuse) => (typeof given === 'function' ? (given as OnProgress) : refuse('must be a function')),
  signal: abortSignal,
  dryRun: isFlag,
};

/** @throws InvalidInput if an option is wrong; UnknownCollection */
export async function rebuild(
  core: Core,
  reduction: Reduction,
  given: AnyCollection,
  options: RebuildOptions | undefined,
): Promise<Rebuilt> {
  const collection = knownCollection(core, given);
  const {
    onProgress = () => undefined,
    signal,
    dryRun = false,
  } = optionsOf<RebuildOptions>('rebuild', options, REBUILD, InvalidInput);
  if (core.session.readOnly) throw openedForReading(collection.name);
  // It may have ended: then this server is outdated, or the store went back.
  if (!reduction.isRunning) throw reduction.stopped()?.error ?? notReducing(collection.name);
  const halt = new Halt([signal, core.closing.signal]);
  await halt.orElse(() => core.readiness.ready(collection.name, core.closing.signal));
  const parts = { core, reduction, collection, halt };
  const rebuilding = new Rebuilding(parts, onProgress);
  try {
    return await rebuilt(parts, rebuilding, dryRun);
  } catch (error) {
    // When the application is closed, another server goes on with it, or the next that is opened.
    if (!core.closing.signal.aborted) await rebuilding.drop();
    throw error;
  }
}

/** Sees to it, or waits for whoever does. */
async function rebuilt(
  { core, reduction, collection, halt }: Parts,
  rebuilding: Rebuilding,
  isDryRun: boolean,
): Promise<Rebuilt> {
  const { runtime, untilClosed, watermark } = core;
  /** Whoever is at one that is as good as one of its own. */
  let joined: string | undefined;
  const beats = new Beats(runtime.elapsed());
  for (;;) {
    halt.assertGoing();
    const { id } = core.membership.own.get(collection.name)!.definition;
    const definition = (await untilClosed.registry()).definitions.find((one) => one.id === id);
    // Should it be gone, that is what this throws.
    await refreshMembership(core, untilClosed);
    if (!definition) continue;
    const note = noteOf(definition);
    if (definition.rebuilt === undefined) {
      if (joined !== undefined && note?.by === joined && note.found) return ended(note.found, true);
      const found = (await rebuilding.begin(id, isDryRun)) ? await rebuilding.work() : undefined;
      if (found) return ended(found, !isDryRun);
      continue;
    }
    joined = isDryRun || !note || note.isDryRun || note.isTaken ? undefined : note.by;
    // One of its own does what that one was for.
    if (!isDryRun && beats.isLeft(definition, runtime.elapsed())) await rebuilding.dropLeft(definition);
    rebuilding.tell('folding', reduction.placeOf(definition.rebuilt), watermark.seen.position);
    await halt.orElse(() => runtime.sleep(LOOK_MS, core.closing.signal));
  }
}

function ended(found: Found, swapped: boolean): Rebuilt {
  return Object.freeze({ ...found, swapped });
}

function openedForReading(collection: string): NotWritable {
  return new NotWritable(
    `rebuild makes the documents of ${collection} again, and the log was opened for reading (readOnly): nothing was changed. Call it ` +
      'on an application that may write.',
    { collection, readOnly: true },
  );
}

function notReducing(collection: string): InvalidInput {
  return new InvalidInput(
    `rebuild folds ${collection} in the background, and this application was opened with reduction: 'off'. Call it where reduction is 'background'.`,
    { collection, path: 'reduction' },
  );
}
