/** What was read, against the log as it was at some moment between question and answer. */
import { isDeepStrictEqual } from 'node:util';
import type { Document, RecordedEvent } from 'tidemark';
import { plain } from '../../src/testing/conformance/plain.ts';
import { GENESIS_HASH } from '../../src/store/chain.ts';
import { judged, toldEvent, toldOutcome, type Telling } from './answers.ts';
import { holds, same } from './broken.ts';
import { checkFound } from './finds.ts';
import type { Reading } from './records.ts';
import type { Point, Timeline } from './timeline.ts';

/** @throws LawBroken if no moment of the log explains what was read */
export function checkReading(timeline: Timeline, reading: Reading): void {
  switch (reading.kind) {
    case 'get':
      return checkGet(timeline, reading);
    case 'history':
      return checkHistory(timeline, reading);
    case 'events':
      return checkEvents(timeline, reading);
    case 'follow':
      return checkFollow(timeline, reading);
    case 'fold':
      return checkFold(timeline, reading);
    case 'find': {
      const { page, after, upTo = after } = reading;
      return checkFound(timeline, { ...reading, page: page! }, upTo);
    }
    case 'rebuild': {
      const { collection, rebuilt } = reading;
      return same(6, rebuilt!.examples, [], () => `what of ${collection} came out different`);
    }
    case 'status': {
      const { position, hash } = reading.status!;
      const { after, upTo = after } = reading;
      holds(9, position >= after && position <= upTo, () => `status says ${position}, between ${after} and ${upTo}`);
      const end = timeline.commitAt(position)?.commit.hash ?? GENESIS_HASH;
      same(9, hash, end, () => `the hash of status at ${position}`);
      const { count, names } = reading.status!.unknownTypes;
      const told = momentsOf(reading).some((moment) => {
        const unknown = [...timeline.unknownTypes(reading.release, moment).keys()];
        return count === unknown.length && isDeepStrictEqual([...names].sort(), unknown.sort());
      });
      return holds(4, told, () => `status says that it doesn't know ${names.join(', ') || 'nothing'} (${count})`);
    }
    case 'outcome': {
      const { id, outcome } = reading;
      const commits = timeline.commits.filter(({ commit }) => commit.command.id === id);
      const possible = momentsOf(reading).map((moment) => commits.findLast(({ commit }) => commit.position <= moment));
      const told = outcome && { ...outcome, events: outcome.events.map((event) => judged(event, reading.live)) };
      const telling = tellingOf(timeline, reading);
      const found = possible.some((logged) =>
        isDeepStrictEqual(plain(told), plain(logged && toldOutcome(logged, true, telling))),
      );
      return holds(1, found, () => `the outcome of ${id} was told as ${JSON.stringify(outcome)}, which it never was`);
    }
  }
}

function tellingOf(timeline: Timeline, { release, live }: Reading): Telling {
  return { timeline, release, live };
}

function momentsOf({ after, upTo = after }: Reading): number[] {
  return Array.from({ length: upTo - after + 1 }, (_, index) => after + index);
}

function eventsOf(timeline: Timeline, release: number, collection: string, id: string) {
  const keyed = timeline.keyingOf(release, collection);
  const positions = new Set(
    keyed &&
      timeline
        .documentsOf(keyed)
        .get(id)
        ?.map(({ position }) => position),
  );
  return timeline.commits.flatMap(({ events }) => events).filter(({ position }) => positions.has(position));
}

function checkHistory(timeline: Timeline, reading: Extract<Reading, { kind: 'history' }>): void {
  const { events = [], collection, id, from, error, after, upTo = after } = reading;
  const what = `the history of ${collection} ${id} after ${from}`;
  const all = eventsOf(timeline, reading.release, collection, id);
  const [least, most] = [after, upTo].map((end) => all.filter(({ position }) => position <= end).length);
  if (error !== undefined)
    return holds(9, isBehind(error) && from > least!, () => `${what} (of ${least}) was refused: ${String(error)}`);
  holds(9, from <= most!, () => `${what} was given, where there are ${most}`);
  holds(3, events.length >= least! - from, () => `${what} has ${events.length} of ${least} events`);
  const telling = tellingOf(timeline, reading);
  const expected = all.slice(from, from + events.length).map((event) => toldEvent(event, telling));
  same(4, judgedAll(events, reading), expected, () => what);
}

function judgedAll(events: readonly RecordedEvent[], { live }: Reading): RecordedEvent[] {
  return events.map((event) => judged(event, live));
}

function checkEvents(timeline: Timeline, reading: Extract<Reading, { kind: 'events' }>): void {
  const { events = [], types, from, before = Infinity, reverse, error, after, upTo = after } = reading;
  if (error !== undefined)
    return holds(9, isBehind(error) && from > after, () => `${from} was refused: ${String(error)}`);
  holds(9, from <= upTo, () => `a reader went on from ${from}, behind the end at ${upTo}`);
  const wanted = timeline.commits
    .flatMap((logged) => logged.events)
    .filter(({ type, position }) => position > from && position < before && (!types || types.includes(type)));
  // Forward, later events may or may not be on the last page; backward, reading starts at the end of some moment.
  const told = reverse ? [...events].reverse() : events;
  const least = wanted.filter(({ position }) => position <= reading.after).length;
  holds(3, told.length >= least, () => `a reader of the log was given ${told.length} of ${least} events`);
  const telling = tellingOf(timeline, reading);
  const expected = wanted.slice(0, told.length).map((event) => toldEvent(event, telling));
  same(3, judgedAll(told, reading), expected, () => 'what a reader of the log was given');
}

