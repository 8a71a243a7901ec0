/** A command on its way: what the caller of `execute` passed, checked and completed. */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { InvalidInput, UnknownCommand } from '../errors.ts';
import { abortSignal, listOf, optionsOf, type Checks } from '../limits.ts';
import { findCommand, type CommandDefinition } from '../model/command.ts';
import { reading } from '../model/foreign.ts';
import { idFault, idOption, timedId } from '../model/id.ts';
import { assertIds, plainInput, validInput } from '../model/input.ts';
import { canonicalJson } from '../model/json.ts';
import type { CommandFacts } from '../store/store.ts';
import type { Core } from './core.ts';
import type { Document } from './document.ts';
import { reloadedText } from './reloaded.ts';
import { unknownCollection } from './working-set.ts';

/** What may be said about a command besides its input. */
export interface ExecuteOptions {
  /**
   * The command's id: sent again with it, the command isn't executed again but answered, at once from the ledger or with what
   * comes of it while it is on its way. A UUID v7 if not given.
   */
  readonly id?: string | undefined;
  /** Who asks. Recorded, part of the fingerprint, seen by `decide`. */
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
  /** Whether the caller gave the id: only then can the ledger know it. */
  readonly named: boolean;
  /**
   * Why its input is refused. Only of a named one, which an earlier release may have executed: whoever has it asks the ledger
   * first, and never executes it.
   */
  readonly refusal: unknown;
  readonly signal: AbortSignal | undefined;
  readonly unchanged: readonly Pick<Document<unknown>, 'collection' | 'id' | 'version'>[];
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
  const { actor, correlation, causation, signal, unchanged = [] } = given;
  for (const { collection } of unchanged) if (!core.collections.has(collection)) throw unknownCollection(collection);
  const id = given.id ?? timedId(core.runtime.now(), core.runtime.randomBytes());
  const plain = plainInput(definition, raw);
  const text = canonicalJson({ actor, input: plain, name: definition.name });
  const named = given.id !== undefined;
  let input: unknown;
  let refusal: unknown;
  try {
    input = acceptedInput(core, definition, plain, text);
  } catch (error) {
    if (!named) throw error;
    refusal = error;
  }
  const fingerprint = hash('sha256', text, 'hex');
  const facts = { id, name: definition.name, fingerprint, actor, correlation, causation };
  return { command: definition, facts, input, named, refusal, signal, unchanged };
}

const EXECUTE: Checks<ExecuteOptions> = {
  id: idOption,
  actor: idOption,
  correlation: idOption,
  causation: idOption,
  signal: abortSignal,
  unchanged: listOf((document, refuse) => {
    const { collection, id, version } = (document ?? {}) as Partial<Document<unknown>>;
    if (typeof collection !== 'string') return refuse('must hold documents that get returned');
    const fault = idFault(id);
    if (fault) refuse(`holds a document whose id ${fault}`);
    if (!Number.isSafeInteger(version) || version! < 0) refuse('holds a document without its version');
    return { collection, id: id!, version: version! };
  }),
};

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
 * The input as the schema gives it. `text` is the canonical JSON of name, actor and raw input, whose SHA-256 a repeated id
 * must match: no newer schema changes that.
 */
function acceptedInput(core: Core, definition: CommandDefinition, plain: unknown, text: string): unknown {
  const { name } = definition;
  const { inputBytesMax: max } = core.limits;
  if (text.length > max || Buffer.byteLength(text) > max) {
    throw new InvalidInput(`Command ${name}: the input is over ${max} bytes long.`, { command: name, path: '', max });
  }
  const input = validInput(definition, plain);
  assertIds(core.membership.attacher, definition, input);
  return input;
}
