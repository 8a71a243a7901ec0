/** A command's input: plain JSON first, then what its schema makes of it. */
import { hasCode, InvalidInput } from '../errors.ts';
import type { Attacher } from './attach.ts';
import type { CommandDefinition } from './command.ts';
import { reading, thrown } from './foreign.ts';
import { describeFault, freezeWherePlain, plainCopy, type Copied } from './json.ts';
import { describeIssues, validate, type Validated } from './schema.ts';

/**
 * The plain input: a copy, so that what is fingerprinted is what is decided on, whatever the caller does to the object
 * meanwhile. A command without input may get undefined.
 *
 * @param max bytes of its JSON text that are allowed; it is refused here where it is larger by far
 * @throws InvalidInput if the raw input isn't plain JSON, or too large
 */
export function plainInput({ name }: CommandDefinition, raw: unknown, max: number): unknown {
  if (raw === undefined) return undefined;
  let copied: Copied;
  try {
    copied = plainCopy(raw, max);
  } catch (cause) {
    copied = { fault: { path: '', problem: `looking at it threw ${thrown(cause)}` }, over: false };
  }
  if ('copy' in copied) return copied.copy;
  if (copied.over) throw inputTooLarge(name, max);
  throw new InvalidInput(`Command ${name}: the input is not plain JSON: ${describeFault(copied.fault)}.`, {
    command: name,
    ...copied.fault,
  });
}

export function inputTooLarge(command: string, max: number): InvalidInput {
  return new InvalidInput(`Command ${command}: the input is over ${max} bytes long.`, { command, path: '', max });
}

/**
 * What the schema makes of a plain input, frozen where it is plain (a schema may give dates or maps to `decide`).
 *
 * @throws InvalidInput if the schema refuses it, or throws
 * @throws AsyncSchema if the schema wants to wait
 */
export function validInput({ name, input: schema }: CommandDefinition, plain: unknown): unknown {
  let checked: Validated;
  try {
    checked = validate(schema, plain, 'command', name);
    if ('value' in checked) freezeWherePlain(checked.value);
  } catch (cause) {
    if (hasCode(cause, 'AsyncSchema')) throw cause;
    const details = { command: name, path: '' };
    throw new InvalidInput(`Command ${name}: the input's schema threw ${thrown(cause)}.`, details, cause);
  }
  if ('issues' in checked) {
    throw new InvalidInput(
      `Command ${name}: the input is not what its schema asks for: ${describeIssues(checked.issues)}.`,
      { command: name, path: checked.issues[0]?.path ?? '', issues: checked.issues.slice(0, 10) },
    );
  }
  return checked.value;
}

/**
 * Ids are looked at before anything is decided: an input that can only lead to an invalid event is no command.
 *
 * @throws InvalidInput if something that is no id stands where every key looks for one
 */
export function assertIds(attacher: Attacher, { name }: CommandDefinition, input: unknown): void {
  // A schema may give objects of the user's classes, whose getters throw.
  const fault = reading(`Command ${name}`, () => attacher.inputFault(input), InvalidInput);
  if (!fault) return;
  throw new InvalidInput(`Command ${name}: ${fault.path} is the name of an id, which ${fault.problem}.`, {
    command: name,
    ...fault,
  });
}
