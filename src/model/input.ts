/** A command's input: a plain copy first, then its schema's output. */
import { hasCode, InvalidInput } from '../errors.ts';
import type { Attacher } from './attach.ts';
import type { CommandDefinition } from './command.ts';
import { reading, thrown } from './foreign.ts';
import { describeFault, freezeWherePlain, plainCopy, type Copied } from './json.ts';
import { describeIssues, validate, type Validated } from './schema.ts';

/**
 * A copy of the plain input: the caller may change its object later. A command without input may get undefined.
 *
 * @param max bytes of JSON text that are allowed; here only an input that is certain to be larger is refused
 * @throws InvalidInput if the raw input isn't plain JSON, or too large
 */
export function plainInput({ name }: CommandDefinition, raw: unknown, max: number): unknown {
  if (raw === undefined) return undefined;
  let copied: Copied;
  try {
    copied = plainCopy(raw, max);
  } catch (cause) {
    copied = { fault: { path: '', problem: `reading it threw ${thrown(cause)}` }, over: false };
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
 * The schema's output for a plain input, frozen where it is plain (a schema may make dates or maps).
 *
 * @throws InvalidInput if the schema refuses the input, or throws; AsyncSchema if it returns a promise
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

/** Looks at ids before anything is decided. @throws InvalidInput if a field that every key names holds something else */
export function assertIds(attacher: Attacher, { name }: CommandDefinition, input: unknown): void {
  // A schema may give objects of the user's classes, whose getters throw.
  const fault = reading(`Command ${name}`, () => attacher.inputFault(input), InvalidInput);
  if (!fault) return;
  throw new InvalidInput(`Command ${name}: the id in ${fault.path} ${fault.problem}.`, { command: name, ...fault });
}