function checkFollow(timeline: Timeline, reading: Extract<Reading, { kind: 'follow' }>): void {
  const { events = [], types, from, limit, aborted, error, after, upTo = after } = reading;
  const { position: begin, hash } = from;
  const where = (): string => `position ${begin}${hash ? ` with the hash ${hash}` : ''}`;
  const there = begin === 0 ? GENESIS_HASH : timeline.commitAt(begin)?.commit.hash;
  const right = hash === undefined || hash === there;
  if (error !== undefined)
    return holds(9, isBehind(error) && (begin > after || !right), () => `${where()} was refused: ${String(error)}`);
  holds(9, begin <= upTo && right, () => `a follower went on from ${where()}, which the log doesn't hold`);
  const wanted = timeline.commits
    .flatMap((logged) => logged.events)
    .filter(({ type, position }) => position > begin && (!types || types.includes(type)));
  const telling = tellingOf(timeline, reading);
  const expected = wanted.slice(0, events.length).map((event) => toldEvent(event, telling));
  same(3, judgedAll(events, reading), expected, () => 'what a follower was given');
  const whole = aborted ? events.length <= limit : events.length === limit;
  holds(3, whole, () => `a follower was given ${events.length} of ${limit} events`);
}

function checkFold(timeline: Timeline, reading: Extract<Reading, { kind: 'fold' }>): void {
  const { release, collection, documents } = reading;
  const told = new Map([...documents!].map(([id, document]) => [id, plain(foldedAs(document))]));
  const failed = [...documents!.failed].map(([id, error]) => [id, isPoison(error)]);
  same(
    4,
    failed,
    [...told].filter(([, document]) => !('state' in (document as object))).map(([id]) => [id, true]),
    () => `what of ${collection} failed`,
  );
  const explained = momentsOf(reading).some((moment) => {
    const expected = timeline.ids(release, collection, moment).map((id) => {
      const { poisoned, state, ...point } = timeline.at(release, collection, id, moment);
      return [id, shown(collection, id, poisoned ? point : { ...point, state })] as const;
    });
    return isDeepStrictEqual(told, new Map(expected));
  });
  holds(4, explained, () => `${collection} was folded as ${JSON.stringify([...told])}`);
}

/** Without its state, if that can't be told. */
function foldedAs(document: Document<unknown>): Partial<Document<unknown>> {
  const { collection, id, version, changed, exists } = document;
  const known = { collection, id, version, changed, exists };
  try {
    return { ...known, state: document.state };
  } catch (error) {
    if (!isPoison(error)) throw error;
    return known;
  }
}

function shown(collection: string, id: string, point: Pick<Point, 'version' | 'changed'> & Partial<Point>): unknown {
  const { version, changed, state } = point;
  return plain({ collection, id, version, changed, exists: changed > 0, state });
}

function checkGet(timeline: Timeline, reading: Extract<Reading, { kind: 'get' }>): void {
  const { release, collection, ids, at, documents, error } = reading;
  const what = (): string =>
    `${collection} ${ids.join(', ')} at ${JSON.stringify(at ?? 'the end')} (asked at ${reading.after}, answered at ${reading.upTo})`;
  const pointsAt = (moment: number): (Point | undefined)[] =>
    ids.map((id) => {
      if (!at || 'position' in at)
        return timeline.at(release, collection, id, Math.min(moment, at?.position ?? moment));
      if ('time' in at)
        return timeline.at(release, collection, id, Math.min(moment, recordedBy(timeline, at.time, moment)));
      const point = timeline.atVersion(release, collection, id, at.version);
      return point && point.position <= moment ? point : undefined;
    });
  const explained = momentsOf(reading).some((moment) => {
    const points = pointsAt(moment);
    if (!documents) {
      // On the way to a version that there isn't, too, it may be found that a document can't be folded.
      const known = points.map((point, index) => point ?? timeline.at(release, collection, ids[index]!, moment));
      return explains(error, reading, points, moment) || (isPoison(error) && known.some(({ poisoned }) => poisoned));
    }
    return points.every((point, index) => {
      if (!point || point.poisoned) return false;
      return isDeepStrictEqual(plain(foldedAs(documents[index]!)), shown(collection, ids[index]!, point));
    });
  });
  holds(
    4,
    explained,
    () =>
      `${what()} was given as ${documents ? JSON.stringify(documents) : String(error)}, but is ${JSON.stringify(pointsAt(reading.upTo!))}`,
  );
}

function explains(
  error: unknown,
  { at }: Extract<Reading, { kind: 'get' }>,
  points: readonly (Point | undefined)[],
  moment: number,
): boolean {
  if ((error as { code?: string }).code !== 'InvalidInput' || !at) return false;
  return 'position' in at ? at.position > moment : 'version' in at && points.some((point) => point === undefined);
}

function isBehind(error: unknown): boolean {
  return (error as { code?: string }).code === 'HistoryDiverged';
}

function isPoison(error: unknown): boolean {
  return (error as { code?: string }).code === 'ReducerFailed';
}

/** The last position recorded by a time. */
function recordedBy({ commits }: Timeline, time: number, moment: number): number {
  const logged = commits.findLast(({ commit }) => commit.recordedAt <= time && commit.position <= moment);
  return logged ? logged.commit.position + logged.commit.eventCount - 1 : 0;
}
