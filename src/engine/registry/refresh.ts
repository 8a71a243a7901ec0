/** The registry as it is now: this code's collections in it, what another server has changed of it, and how they differ. */
import type { Registry, Session } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Logger } from '../logger.ts';
import { differenceOf, listed } from './difference.ts';
import { membershipOf, type Membership } from './membership.ts';
import type { CollectionEntry } from './rules.ts';

/** How events are attached after another server changed the registry: this code may be the older release now. */
export async function membershipNow(
  core: Pick<Core, 'logger' | 'collections' | 'limits' | 'membership' | 'unattached'>,
  io: Pick<Session, 'registry'>,
): Promise<Membership> {
  const registry = await io.registry();
  if (registry.generation !== core.membership.generation) {
    warnOfUnknown(registry, entriesOf(core.collections), core.logger);
  }
  const { unattached, limits } = core;
  return membershipOf(registry, core.collections, { attachmentsMax: limits.eventAttachmentsMax, unattached });
}

/** Takes in what another server has changed. @throws DomainOutdated if this code can't go on by it */
export async function refreshMembership(
  core: Pick<Core, 'logger' | 'collections' | 'limits' | 'membership' | 'unattached' | 'grown' | 'cache'>,
  io: Pick<Session, 'registry'>,
): Promise<void> {
  takeMembership(core, await membershipNow(core, io));
}

/**
 * What `ask` reads of documents by their names, for a call of the store that doesn't say by which registry it answered: that is asked
 * for afterwards. If another server has changed it meanwhile, that is taken in, and `ask` asks again.
 *
 * @throws DomainOutdated if a definition of this code is gone: what was attached by it may be gone too
 */
export async function asRegistered<T>(
  core: Parameters<typeof refreshMembership>[0],
  io: Pick<Session, 'registry' | 'load'>,
  ask: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const { generation } = core.membership;
    const answer = await ask();
    // An earlier one is that of a store that has gone back in time, which the watermark finds.
    if ((await io.load([])).generation <= generation) return answer;
    await refreshMembership(core, io);
  }
}

/**
 * From now on events are attached by this, unless a later one is known already. Where another set of documents has taken the place
 * of a collection's, those in the cache were folded from the other one: they are forgotten. Calls that wait for a change go on.
 */
export function takeMembership(core: Pick<Core, 'membership' | 'grown' | 'cache'>, membership: Membership): void {
  if (membership.generation < core.membership.generation) return;
  for (const [collection, { definition }] of membership.own) {
    if (definition.set !== core.membership.own.get(collection)?.definition.set) core.cache.forgetAll(collection);
  }
  core.membership = membership;
  core.grown.tell();
}

/** This code's collections as they are registered, by name. */
export function entriesOf(collections: Core['collections']): ReadonlyMap<string, CollectionEntry> {
  const entries = [...collections.values()].map(({ name, definition, key, handled, indexes }) => {
    return { name, definition, key: key.declared, handled: [...handled], indexes };
  });
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** One warning names the event types that this code doesn't know of its collections. */
export function warnOfUnknown(
  { keyings, definitions }: Registry,
  entries: ReadonlyMap<string, CollectionEntry>,
  logger: Logger,
) {
  const unknown = [...entries.values()].flatMap((code) => {
    const same = definitions.filter(
      ({ collection, definition }) => collection === code.name && definition === code.definition,
    );
    const keying = keyings.find(({ name }) => name === same[0]?.keying);
    if (!keying) return [];
    const { gone } = differenceOf({ key: keying.key, handled: same.flatMap(({ handled }) => handled) }, code);
    return gone.length === 0 ? [] : [{ collection: code.name, types: gone }];
  });
  if (unknown.length === 0) return;
  const named = unknown.map(({ collection, types }) => `${collection} (${listed(types)})`).join(', ');
  logger.warn(
    { collections: unknown },
    `This code doesn't know all event types of the log's collections: ${named}. A newer release has added them: deploy it ` +
      'here too. Until then this server reads documents without them.',
  );
}
