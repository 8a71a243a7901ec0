/**
 * Deciding: from a command and the documents it reads to what is recorded. Pure: the caller of the generator does the
 * reading, so the engine, the tests' `given/when/expect` and a simulation decide in the same way.
 */
import { Buffer } from 'node:buffer';
import { hasCode, InvalidDefinition, LimitExceeded } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { isPlainObject, isPromise } from '../realm.ts';
import type { CommandDefinition, Context } from './command.ts';
import { FAILURE_FIELDS, isFailure, type Failure } from './failure.ts';
import { describeError } from './foreign.ts';
import { derivedId, nameFault } from './id.ts';
import { describeFault, plainCopy } from './json.ts';
import { makeEvent, makeUncheckedEvent, type EventRules, type MadeEvent } from './make-event.ts';
import { isNothing, type Nothing, type Unchanged } from './nothing.ts';
import { readsOf, type AnyRef, type Read } from './reads.ts';

/** What is being decided. */
export interface CommandCall {
  readonly command: CommandDefinition;
  /** As the command's schema gave it, frozen. */
  readonly input: unknown;
  readonly id: string;
  readonly time: number;
  readonly actor: string | undefined;
  readonly prepared: unknown;
}

/** What deciding needs to know of the application. */
export interface Rules extends EventRules {
  /** The event types that collections of any release handle. */
  readonly handled: ReadonlySet<string>;
}

/** The result of a command. */
export interface Decision {
  readonly outcome: 'succeeded' | 'failed';
  /** Whether the command's id is used up. */
  readonly final: boolean;
  /** Whether it is stored. If not, it has no events. */
  readonly record: boolean;
  readonly reason?: string;
  /** JSON text. */
  readonly details?: string;
  readonly events: readonly MadeEvent[];
  /** The error of the user's code, for the log: the events hold only its name and message. */
  readonly error?: unknown;
}

export type Deciding = Generator<readonly AnyRef[], Decision, readonly Read<unknown>[]>;

/**
 * Decides a command, yielding the refs of each stage of reads. An error of the user's code becomes a decision too
 * (`$ERRORED`).
 *
 * @throws InvalidInput if the input makes an invalid ref before any document was read
 */
export function* decide(asked: CommandCall, rules: Rules): Deciding {
  const context = contextOf(asked);
  let stages = 0;
  let documents: unknown = {};
  try {
    const { reads, name } = asked.command;
    const reading = reads && readsOf(name, reads(asked.input, context));
    let asking = 0;
    if (reading && 'refs' in reading) {
      const { refs } = reading;
      if (refs.length > rules.limits.commandReadsMax) throw tooManyReads(asked, rules.limits);
      const found = refs.length === 0 ? [] : yield refs;
      stages = 1;
      documents = reading.documents(found);
    } else if (reading) {
      let step = reading.next();
      for (; !step.done; stages += 1) {
        asking += step.value.length;
        if (asking > rules.limits.commandReadsMax) throw tooManyReads(asked, rules.limits);
        step = reading.next(yield step.value);
      }
      documents = step.value;
    }
  } catch (error) {
    if (stages === 0 && hasCode(error, 'InvalidInput', 'UnknownCollection')) throw error;
    return errored(asked, error, rules);
  }
  return decideOn(documents, asked, context, rules);
}

/**
 * The stages of reads alone, to fetch documents ahead: on tentative states, so no further than `decide` would go. Ends
 * early where `decide` reports an error.
 */
export function* foresee(
  asked: CommandCall,
  { limits }: Rules,
): Generator<readonly AnyRef[], void, readonly Read<unknown>[]> {
  const { reads, name } = asked.command;
  if (!reads) return;
  try {
    const reading = readsOf(name, reads(asked.input, contextOf(asked)));
    if ('refs' in reading) return;
    let asking = 0;
    let step = reading.next();
    while (!step.done && (asking += step.value.length) <= limits.commandReadsMax) step = reading.next(yield step.value);
  } catch {
    // decide() meets the same error and reports it.
  }
}

function decideOn(documents: unknown, asked: CommandCall, context: Context<unknown>, rules: Rules): Decision {
  try {
    const decided = asked.command.decide(documents, asked.input, context);
    if (isFailure(decided)) return failed(decided, asked, rules);
    if (isNothing(decided)) return unchanged(decided, asked, rules);
    if (isPromise(decided)) {
      throw new InvalidDefinition(
        `Command ${asked.command.name}: decide returned a promise. It must be synchronous; call the outside world in prepare.`,
      );
    }
    const raw: readonly unknown[] = Array.isArray(decided) ? decided : [decided];
    if (raw.length === 0)
      throw new InvalidDefinition(
        `Command ${asked.command.name}: decide returned no event. Return nothing() where there is nothing to do.`,
      );
    if (raw.length > rules.limits.commitEventsMax) {
      throw tooMuch(asked.command.name, `${raw.length} events`, {
        events: raw.length,
        max: rules.limits.commitEventsMax,
      });
    }
    const events: MadeEvent[] = [];
    let bytes = 0;
    let attachments = 0;
    // Not `map`, which passes over the holes of a sparse array.
    for (const one of raw) {
      const event = makeEvent(one, rules);
      events.push(event);
      bytes += event.bytes;
      attachments += rules.attacher.ownAmong(event.attachments);
      // Checked here, so that the events after it aren't made in vain.
      if (attachments > rules.limits.commitAttachmentsMax) throw tooManyAttachments(asked, rules.limits);
      if (bytes > rules.limits.commitBytesMax) throw tooManyBytes(asked, bytes, rules.limits);
    }
    return { outcome: 'succeeded', final: true, record: true, events };
  } catch (error) {
    return errored(asked, error, rules);
  }
}

