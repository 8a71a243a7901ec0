/** A command's input: plain JSON first, then what its schema makes of it. */
import { AsyncSchema, InvalidInput } from '../errors.ts';
import type { CommandDefinition } from './command.ts';
import { thrown } from './foreign.ts';
import { describeFault, freezeJson, jsonFault, type Fault } from './json.ts';
import { describeIssues, validate, type Validated } from './schema.ts';

/** @throws InvalidInput if the raw input isn't plain JSON; a command without input may get undefined */
export function assertPlainInput({ name }: CommandDefinition, raw: unknown): void {
  let fault: Fault | undefined;
  try {
    fault = raw === undefined ? undefined : jsonFault(raw);
  } catch (cause) {
    fault = { path: '', problem: `looking at it threw ${thrown(cause)}` };
  }
  if (!fault) return;
  throw new InvalidInput(`Command ${name}: the input is not plain JSON: ${describeFault(fault)}.`, {
    command: name,
    ...fault,
  });
}

/**
 * What the schema makes of a plain input, frozen where it is plain (a schema may give dates or maps to `decide`).
 *
 * @throws InvalidInput if the schema refuses it, or throws
 * @throws AsyncSchema if the schema wants to wait
 */
export function validInput({ name, input: schema }: CommandDefinition, raw: unknown): unknown {
  let checked: Validated;
  try {
    // A copy: what was fingerprinted is what is decided on, whatever the caller does to the object meanwhile.
    const copy: unknown = raw === undefined ? undefined : JSON.parse(JSON.stringify(raw));
    checked = validate(schema, copy, `command ${name}`);
  } catch (cause) {
    if (cause instanceof AsyncSchema) throw cause;
    const details = { command: name, path: '' };
    throw new InvalidInput(`Command ${name}: the input's schema threw ${thrown(cause)}.`, details, cause);
  }
  if ('issues' in checked) {
    throw new InvalidInput(
      `Command ${name}: the input is not what its schema asks for: ${describeIssues(checked.issues)}.`,
      { command: name, path: checked.issues[0]?.path ?? '', issues: checked.issues.slice(0, 10) },
    );
  }
  freezeJson(checked.value);
  return checked.value;
}
