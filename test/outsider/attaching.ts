/** Attachments that come to stored events later, or go: pure functions of what was there before. */
import { Buffer } from 'node:buffer';
import { changedBy, hasSet, type AttachedPage, type Keying, type StoredEvent, type Stepped } from 'tidemark/store';
import { holds, indexOf, nameOf, numbered, type State } from './state.ts';

export function attached(state: State, page: AttachedPage): { readonly state: State; readonly answer: Stepped } {
  const { generation, keying: name, from, to, seen, live } = page;
  if (to > seen.position || !holds(state, seen)) return { state, answer: 'diverged' };
  if (generation !== state.registry.generation) return { state, answer: 'behind' };
  const keying = state.registry.keyings.find((one) => one.name === name);
  const isThere = keying?.state === 'filling' && keying.filled === from && to >= from;
  if (!isThere || (live && to < state.events.length)) return { state, answer: 'moved' };
  return { state: withAttachments(state, keying, page), answer: 'stored' };
}

function withAttachments(state: State, keying: Keying, { to, attachments, live }: AttachedPage): State {
  const { name } = keying;
  const moved = { ...keying, filled: to, state: live ? 'live' : 'filling' } as const;
  const registry = changedBy(state.registry, { raises: live, last: state.registry.last, keyings: [moved] });
  const heads = new Map<string, number>();
  const { rows } = indexOf(state);
  const events = [...state.events];
  for (const { position, ids } of attachments) {
    const more = ids.map((id) => {
      const head = heads.get(id) ?? rows.get(nameOf({ collection: name, id }))?.events.length ?? 0;
      heads.set(id, head + 1);
      return Object.freeze({ collection: name, id, version: head + 1 });
    });
    const event = events[position - 1]!;
    // Appended first, then by document: who was appended has no keying that was filled up to here.
    const later = new Set(registry.keyings.filter(({ filled }) => filled >= position).map((one) => one.name));
    const isLater = ({ collection }: { readonly collection: string }): boolean => later.has(collection);
    const sorted = [...event.attachments.filter(isLater), ...more].sort(
      (one, other) =>
        Buffer.compare(Buffer.from(one.collection), Buffer.from(other.collection)) ||
        Buffer.compare(Buffer.from(one.id), Buffer.from(other.id)),
    );
    events[position - 1] = Object.freeze({
      ...event,
      attachments: [...event.attachments.filter((one) => !isLater(one)), ...sorted],
    });
  }
  return { ...state, registry, events, numbers: numbered(state, events) };
}

/** Without what no registered set, index or keying needs. */
export function swept(state: State): State {
  const { registry } = state;
  const sets = new Map([...state.sets].filter(([set]) => hasSet(registry, set)));
  const known = new Set(registry.indexes.filter(({ set }) => hasSet(registry, set)).map(({ number }) => number));
  const indexes = new Map([...state.indexes].filter(([index]) => known.has(index)));
  const retired = new Set(registry.keyings.filter((one) => one.state === 'retired').map(({ name }) => name));
  const events = state.events.map((event): StoredEvent => {
    const kept = event.attachments.filter(({ collection }) => !retired.has(collection));
    return kept.length === event.attachments.length ? event : Object.freeze({ ...event, attachments: kept });
  });
  return { ...state, sets, indexes, events };
}
