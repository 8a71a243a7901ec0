/** Opening an application: a domain's collections and commands on a store. */
import { InvalidDefinition } from '../errors.ts';
import { DEFAULT_LIMITS, limitsWith, type Limits } from '../limits.ts';
import { clock as userClock, listOf, optionsOf, type Checks } from '../options.ts';
import { collectionDefinition, type AnyCollection, type CollectionDefinition } from '../model/collection.ts';
import { commandDefinition, type AnyCommand, type CommandDefinition } from '../model/command.ts';
import type { DomainDefinition } from '../model/event.ts';
import { abortController } from '../realm.ts';
import type { Session, Store } from '../store/store.ts';
import { Application, type App } from './app.ts';
import { DocumentCache } from './cache.ts';
import type { Core } from './core.ts';
import { membershipOf } from './registry/membership.ts';
import { namedSession } from './registry/names.ts';
import { Changes, Readiness, type Progress } from './registry/readiness.ts';
import { inFlightOn } from './commands/in-flight.ts';
import { consoleLogger, guarded, type Logger } from './logger.ts';
import { assertRenamed, unknownTypes } from './held-types.ts';
import { isMeant, retiredDefinition, type Retired } from './registry/retiring.ts';
import type { Definitions } from './registry/rules.ts';
import { registerCollections } from './growing/registration.ts';
import { machineRuntime, type Runtime } from './runtime.ts';
import { untilClosed } from './until-closed.ts';
import { TrackedDocuments } from './tracked.ts';
import { Watermark } from './watermark.ts';

/** Options of `open`. */
export interface OpenOptions<Collections extends readonly AnyCollection[], Commands extends readonly AnyCommand[]> {
  /** Where the log is: `sqlite('market.db')`. There is no default, as it could lose data. */
  readonly store: Store;
  /** The collections that events are attached to. The first `open` with them registers them with the log. */
  readonly collections: Collections;
  /** The commands that may be executed. */
  readonly commands: Commands;
  /** pino's interface. By default warnings and errors go to the console. */
  readonly logger?: Logger | undefined;
  /**
   * The clock: milliseconds since the Unix epoch. By default the store's `clock` option, else the machine's. A store without a
   * clock of its own uses it too, so a test sets its time once, here or there.
   */
  readonly clock?: (() => number) | undefined;
  /** Limits other than the defaults. */
  readonly limits?: Partial<Limits> | undefined;
  /**
   * What to do where documents have to be made from old events: a new collection, or one with another `definition`. `online`: they
   * are made while the application runs, also by other servers; until its events are attached, whoever needs the collection waits,
   * and gets `Rebuilding` after a bound. `before`: `open` returns when they are ready. `refuse`: `RebuildRequired`. `online` if
   * not given.
   */
  readonly definitions?: Definitions | undefined;
  /** Told how far it is, several times a second, with `definitions: 'before'`. What it throws, or rejects with, ends `open`. */
  readonly onProgress?: ((progress: Progress) => unknown) | undefined;
  /**
   * Whether this server folds events into stored documents: `background` if not given. Where no server does, queries wait in vain.
   */
  readonly reduction?: 'background' | 'off' | undefined;
  /** Collections, or definitions of them, that no server uses any more: they are let go. */
  readonly retired?: readonly Retired[] | undefined;
}

/**
 * Opens an application on a store, and makes the log first if there is none.
 *
 * @throws InvalidDefinition if the options don't fit together, an upcast changes the ids of stored events, or the log holds events
 * under a later name of a renamed type
 * @throws NotALog, WrongLog, FormatTooNew, NotWritable, LogCorrupt, StoreUnavailable if the store can't be opened
 * @throws RebuildRequired if a collection is new on a log that isn't empty, or has another definition than is registered
 * @throws DefinitionChanged if, under the same definition, a collection has another key, its key function finds other ids, or it
 * handles other event types (new ones are fine if the log has never held them; missing ones only cause a warning)
 * @throws DomainOutdated if the log has a collection with a key function that isn't among `collections`
 *
 * @example
 * ```ts
 * import { domain, open, type } from 'tidemark';
 * import { memory } from 'tidemark/memory';
 *
 * const bank = domain({ events: { DEPOSITED: type<{ account_id: string; cents: number }>() } });
 * const accounts = bank.collection('accounts', {
 *   key: 'account_id',
 *   initial: { cents: 0 },
 *   reduce: { DEPOSITED: (account, { cents }) => ({ cents: account.cents + cents }) },
 * });
 * const deposit = bank.command('DEPOSIT', {
 *   input: type<{ account_id: string; cents: number }>(),
 *   decide: (_, input) => ({ type: 'DEPOSITED', ...input }),
 * });
 *
 * await using app = await open({ store: memory(), collections: [accounts], commands: [deposit] });
 * await app.execute(deposit, { account_id: 'a1', cents: 500 });
 * console.log((await app.get(accounts, 'a1')).state.cents); // 500
 * ```
 */
export function open<const Collections extends readonly AnyCollection[], const Commands extends readonly AnyCommand[]>(
  options: OpenOptions<Collections, Commands>,
): Promise<App<Commands[number], Collections[number]>> {
  return openOn(options, undefined);
}