/** A failure becomes an event; if that can't be stored, `$FAILED` with command and reason does. */
function failed({ failure: reason, details }: Failure, asked: CommandCall, rules: Rules): Decision {
  const { command, input } = asked;
  const fault = nameFault(reason);
  if (fault) throw new InvalidDefinition(`Command ${command.name}: the reason of a failure ${fault}.`);
  const base = { outcome: 'failed', final: true, record: true, reason } as const;
  let text: string | undefined;
  try {
    const { detailsBytesMax } = rules.limits;
    const copied = plainCopy(details, detailsBytesMax);
    if ('fault' in copied && !copied.over)
      throw new InvalidDefinition(
        `Command ${command.name}: the details of ${reason} are not plain JSON: ${describeFault(copied.fault)}.`,
      );
    const written = 'copy' in copied ? JSON.stringify(copied.copy) : undefined;
    if (written === undefined || Buffer.byteLength(written) > detailsBytesMax) {
      const message = `Command ${command.name}: the details of ${reason} are over ${detailsBytesMax} bytes.`;
      throw new LimitExceeded(message, { command: command.name, max: detailsBytesMax });
    }
    text = written;
    const ids = command.about ? aboutFields(command.name, command.about(input)) : rules.attacher.idFieldsOf(input);
    const raw = { ...ids, type: command.failureType, reason, details };
    const declared = rules.events.has(command.failureType);
    // A newer release may have made an event of that name: its reducers would take a refusal for a fact.
    if (!declared && rules.handled.has(command.failureType))
      throw new InvalidDefinition(
        `Command ${command.name}: another release has an event ${command.failureType} that isn't the failure of this command. Give failures another name by failureType, and deploy that here too.`,
      );
    const event = declared ? makeEvent(raw, rules) : makeUncheckedEvent(raw, rules);
    if (event.event['reason'] !== reason)
      throw new InvalidDefinition(
        `Command ${command.name}: the schema of ${command.failureType}, which its failures are stored as, doesn't keep their reason. Give it a field reason, or name another type by failureType.`,
      );
    return { ...base, details: text, events: [event] };
  } catch (error) {
    const event = makeUncheckedEvent({ type: '$FAILED', command: command.name, reason }, rules);
    // The caller gets the details, even where the event can't hold them.
    return { ...base, ...(text !== undefined && { details: text }), events: [event], error };
  }
}

/** The fields that `about` returned: none may be the failure's own. @throws InvalidDefinition */
function aboutFields(command: string, about: unknown): object {
  const wrong = (problem: string): never => {
    throw new InvalidDefinition(`Command ${command}: about ${problem}.`);
  };
  if (isPromise(about)) wrong('returned a promise. It must be synchronous');
  if (typeof about !== 'object' || about === null || !isPlainObject(about)) {
    return wrong('must return a plain object, whose fields hold ids');
  }
  const taken = ['type', ...FAILURE_FIELDS].find((field) => (about as Record<string, unknown>)[field] !== undefined);
  if (taken) wrong(`returned a field ${taken}, which the failure has itself. Return only fields that hold ids`);
  return about;
}

/** The ledger needs an event even where there is nothing to do, unless the command says that it doesn't. */
function unchanged({ record }: Nothing, { command }: CommandCall, rules: Rules): Decision {
  const event: Unchanged = { type: '$UNCHANGED', command: command.name };
  return { outcome: 'succeeded', final: true, record, events: record ? [makeUncheckedEvent({ ...event }, rules)] : [] };
}

/** The decision of a command whose code failed: recorded but not final, so the same id may be sent again. */
export function errored({ command }: CommandCall, error: unknown, rules: Rules): Decision {
  const details = describeError(error);
  const event = makeUncheckedEvent({ type: '$ERRORED', command: command.name, reason: 'ERROR', ...details }, rules);
  const result = { outcome: 'failed', final: false, record: true, reason: 'ERROR' } as const;
  return { ...result, details: JSON.stringify(details), events: [event], ...(error !== undefined && { error }) };
}

function contextOf({ id, time, actor, prepared }: CommandCall): Context<unknown> {
  let made = 0;
  return Object.freeze({ id, time, actor, prepared, newId: () => derivedId(id, (made += 1)) });
}

function tooMuch(name: string, made: string, details: { max: number; [made: string]: number }): LimitExceeded {
  const message = `Command ${name} made ${made}; at most ${details.max} are allowed. Make several commands of it.`;
  return new LimitExceeded(message, details);
}

/** `bytes`: of the events up to the one that is too much. */
function tooManyBytes({ command }: CommandCall, bytes: number, { commitBytesMax: max }: Limits): LimitExceeded {
  return tooMuch(command.name, `${bytes} bytes of events or more`, { bytes, max });
}

function tooManyAttachments({ command }: CommandCall, { commitAttachmentsMax }: Limits): LimitExceeded {
  return new LimitExceeded(
    `Command ${command.name} made events that are attached to more than ${commitAttachmentsMax} documents together. Make several commands of it.`,
    { command: command.name, max: commitAttachmentsMax },
  );
}

function tooManyReads({ command }: CommandCall, { commandReadsMax }: Limits): LimitExceeded {
  return new LimitExceeded(
    `Command ${command.name} reads more than ${commandReadsMax} documents. Read fewer, or keep a document that sums them up.`,
    { command: command.name, max: commandReadsMax },
  );
}
