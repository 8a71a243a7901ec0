/**
 * Collections have the names that the user gave them, in the whole engine; the store knows keyings. This is the border between the
 * two: a session that speaks the engine's names. As long as no key was ever raised the names are the same, and it costs nothing.
 */
import type { CollectionDefinition } from '../../model/collection.ts';
import type {
  Appended,
  Batch,
  DocumentRef,
  EventPage,
  Keying,
  Locked,
  Registry,
  ScanPage,
  Session,
} from '../../store/store.ts';
import type { ReadingSession } from '../until-closed.ts';
import { definitionOf, KEYING_MARK } from './rules.ts';

export interface Names {
  /** Whether both names are the same, for all keyings. */
  readonly arePlain: boolean;
  toStore(name: string): string;
  toEngine(keying: string): string;
}

/**
 * Whether a collection's name stands for a keying that this code sees nothing of: another release's, or a retired one. One that
 * has come since the names were made has the name that it is stored under.
 */
export function isHidden(collection: string): boolean {
  return collection.includes(KEYING_MARK);
}

/** The documents that users see of those that an event is attached to. */
export function shownOf<T extends { readonly collection: string }>(attachments: readonly T[]): readonly T[] {
  return attachments.some(({ collection }) => isHidden(collection))
    ? attachments.filter(({ collection }) => !isHidden(collection))
    : attachments;
}

/**
 * A collection of this code's is what its own definition says; of others the live keying that was made last. All other keyings get
 * a name that no collection can have.
 */
export function namesOf(registry: Registry, collections: ReadonlyMap<string, CollectionDefinition>): Names {
  const shown = new Map<string, Keying>();
  for (const keying of registry.keyings) {
    if (collections.has(keying.collection) || keying.state !== 'live') continue;
    const other = shown.get(keying.collection);
    if (!other || numberOf(keying) > numberOf(other)) shown.set(keying.collection, keying);
  }
  const own = [...collections.values()].flatMap((collection) => {
    const definition = definitionOf(registry, collection);
    return definition ? [[definition.keying, collection.name] as const] : [];
  });
  const engine = new Map([...own, ...[...shown.values()].map(({ name, collection }) => [name, collection] as const)]);
  const store = new Map([...engine].map(([keying, name]) => [name, keying]));
  return {
    arePlain: registry.keyings.every(({ name }) => engine.get(name) === name),
    toStore: (name) => (name.startsWith(KEYING_MARK) ? name.slice(KEYING_MARK.length) : (store.get(name) ?? name)),
    toEngine: (keying) => engine.get(keying) ?? `${KEYING_MARK}${keying}`,
  };
}

function numberOf({ name }: Keying): number {
  const mark = name.lastIndexOf(KEYING_MARK);
  return mark < 0 ? 0 : Number(name.slice(mark + 1));
}

/** The session in the engine's names. `names` gives those of now: they change with the registry. */
export function namedSession(session: Session, names: () => Names): Session {
  const calls = namedCalls(session, names);
  return {
    ...Object.fromEntries(methodsOf(session)),
    ...calls,
    get readOnly() {
      return session.readOnly;
    },
    documents: async ({ after, ...range }) => {
      const { arePlain, toStore, toEngine } = names();
      if (arePlain) return session.documents({ ...range, after });
      const from = after && { collection: toStore(after.collection), id: after.id };
      return (await session.documents({ ...range, after: from })).map((one) => renamed(one, toEngine));
    },
    // In the section itself the registry may be found to have changed.
    exclusive: (work, options) =>
      session.exclusive((locked) => work({ ...locked, ...namedCalls(locked, names) }), options),
  } as Session;
}

/** A session's methods, bound: they may be those of a class. */
function methodsOf(session: Session): [string, unknown][] {
  const names = ['registry', 'change', 'sweep', 'advance', 'stored', 'commits', 'ledger', 'types', 'moved', 'health'];
  return [...names, 'check', 'close'].flatMap((name) => {
    type Method = ((...given: unknown[]) => unknown) | undefined;
    const method = (): Method => session[name as keyof Session] as Method;
    // Asked for again at each call: what is called now and what was then may not be the same.
    return method() ? [[name, (...given: unknown[]) => method()!.apply(session, given)]] : [];
  });
}

/** The same for a reader of the whole log, with one set of names from its beginning to its end. */
export function namedReading(bare: ReadingSession, names: Names): ReadingSession {
  const { load, read, scan, documents } = namedSession(bare as Session, () => names);
  return { ...bare, load, read, scan, documents };
}

function namedCalls(calls: Pick<Locked, 'append' | 'load' | 'read' | 'scan'>, names: () => Names): typeof calls {
  return {
    append: (batch) => {
      const now = names();
      return now.arePlain ? calls.append(batch) : appendNamed(calls, batch, now);
    },
    load: (requests, options) => {
      const { arePlain, toStore } = names();
      return calls.load(arePlain ? requests : requests.map((one) => renamed(one, toStore)), options);
    },
    read: async (range, options) => {
      const { arePlain, toStore, toEngine } = names();
      if (arePlain) return calls.read(range, options);
      const asked = 'document' in range ? { ...range, document: renamed(range.document, toStore) } : range;
      return pageNamed(await calls.read(asked, options), toEngine);
    },
    scan: async (range, options) => {
      const { arePlain, toEngine } = names();
      const page: ScanPage = await calls.scan(range, options);
      return arePlain ? page : { ...page, named: page.named.map((one) => renamed(one, toEngine)) };
    },
  };
}

function renamed<T extends DocumentRef>(one: T, name: (name: string) => string): T {
  return { ...one, collection: name(one.collection) };
}

async function appendNamed(calls: Pick<Locked, 'append'>, batch: Batch, names: Names): Promise<Appended> {
  const { toStore, toEngine } = names;
  const answer = await calls.append({
    ...batch,
    handled: handledNamed(batch.handled, names),
    reads: batch.reads.map((one) => renamed(one, toStore)),
    commits: batch.commits.map((commit) => ({
      ...commit,
      events: commit.events.map((event) => ({
        ...event,
        attachments: event.attachments.map((one) => renamed(one, toStore)),
      })),
    })),
  });
  if (!('stale' in answer)) return answer;
  return { ...answer, stale: answer.stale.map((one) => renamed(one, toEngine)) };
}

const handled = new WeakMap<Names, Batch['handled']>();

/** Made once for each registry: a store keeps what it has made of it. */
function handledNamed(given: Batch['handled'], names: Names): Batch['handled'] {
  let found = handled.get(names);
  if (!found) handled.set(names, (found = new Map([...given].map(([name, types]) => [names.toStore(name), types]))));
  return found;
}

function pageNamed(page: EventPage, toEngine: Names['toEngine']): EventPage {
  const events = page.events.map((event) => ({
    ...event,
    attachments: event.attachments.map((one) => renamed(one, toEngine)),
  }));
  return { ...page, events };
}
