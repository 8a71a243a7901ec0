/** Registers an application's collections with a log, and reports how they differ. */
import { differenceOf, listed } from '../store/registered.ts';
import type { CollectionEntry, Registry, Session } from '../store/store.ts';
import { membershipOf, type Core, type Membership } from './core.ts';
import { assertSameKeys } from './key-sample.ts';
import type { Logger } from './logger.ts';

/**
 * Registers the collections. One warning names the event types that this code doesn't know of them (an older release).
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
  // Before this code adds to the registry: it may be too old for the log. A changed key is reported by `register`.
  const others = before.collections.filter((registered) => {
    const code = entries.get(registered.name);
    return !code || !differenceOf(registered, code).otherKey;
  });
  membershipOf({ ...before, collections: others }, collections, Infinity);
  await assertSameKeys(before, application);
  const registry = await session.register([...entries.values()]);
  // Another server may have registered, and stored by its keys, since.
  if (registry.generation !== before.generation) await assertSameKeys(registry, application);
  warnOfUnknown(registry, entries, logger);
  return registry;
}

/** How events are attached after another server changed the registry: this code may be the older release now. */
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

/** The registry entries of this code's collections, by name. */
function entriesOf(collections: Core['collections']): ReadonlyMap<string, CollectionEntry> {
  const entries = [...collections.values()].map(({ name, definition, key, handled }) => {
    return { name, definition, key: key.declared, handled: [...handled] };
  });
  return new Map(entries.map((entry) => [entry.name, entry]));
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
    `This code doesn't know all event types of the log's collections: ${named}. A newer release has added them: deploy it ` +
      'here too. Until then this server reads documents without them.',
  );
}
