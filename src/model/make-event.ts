/** Making an event that can be stored out of what `decide` returned. */
import { Buffer } from 'node:buffer';
import { InvalidEvent, LimitExceeded } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Attacher, Attachment } from './attach.ts';
import { UNCHECKED, type AnyEvent, type EventDefinition } from './event.ts';
import { isPlainObject } from '../realm.ts';
import { describeFault, freezePlain, plainCopy } from './json.ts';
import { describeIssues, validate } from './schema.ts';

/** An event ready to be stored. */
export interface MadeEvent {
  /** As it is stored: a renamed type by its oldest name. */
  readonly type: string;
  readonly schemaVersion: number;
  /** The fields without `type`: the exact text that is stored and hashed. */
  readonly json: string;
  readonly bytes: number;
  /** The event that `JSON.parse` makes of the text, with its type as code calls it, frozen: reducers get this. */
  readonly event: AnyEvent;
  readonly attachments: readonly Attachment[];
}

export interface EventRules {
  /** By the names that code calls them. */
  readonly events: ReadonlyMap<string, EventDefinition>;
  readonly attacher: Attacher;
  readonly limits: Limits;
}

/**
 * Checks an event by its schema and makes it storable: what is stored is the schema's output.
 *
 * @throws InvalidEvent if the domain doesn't have its type, its schema refuses it, or JSON can't hold it
 * @throws LimitExceeded if it is too large, or attached to too many documents
 */
export function makeEvent(raw: unknown, rules: EventRules): MadeEvent {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new InvalidEvent(`An event must be an object with a type, not ${raw === null ? 'null' : typeof raw}.`);
  }
  if (!isPlainObject(raw)) throw new InvalidEvent('An event must be a plain object, not an instance of a class.');
  const { type, ...fields } = raw as { type?: unknown };
  const definition = typeof type === 'string' ? rules.events.get(type) : undefined;
  if (!definition) {
    throw new InvalidEvent(
      `The domain has no event type ${JSON.stringify(type)?.slice(0, 200)}: declare it in domain({ events }).`,
    );
  }
  const checked = validate(definition.schema, fields, 'event', definition.type);
  if ('issues' in checked) {
    throw new InvalidEvent(
      `The event ${definition.type} is not what its schema asks for: ${describeIssues(checked.issues)}.`,
      { type: definition.type, issues: checked.issues.slice(0, 10) },
    );
  }
  return storable(definition, definition.version, checked.value, rules);
}

/** An event of a type without a schema: the system's own, or a failure that the domain doesn't declare. */
export function makeUncheckedEvent(
  { type, ...fields }: { readonly type: string; readonly [field: string]: unknown },
  rules: EventRules,
): MadeEvent {
  return storable({ type, stored: type }, UNCHECKED, fields, rules);
}

function storable(
  { type, stored }: Pick<EventDefinition, 'type' | 'stored'>,
  schemaVersion: number,
  fields: unknown,
  rules: EventRules,
): MadeEvent {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new InvalidEvent(`The schema of ${type} must return an object of fields.`, { type });
  }
  if (Object.hasOwn(fields, 'type')) {
    const problem = 'returned a field named type, which is reserved: give it another name';
    throw new InvalidEvent(`The schema of ${type} ${problem}.`, { type });
  }
  const { eventBytesMax } = rules.limits;
  // The system's own events are short, and must be storable whatever the limit.
  const limited = !type.startsWith('$');
  const copied = limited ? plainCopy(fields, eventBytesMax) : plainCopy(fields);
  if ('fault' in copied) {
    const { fault, over } = copied;
    if (over && limited) throw tooLarge(type, `over ${eventBytesMax}`, { type, max: eventBytesMax });
    throw new InvalidEvent(`The event ${type} can't be stored as JSON: ${describeFault(fault)}.`, { type, ...fault });
  }
  const json = JSON.stringify(copied.copy);
  const bytes = Buffer.byteLength(json);
  if (bytes > eventBytesMax && limited) throw tooLarge(type, `${bytes}`, { type, bytes, max: eventBytesMax });
  const event: AnyEvent = { type, ...(copied.copy as object) };
  freezePlain(event);
  return { type: stored, schemaVersion, json, bytes, event, attachments: rules.attacher.attach(event, stored) };
}

function tooLarge(
  type: string,
  bytes: string,
  details: { readonly type: string; readonly max: number; readonly bytes?: number },
): LimitExceeded {
  return new LimitExceeded(
    `The event ${type} is ${bytes} bytes long; at most ${details.max} are allowed. Store large contents elsewhere, and their address here.`,
    details,
  );
}
