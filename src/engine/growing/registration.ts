/** Registers an application's collections with a log, and reports how they differ. */
import { DomainOutdated } from '../../errors.ts';
import { functionTypes } from '../../model/key.ts';
import type { Keying, Registry, Session } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Logger } from '../logger.ts';
import { listed, retiredText } from '../registry/difference.ts';
import { entriesOf, warnOfUnknown } from '../registry/refresh.ts';
import { inOrder, isMeant, retiring, type Retired } from '../registry/retiring.ts';
import { assertSameKeys } from './key-sample.ts';
import { registering, type Definitions } from '../registry/rules.ts';

export interface Registering {
  readonly session: Session;
  readonly logger: Logger;
  readonly events: Core['events'];
  readonly collections: Core['collections'];
  readonly definitions: Definitions;
  readonly retired: readonly Retired[];
}

/**
 * Registers the collections. One warning names the event types that this code doesn't know of them (an older release).
 *
 * @throws DomainOutdated if the log has a key function that this code doesn't have
 * @throws DefinitionChanged, RebuildRequired if a collection can't be registered as it is
 */
export async function registerCollections(application: Registering): Promise<Registry> {
  const { session, logger, collections, definitions, retired } = application;
  const entries = entriesOf(collections);
  const before = await session.registry();
  // Before this code adds to the registry: it may be too old for the log.
  assertFunctions(before, application);
  await assertSameKeys(before, application);
  const now = (await session.load([])).end.recordedAt;
  const judge = registering([...entries.values()], { definitions, now });
  const registry = await session.change(retired.length > 0 ? inOrder(retiring(retired), judge) : judge);
  // Another server may have registered, and stored by its keys, since.
  if (registry.generation !== before.generation) await assertSameKeys(registry, application);
  warnOfUnknown(registry, entries, logger);
  return registry;
}

/** Another release's key function finds the ids of its documents: nothing may be stored without it. */
function assertFunctions({ keyings, definitions }: Registry, { collections, retired }: Registering): void {
  const usersOf = ({ name }: Keying) => definitions.filter((one) => one.keying === name);
  const lacking = keyings.find((keying) => {
    // By one that is filling nothing is attached yet. When it is live, servers that lack its function are outdated.
    if (keying.state !== 'live' || functionTypes(keying.key).length === 0) return false;
    if (usersOf(keying).every((one) => retired.some((target) => isMeant(target, one)))) return false;
    return collections.get(keying.collection)?.definition !== keying.definition;
  });
  if (!lacking) return;
  const { collection, definition, key } = lacking;
  const types = functionTypes(key);
  const users = [...new Set(usersOf(lacking).map((one) => one.definition))];
  const own = collections.get(collection)?.definition;
  const has = own === undefined ? "which this code doesn't have" : `and this code has its definition ${own}`;
  throw new DomainOutdated(
    `The collection ${collection} is registered with a key function for ${listed(types)} in its definition ${definition}, ${has}. ` +
      'Nothing may be stored that isn’t attached by it too: deploy the code that has it, or let it go as you open, and servers of ' +
      `it stop: ${retiredText(collection, users)}.`,
    { collection, definition, types },
  );
}
