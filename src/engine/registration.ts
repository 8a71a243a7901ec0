/** Entering an application's collections into the registry of a log, and what is told of how they differ. */
import { differenceOf, listed } from '../store/registered.ts';
import type { CollectionEntry, Registry, Session } from '../store/store.ts';
import { membershipOf, type Core, type Membership } from './core.ts';
import { assertSameKeys } from './key-sample.ts';
import type { Logger } from './logger.ts';

/**
 * Registers the collections. What this code doesn't know of them (an older release beside a newer one) is told of in one
 * warning.
 *
 * @throws DomainOutdated if the log has a key function that this code doesn't have
 * @throws DefinitionChanged, RebuildRequired if a collection can't be registered as it is
 */
export async function registerCollections(
  application: Pick<Core, 'session' | 'logger' | 'events' | 'collections'>,
): Promise<Registry> {
  const { session, logger, collections } = application;
  const entries = entriesOf(collections);
  const before = await session.registry();
  // An application that is too old for the log must not add to its registry. Where a key changed, `register` knows better.
  const others = before.collections.filter((registered) => !hasOtherKey(registered, entries.get(registered.name)));
  membershipOf({ ...before, collections: others }, collections, Infinity);
  await assertSameKeys(before, application);
  const registry = await session.register([...entries.values()]);
  // Another server may have registered, and stored by its keys, since the first look.
  if (registry.generation !== before.generation) await assertSameKeys(registry, application);
  warnOfUnknown(registry, entries, logger);
  return registry;
}

/** By what events are attached now, where another server has changed the registry: this one may have become the older. */
export async function membershipNow(
  core: Pick<Core, 'logger' | 'collections' | 'limits' | 'membership'>,
  io: Pick<Session, 'registry'>,
): Promise<Membership> {
  const registry = await io.registry();
  if (registry.generation !== core.membership.generation) {
    warnOfUnknown(registry, entriesOf(core.collections), core.logger);
  }
  return membershipOf(registry, core.collections, core.limits.eventAttachmentsMax);
}

/** What is registered of this code's collections, by their names. */
function entriesOf(collections: Core['collections']): ReadonlyMap<string, CollectionEntry> {
  const entries = [...collections.values()].map(({ name, definition, key, handled }) => {
    return { name, definition, key: key.declared, handled: [...handled] };
  });
  return new Map(entries.map((entry) => [entry.name, entry]));
}

function hasOtherKey(registered: CollectionEntry, code: CollectionEntry | undefined): boolean {
  return code !== undefined && differenceOf(registered, code).otherKey;
}

function warnOfUnknown(registry: Registry, entries: ReadonlyMap<string, CollectionEntry>, logger: Logger): void {
  const unknown = registry.collections.flatMap((registered) => {
    const code = entries.get(registered.name);
    const types = code === undefined ? [] : differenceOf(registered, code).gone;
    return types.length === 0 ? [] : [{ collection: registered.name, types }];
  });
  if (unknown.length === 0) return;
  const named = unknown.map(({ collection, types }) => `${collection} (${listed(types)})`).join(', ');
  logger.warn(
    { collections: unknown },
    `Collections of the log have event types that this code doesn't have in them: ${named}. A newer release has added ` +
      'them: deploy it here too. Until then documents are read here without them.',
  );
}
