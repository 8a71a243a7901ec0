/** A command on its way: what `execute` was given, checked and completed. */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { InvalidInput, UnknownCommand, type ErrorDetails } from '../../errors.ts';
import { DEFAULT_LIMITS } from '../../limits.ts';
import { abortSignal, optionsOf, type Checks } from '../../options.ts';
import { findCommand, type CommandDefinition } from '../../model/command.ts';
import { reading } from '../../model/foreign.ts';
import { idFault, idOption, timedId } from '../../model/id.ts';
import { assertIds, inputTooLarge, plainInput, validInput } from '../../model/input.ts';
import { canonicalJson } from '../../model/json.ts';
import type { CommandFacts, DocumentVersion } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Document } from '../reading/document.ts';
import { reloadedText, unknownCollection } from '../not-given.ts';

/** Options of a command besides its input. */
export interface ExecuteOptions {
  /**
   * The command's id. Sent again with it, the command isn't executed again: it gets its outcome from the ledger, or waits for it.
   * A UUID v7 if not given.
   */
  readonly id?: string | undefined;
  /**
   * Who asks. Recorded, part of the fingerprint, seen by `decide`. Where many commands wait, actors take turns; without actors
   * the kinds of commands do.
   */
  readonly actor?: string | undefined;
  /** The process or request that it belongs to. Recorded. */
  readonly correlation?: string | undefined;
  /** The id of the event or command that led to it. Recorded. */
  readonly causation?: string | undefined;
  /** Gives up waiting. A command that isn't decided yet comes to nothing; one that is decided is stored all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Refuses the command (`Conflict`, nothing recorded) if one of these documents has changed since it was read. */
  readonly unchanged?:
    | readonly (Pick<Document<unknown>, 'collection' | 'id' | 'version'> &
        Partial<Pick<Document<unknown>, 'definition'>>)[]
    | undefined;
}

export interface Request {
  readonly command: CommandDefinition;
  readonly facts: CommandFacts;
  /** As the schema gave it, frozen. */
  readonly input: unknown;
  /** Bytes of the fingerprinted text: name, actor and raw input. */
  readonly bytes: number;
  /** Whether the caller gave the id: only then can the ledger know it. */
  readonly named: boolean;
  /** Why the input of a named request is refused. An earlier release may have executed it, so the ledger is asked first. */
  readonly refusal: unknown;
  readonly signal: AbortSignal | undefined;
  readonly unchanged: readonly Unchanged[];
}

/**
 * Checks what was passed to `execute`. An error in the input of a command with a given id becomes its `refusal`.
 *
 * @throws UnknownCommand, InvalidInput, AsyncSchema; then nothing is recorded
 */
export function requestOf(core: Core, command: unknown, raw: unknown, options?: ExecuteOptions): Request {
  const definition = knownCommand(core, command);
  return reading('execute', () => checkedRequest(core, definition, raw, options), InvalidInput);
}

function checkedRequest(core: Core, definition: CommandDefinition, raw: unknown, options?: ExecuteOptions): Request {
  const given = optionsOf<ExecuteOptions>(`Command ${definition.name}`, options, EXECUTE, InvalidInput);
  const { actor, correlation, causation, signal } = given;
  const unchanged = given.unchanged === undefined ? NONE : checkedUnchanged(core, definition, given.unchanged);
  const id = given.id ?? timedId(core.runtime.now(), core.runtime.randomBytes());
  const named = given.id !== undefined;
  const { inputBytesMax: max } = core.limits;
  // A given id needs its fingerprint, even if the input is too large now: more may have been allowed when it was executed.
  const copiedMax = named ? Math.max(max, DEFAULT_LIMITS.inputBytesMax) : max;
  const plain = plainInput(definition, raw, copiedMax);
  // No newer schema changes the fingerprint of a repeated id: it is of the raw input.
  const text = canonicalJson({ actor, input: plain, name: definition.name });
  const bytes = Buffer.byteLength(text);
  let input: unknown;
  let refusal: unknown;
  try {
    if (bytes > max) throw inputTooLarge(definition.name, max);
    input = validInput(definition, plain);
    assertIds(core.membership.attacher, definition, input);
  } catch (error) {
    if (!named) throw error;
    refusal = error;
  }
  const fingerprint = hash('sha256', text, 'hex');
  const facts = { id, name: definition.name, fingerprint, actor, correlation, causation };
  return { command: definition, facts, input, bytes, named, refusal, signal, unchanged };
}

const EXECUTE: Checks<ExecuteOptions> = {
  id: idOption,
  actor: idOption,
  correlation: idOption,
  causation: idOption,
  signal: abortSignal,
  // Its items are checked once its length is known to be within the limit.
  unchanged: (value, refuse) =>
    Array.isArray(value) ? (value as NonNullable<ExecuteOptions['unchanged']>) : refuse('must be an array'),
};

/** A document that must not have changed. Its version counts by the key of its definition. */
export interface Unchanged extends DocumentVersion {
  readonly definition?: number | undefined;
}

const NONE: Request['unchanged'] = Object.freeze([]);

/** A copy of the documents in `unchanged`, each read once. */
function checkedUnchanged(
  core: Core,
  { name }: CommandDefinition,
  given: NonNullable<ExecuteOptions['unchanged']>,
): Request['unchanged'] {
  const refuse = (problem: string, details?: ErrorDetails): never => {
    throw new InvalidInput(`Command ${name}: the option unchanged ${problem}.`, { path: 'unchanged', ...details });
  };
  const { length } = given;
  const { commandReadsMax: max } = core.limits;
  if (length > max) {
    refuse(`holds ${length} documents; at most ${max} are allowed. Name those that the command depends on`, {
      documents: length,
      max,
    });
  }
  const documents: Unchanged[] = [];
  for (let index = 0; index < length; index += 1) {
    const { collection, id, version, definition } = (given[index] ?? {}) as Partial<Unchanged>;
    if (typeof collection !== 'string') return refuse('must hold documents that get returned');
    const fault = idFault(id);
    if (fault) refuse(`holds a document whose id ${fault}`);
    if (!Number.isSafeInteger(version) || version! < 0) refuse('holds a document without its version');
    if (!core.collections.has(collection)) throw unknownCollection(collection);
    if (definition !== undefined && !Number.isSafeInteger(definition))
      refuse('holds a document whose definition isn’t a number');
    documents.push({ collection, id: id!, version: version!, definition });
  }
  return documents;
}

function knownCommand(core: Core, command: unknown): CommandDefinition {
  const definition = findCommand(command);
  if (!definition) {
    throw new UnknownCommand('execute needs a command that domain(…).command(…) returned.', { given: typeof command });
  }
  if (core.commands.has(definition)) return definition;
  const { name } = definition;
  const reloaded = [...core.commands].some((known) => known.name === name);
  throw new UnknownCommand(
    reloaded ? reloadedText('command', name) : `The command ${name} was not given to open: add it to commands.`,
    { command: name, reloaded },
  );
}