/** `open` with time, timers and randomness passed in. */
export async function openOn<Collections extends readonly AnyCollection[], Commands extends readonly AnyCommand[]>(
  options: OpenOptions<Collections, Commands>,
  runtime: Runtime | undefined,
): Promise<App<Commands[number], Collections[number]>> {
  const needed = ['store', 'collections', 'commands'] as const;
  const given = optionsOf<CheckedOptions>('open', options, OPEN, InvalidDefinition, needed);
  const { store, clock } = given;
  const domain = domainOf(given);
  assertNotRetired(given);
  const { name: storeName, clock: storeClock } = store;
  const logger = guarded(given.logger ?? consoleLogger);
  const session = await store.open({ clock, warn: (details, message) => logger.warn(details, message) });
  try {
    const settings = { storeName, logger, runtime: runtime ?? machineRuntime(clock ?? storeClock) };
    const core = await coreOf(session, given, domain, settings);
    core.watermark.advance((await core.session.load([])).end);
    const app = new Application(core, inFlightOn(store));
    const { definitions, onProgress = () => undefined, reduction = 'background' } = given;
    try {
      await app.begin(reduction === 'background', definitions === 'before' ? onProgress : undefined);
    } catch (error) {
      await app.close();
      throw error;
    }
    return app as App<Commands[number], Collections[number]>;
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** The domain that all of them belong to. @throws InvalidDefinition */
function domainOf({ collections, commands }: CheckedOptions): DomainDefinition {
  const names = new Set<string>();
  for (const { name } of collections) {
    if (names.has(name))
      throw new InvalidDefinition(`open: the collection ${name} is given twice.`, { collection: name });
    names.add(name);
  }
  const [domain, ...others] = new Set([...collections, ...commands].map(({ domain }) => domain));
  if (!domain) throw new InvalidDefinition('open: give it at least one collection or command.');
  if (others.length === 0) return domain;
  throw new InvalidDefinition(
    'open: all collections and commands must belong to one domain. Put their events into one domain({ events }); if that is so, the module that defines it was loaded more than once.',
  );
}

/** What is retired and registered at once would be made anew at each opening. @throws InvalidDefinition */
function assertNotRetired({ collections, retired = [] }: CheckedOptions): void {
  const own = collections.find(({ name, definition }) =>
    retired.some((one) => isMeant(one, { collection: name, definition })),
  );
  if (!own) return;
  const { name, definition } = own;
  throw new InvalidDefinition(
    `open: retired names the collection ${name}, which is among the collections with definition ${definition}. Leave it out of one ` +
      `of both; another definition of it goes as { collection: '${name}', definition: … }.`,
    { path: 'retired', collection: name, definition },
  );
}

async function coreOf(
  bare: Session,
  options: CheckedOptions,
  domain: DomainDefinition,
  settings: Pick<Core, 'storeName' | 'logger' | 'runtime'>,
): Promise<Core> {
  const { collections: given, commands, limits = DEFAULT_LIMITS } = options;
  const collections = new Map(given.map((collection) => [collection.name, collection]));
  const events = domain.stored;
  await assertRenamed(bare, domain);
  const { logger } = settings;
  const { definitions = 'online', retired = [] } = options;
  const registry = await registerCollections({ session: bare, logger, events, collections, definitions, retired });
  const unattached = { count: 0 };
  const attachmentsMax = limits.eventAttachmentsMax;
  const membership = membershipOf(registry, collections, { attachmentsMax, unattached });
  const grown = new Changes();
  const readiness = new Readiness({
    own: (collection) => core.membership.own.get(collection),
    end: () => core.watermark.seen.position,
    runtime: settings.runtime,
    grown,
    waitMs: limits.rebuildingWaitMs,
  });
  // A session in the names of this code: they change with the registry.
  const session = namedSession(bare, () => core.membership.names);
  const closing = abortController();
  const cache = new DocumentCache(limits);
  const core: Core = {
    ...settings,
    session,
    untilClosed: untilClosed(session, closing.signal),
    unnamed: untilClosed(bare, closing.signal),
    closing,
    limits,
    domain,
    events,
    collections,
    commands: new Set(commands),
    handled: new Map(given.map(({ name, handled }) => [name, handled])),
    cache,
    tracked: new TrackedDocuments(cache, limits),
    watermark: new Watermark(),
    counters: { commands: 0, succeeded: 0, failed: 0, replayed: 0, batches: 0, conflicts: 0, retried: 0, exclusive: 0 },
    membership,
    unattached,
    grown,
    readiness,
    unknownTypes: await unknownTypes(bare, events),
  };
  return core;
}

/** The checked options. */
interface CheckedOptions {
  readonly store: Store;
  readonly collections: readonly CollectionDefinition[];
  readonly commands: readonly CommandDefinition[];
  readonly logger?: Logger;
  readonly clock?: () => number;
  readonly limits?: Limits;
  readonly definitions?: Definitions;
  readonly retired?: readonly Retired[];
  readonly onProgress?: (progress: Progress) => unknown;
  readonly reduction?: 'background' | 'off';
}

const OPEN: Checks<CheckedOptions> = {
  store: (store, refuse) =>
    typeof (store as Partial<Store> | null | undefined)?.open === 'function'
      ? (store as Store)
      : refuse(
          "must be a store: pass sqlite('market.db') from tidemark/sqlite, or memory() from tidemark/memory, which keeps nothing",
        ),
  collections: listOf(collectionDefinition),
  commands: listOf(commandDefinition),
  logger: (logger, refuse) => {
    for (const level of ['debug', 'info', 'warn', 'error'] as const) {
      if (typeof (logger as Partial<Logger> | null)?.[level] !== 'function')
        return refuse(`has no ${level}(details, message)`);
    }
    return logger as Logger;
  },
  clock: userClock,
  limits: limitsWith,
  definitions: (given, refuse) =>
    given === 'online' || given === 'before' || given === 'refuse'
      ? given
      : refuse("must be 'online', 'before' or 'refuse'"),
  retired: listOf(retiredDefinition),
  onProgress: (given, refuse) =>
    typeof given === 'function' ? (given as (progress: Progress) => unknown) : refuse('must be a function'),
  reduction: (given, refuse) =>
    given === 'background' || given === 'off' ? given : refuse("must be 'background' or 'off'"),
};
