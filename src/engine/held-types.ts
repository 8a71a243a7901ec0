/** The event types that the log has held, and those of them that this code doesn't know. */
import { InvalidDefinition } from '../errors.ts';
import { definitionOf, type DomainDefinition } from '../model/event.ts';
import type { HeldType, Session } from '../store/store.ts';
import { PAGE_ROWS_MAX } from '../store/store.ts';
import type { EventDefinitions } from './reading/recorded.ts';

/** Types that the log holds and this code doesn't know. */
export interface UnknownTypes {
  readonly count: number;
  /** The first of them, in the order of their first events. */
  readonly names: readonly string[];
}

/** The most names that are listed. */
export const NAMED_MAX = 20;

export async function heldTypes(session: Pick<Session, 'types'>): Promise<readonly HeldType[]> {
  const found: HeldType[] = [];
  for (;;) {
    const page = await session.types({ after: found.at(-1)?.position, limit: PAGE_ROWS_MAX });
    found.push(...page);
    if (page.length < PAGE_ROWS_MAX) return found;
  }
}

/** Whether this code doesn't know a type, as it is stored, by which a command succeeded. Unknown failures don't count: no reducer needs them. */
export function isUnknown(events: EventDefinitions, type: string, succeeded: boolean): boolean {
  return succeeded && !definitionOf(events, type) && !type.startsWith('$');
}

export async function unknownTypes(session: Pick<Session, 'types'>, events: EventDefinitions): Promise<UnknownTypes> {
  const held = await heldTypes(session);
  const unknown = held.filter(({ type, succeeded }) => isUnknown(events, type, succeeded !== undefined));
  return { count: unknown.length, names: unknown.slice(0, NAMED_MAX).map(({ type }) => type) };
}

/**
 * A renamed type is stored under its oldest name only. Events under a later one are of code that didn't rename it, and would not
 * be read as what they are.
 *
 * @throws InvalidDefinition if the log holds such events
 */
export async function assertRenamed(
  session: Pick<Session, 'types'>,
  { events, stored }: DomainDefinition,
): Promise<void> {
  const isRenamed = [...events.values()].some(({ type, stored: oldest }) => oldest !== type);
  if (!isRenamed) return;
  for (const { type, position, succeeded } of await heldTypes(session)) {
    const renamed = stored.get(type);
    if (succeeded === undefined || !renamed || renamed.stored === type) continue;
    throw new InvalidDefinition(
      `The log holds events of the type ${type}, the first at position ${position}, but this code stores ${renamed.type} as ` +
        `${renamed.stored} (its first name in formerly). A type has one name in the log: leave formerly out, and keep both ` +
        'types in domain({ events }), each with its key and reducer.',
      { type: renamed.type, formerly: renamed.stored, stored: type, position },
    );
  }
}
