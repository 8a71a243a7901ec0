/**
 * Verifying a log (law 9): the chain, the positions, the attachments, and every document folded again. Memory stays flat: the log
 * is walked once in its order, then the documents one by one.
 */
import { hasCode, InvalidInput } from '../../errors.ts';
import { optionsOf } from '../../options.ts';
import type { LogPoint } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { membershipOf } from '../registry/membership.ts';
import { namedReading } from '../registry/names.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { givingWay } from '../giving-way.ts';
import type { InTurn } from '../in-turn.ts';
import { Pace } from '../pace.ts';
import { holdsPoint, logPoint } from '../reading/point.ts';
import { AttachmentSum } from './attachment-sum.ts';
import { walkDocuments } from './fold-again.ts';
import { locate } from './locate.ts';
import { settlingOf } from './settling.ts';
import { note, type Problem, type Walk } from './walk.ts';
import { walkLog } from './walk-log.ts';

export interface VerifyOptions {
  /** A point that the log must hold, kept from an earlier `status()` or `verify()`. */
  readonly expect?: LogPoint | undefined;
}

/** What `verify` found. */
export interface Verification {
  /** Whether there is no problem. */
  readonly ok: boolean;
  /** The end of the log that was verified: keep it elsewhere, as the next `expect`. */
  readonly position: number;
  readonly hash: string;
  readonly commits: number;
  readonly events: number;
  /** Documents that existed at that end, and were folded again. */
  readonly documents: number;
  /** Those of them that were compared with the cache, or with what is stored. */
  readonly compared: number;
  /** The first hundred. */
  readonly problems: readonly Problem[];
}

export async function verifyLog(core: Core, long: InTurn, options?: VerifyOptions): Promise<Verification> {
  const { expect } = optionsOf<VerifyOptions>('verify', options, { expect: logPoint }, InvalidInput);
  return long.run(() => verified(core, expect));
}

async function verified(core: Core, expect: VerifyOptions['expect']): Promise<Verification> {
  core.watermark.assertWhole();
  await refreshMembership(core, core.untilClosed);
  const end = await core.watermark.look(core.untilClosed);
  const options = { attachmentsMax: Infinity, unattached: { count: 0 }, isLenient: true };
  const registry = await core.untilClosed.registry();
  const { attacher, names } = membershipOf(registry, core.collections, options);
  // The names stay those of the registry that the log is compared with, whatever comes to it meanwhile.
  const reads = givingWay(core, namedReading(core.unnamed, names));
  const walk: Walk = {
    core,
    reads,
    end,
    pace: new Pace(core.runtime),
    attacher,
    settling: settlingOf(names, registry),
    problems: [],
    unable: undefined,
    inLog: new AttachmentSum(),
    inDocuments: new AttachmentSum(),
    otherShapes: new Set(),
    otherIds: new Set(),
    unknownTypes: new Set(),
    commits: 0,
    events: 0,
    documents: 0,
    compared: 0,
  };
  await contained(walk, 'Store', () => checkStore(walk));
  if (expect) await contained(walk, 'HistoryDiverged', () => checkPoint(walk, expect));
  await contained(walk, 'Chain', () => walkLog(walk));
  await contained(walk, 'Document', () => walkDocuments(walk));
  if (!walk.inLog.equals(walk.inDocuments)) await contained(walk, 'Attachments', () => locate(walk));
  const { commits, events, documents, compared, problems } = walk;
  // Known problems are reported even if some part couldn't be checked.
  if (walk.unable && problems.length === 0) throw walk.unable;
  return {
    ok: problems.length === 0,
    position: end.position,
    hash: end.hash,
    commits,
    events,
    documents,
    compared,
    problems,
  };
}

/** Damage may make the store throw: that is a problem to report. Other errors say nothing about the log, and are thrown. */
async function contained(walk: Walk, code: Problem['code'], part: () => Promise<void>): Promise<void> {
  try {
    await part();
  } catch (error) {
    if (!hasCode(error, 'LogCorrupt')) throw error;
    const { position, collection, id } = error.details as { position?: number; collection?: string; id?: string };
    note(walk, {
      code,
      message: error.message,
      ...(position !== undefined && { position }),
      ...(collection !== undefined && { collection }),
      ...(id !== undefined && { id }),
    });
  }
}

async function checkStore(walk: Walk): Promise<void> {
  for (const message of await walk.reads.check()) note(walk, { code: 'Store', message });
}

async function checkPoint(walk: Walk, expect: LogPoint): Promise<void> {
  if (await holdsPoint(walk.reads, expect)) return;
  const { position, hash } = expect;
  const message = `The log doesn't hold position ${position} with the hash ${hash}: it ends at ${walk.end.position}. It is an older copy, or another log.`;
  note(walk, { code: 'HistoryDiverged', position, message });
}
