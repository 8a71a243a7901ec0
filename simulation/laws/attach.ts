/** Attaching once more, as small as it can be written: from a key's data and an event to ids. Shares nothing with the product. */
import type { Keying, Registry } from '../../src/store/store.ts';
import { definedIn, type DomainShape, type KeyPart, type KeyShape } from '../domain/shape.ts';
import type { Fields } from '../domain/user-code.ts';

/** A keying as it is registered, with the key of the domain that it is made of. */
export interface Keyed {
  readonly name: string;
  readonly collection: string;
  readonly key: KeyShape;
  readonly isLive: boolean;
  /** Up to this position events were attached after they were stored. */
  readonly filled: number;
}

/** A release's definition of a collection, as it is registered. */
export interface OwnFacts {
  readonly id: number;
  readonly set: number;
  readonly keying: Keyed;
}

export interface Registered {
  readonly generation: number;
  /** Those that are used. */
  readonly keyings: readonly Keyed[];
  /** By release and collection, as {@link ownName} has them. */
  readonly own: ReadonlyMap<string, OwnFacts>;
}

export const NOTHING_REGISTERED: Registered = { generation: 0, keyings: [], own: new Map() };

export function ownName(release: number, collection: string): string {
  return `${release} ${collection}`;
}

export function registeredOf({ generation, keyings, definitions }: Registry, shape: DomainShape): Registered {
  const used = keyings.flatMap((keying): Keyed[] => {
    const { name, collection, state, filled } = keying;
    const all = shape.collections.find((one) => one.name === collection)?.definitions.map(({ key }) => key);
    const users = definitions.filter((one) => one.keying === name).map(({ definition }) => definition);
    if (!all || users.length === 0 || state === 'retired') return [];
    return [{ name, collection, key: keyOf(keying, users, all), isLive: state === 'live', filled }];
  });
  const own = new Map<string, OwnFacts>();
  for (const [release, { handles }] of shape.releases.entries()) {
    for (const [collection, types] of Object.entries(handles)) {
      const { number } = definedIn(shape, release, collection);
      const handled = JSON.stringify([...types].sort());
      const row = definitions.find(
        (one) =>
          one.collection === collection &&
          one.definition === number &&
          JSON.stringify([...one.handled].sort()) === handled,
      );
      const keying = used.find(({ name }) => name === row?.keying);
      if (row && keying) own.set(ownName(release, collection), { id: row.id, set: row.set, keying });
    }
  }
  return { generation, keyings: used, own };
}

/**
 * The key of a keying, of those that definitions of its collection have: one that shares it may have added types that the log has
 * never held, with other places for their ids than the others would have.
 */
function keyOf({ key, definition: caller }: Keying, users: readonly number[], all: readonly KeyShape[]): KeyShape {
  const [first, ...others] = users.map((number) => all[number - 1]!);
  if (!('types' in key)) return first!;
  const parts = Object.entries(key.types).flatMap(([type, registered]): [string, KeyPart][] => {
    const isFunction = registered === 'function';
    const from = isFunction ? [all[caller! - 1]!] : [first!, ...others];
    const text = JSON.stringify(registered);
    const has = (part: KeyPart): boolean =>
      'calls' in part ? isFunction : JSON.stringify([...new Set(part)].sort()) === text;
    const part = from.map((one) => ('types' in one ? one.types[type] : undefined)).find((one) => one && has(one));
    return part ? [[type, part]] : [];
  });
  return { types: Object.fromEntries(parts) };
}

/** The collections of a release whose documents have all their events, each with the name of its keying. */
export function liveOf({ own }: Registered, { releases }: DomainShape, release: number): Live {
  const names = Object.keys(releases[release]!.handles);
  return new Map(
    names.flatMap((name) => {
      const keying = own.get(ownName(release, name))?.keying;
      return keying?.isLive ? [[name, keying.name] as const] : [];
    }),
  );
}

export type Live = ReadonlyMap<string, string>;

/** Ids wherever they are found, each once. */
function gather(...found: readonly unknown[]): string[] {
  const ids = (found.flat() as unknown[]).filter((id): id is string => typeof id === 'string');
  return [...new Set(ids)];
}

/** The ids that a keying finds in an event, in the order found. */
export function idsIn(keyed: Keyed, event: Fields): string[] {
  const { key } = keyed;
  if (event.type.startsWith('$')) return [];
  if ('fields' in key) return gather(...[...new Set(key.fields)].sort().map((field) => event[field]));
  const part = key.types[event.type];
  if (!part) return [];
  if ('calls' in part) return part.calls === 'parity' ? [`p${(event.n ?? 0) % 2}`] : gather(event[part.calls]);
  return gather(...[...new Set(part)].sort().map((path) => (path === 'lines[].ref' ? refs(event) : event[path])));
}

/** The same, in the order that they are told in: what was attached later comes by id. */
export function idsAt(keyed: Keyed, event: Fields, position: number): string[] {
  const ids = idsIn(keyed, event);
  return position <= keyed.filled
    ? ids.sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
    : ids;
}

function refs(event: Fields): readonly unknown[] {
  return ((event['lines'] as { ref: string }[] | undefined) ?? []).map(({ ref }) => ref);
}

/** The documents that an event is attached to, by keying. */
export function attachments({ keyings }: Registered, event: Fields, position: number): { keyed: Keyed; id: string }[] {
  const live = keyings.filter(({ isLive }) => isLive);
  return live.flatMap((keyed) => idsAt(keyed, event, position).map((id) => ({ keyed, id })));
}

/** The fields that some key names for itself: a failure takes its ids from them. */
export function namedFields({ keyings }: Registered): Set<string> {
  return new Set(keyings.filter(({ isLive }) => isLive).flatMap(fieldsOf));
}

function fieldsOf({ key }: Keyed): readonly string[] {
  if ('fields' in key) return key.fields;
  return Object.values(key.types).flatMap((part) =>
    'calls' in part ? [] : part.filter((path) => !path.includes('[')),
  );
}
