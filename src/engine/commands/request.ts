/** A command on its way: what the caller of `execute` passed, checked and completed. */
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
import { reloadedText } from '../not-given.ts';
import { unknownCollection } from '../not-given.ts';

/** What may be said about a command besides its input. */
export interface ExecuteOptions {
  /**
   * The command's id: sent again with it, the command isn't executed again but answered, at once from the ledger or with what
   * comes of it while it is on its way. A UUID v7 if not given.
   */
  readonly id?: string | undefined;
  /**
   * Who asks. Recorded, part of the fingerprint, seen by `decide`. Actors take turns where many commands wait; without one,
   * those of each command do.
   */
  readonly actor?: string | undefined;
  /** What it belongs to. Recorded. */
  readonly correlation?: string | undefined;
  /** What led to it: an event's or command's id. Recorded. */
  readonly causation?: string | undefined;
  /**
   * Gives up waiting. Nothing comes of a command that isn't decided yet, be it prepared, in the queue, or waiting for the
   * documents that it reads; one that is decided is stored all the same.
   */
  readonly signal?: AbortSignal | undefined;
  /** Refuses the command (`Conflict`, nothing recorded) if one of these documents has changed since it was read. */
  readonly unchanged?: readonly Pick<Document<unknown>, 'collection' | 'id' | 'version'>[] | undefined;
}

export interface Request {
  readonly command: CommandDefinition;
  readonly facts: CommandFacts;
  /** As the schema gave it, frozen. */
  readonly input: unknown;
  /** Bytes of name, actor and raw input, as they are fingerprinted. */
  readonly bytes: number;
  /** Whether the caller gave the id: only then can the ledger know it. */
  readonly named: boolean;
  /**
   * Why its input is refused. Only of a named one, which an earlier release may have executed: whoever has it asks the ledger
   * first, and never executes it.
   */
  readonly refusal: unknown;
  readonly signal: AbortSignal | undefined;
  readonly unchanged: readonly DocumentVersion[];
}

/**
 * Checks what was passed to `execute`. What is wrong with the input of a command whose id was given is in `refusal`.
 *
 * @throws UnknownCommand, InvalidInput, AsyncSchema; nothing is recorded then
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
  const plain = plainInput(definition, raw, copiedBytesMax(core, named));
  const text = canonicalJson({ actor, input: plain, name: definition.name });
  const bytes = Buffer.byteLength(text);
  let input: unknown;
  let refusal: unknown;
  try {
    input = acceptedInput(core, definition, plain, bytes);
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
  // What is in it is looked at once its length is known to be within the limit.
  unchanged: (value, refuse) =>
    Array.isArray(value) ? (value as NonNullable<ExecuteOptions['unchanged']>) : refuse('must be an array'),
};

const NONE: Request['unchanged'] = Object.freeze([]);

/** A copy of the documents in `unchanged`, each of them looked at once. */
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
  const documents: DocumentVersion[] = [];
  for (let index = 0; index < length; index += 1) {
    const { collection, id, version } = (given[index] ?? {}) as Partial<DocumentVersion>;
    if (typeof collection !== 'string') return refuse('must hold documents that get returned');
    const fault = idFault(id);
    if (fault) refuse(`holds a document whose id ${fault}`);
    if (!Number.isSafeInteger(version) || version! < 0) refuse('holds a document without its version');
    if (!core.collections.has(collection)) throw unknownCollection(collection);
    documents.push({ collection, id: id!, version: version! });
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

/**
 * How many bytes of an input are copied. One whose id was given needs its fingerprint, though it be too large now: it may
 * have been executed where more was allowed.
 */
function copiedBytesMax({ limits }: Core, named: boolean): number {
  return named ? Math.max(limits.inputBytesMax, DEFAULT_LIMITS.inputBytesMax) : limits.inputBytesMax;
}

/**
 * The input as the schema gives it. `bytes` are those of the canonical JSON of name, actor and raw input, whose SHA-256 a
 * repeated id must match: no newer schema changes that.
 */
function acceptedInput(core: Core, definition: CommandDefinition, plain: unknown, bytes: number): unknown {
  const { inputBytesMax: max } = core.limits;
  if (bytes > max) throw inputTooLarge(definition.name, max);
  const input = validInput(definition, plain);
  assertIds(core.membership.attacher, definition, input);
  return input;
}
