/**
 * What the kernel was asked to write and to sync, in order: `strace` on a server process. A kill shows nothing of it,
 * since what was written and not synced outlives the process in the page cache (lesson 24).
 */
import { readFileSync } from 'node:fs';

/** Runs a process watched: only these calls stop it, and threads are followed. `bytes`: how much of each write is kept. */
export function watched(into: string, bytes: number): readonly string[] {
  const calls = 'trace=write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync';
  return ['strace', '-f', '--seccomp-bpf', '-y', '-s', `${bytes}`, '-e', calls, '-e', 'signal=none', '-o', into];
}

/** As much of a write as a page of the log has. */
export const WHOLE_PAGES = 4_096;

/** One call that a trace shows. */
export interface Call {
  readonly call: string;
  /** Whose descriptor it is: a path, or `pipe:[…]`. */
  readonly on: string;
  readonly text: string;
  /** Where a `pwrite64` writes. */
  readonly offset: number;
}

// 123 fdatasync(21</data/market.db-wal>) = 0
const LINE = /^\d+ +(\w+)\((\d+)<([^>]*)>(.*)$/;
const BEGUN = /^(\d+) +(.*) <unfinished \.\.\.>$/;
const RESUMED = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/;

/** The calls in the order in which they ended */
export function callsOf(trace: string): readonly Call[] {
  const unfinished = new Map<string, string>();
  return readFileSync(trace, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const begun = BEGUN.exec(line);
      if (begun) {
        unfinished.set(begun[1]!, `${begun[1]} ${begun[2]}`);
        return [];
      }
      const resumed = RESUMED.exec(line);
      const whole = resumed ? `${unfinished.get(resumed[1]!) ?? ''}${resumed[2]}` : line;
      const found = LINE.exec(whole);
      if (!found) return [];
      const [, call = '', , on = '', text = ''] = found;
      return [{ call, on, text, offset: Number(/, (\d+)\) += \d+$/.exec(text)?.[1] ?? 0) }];
    });
}

const WRITES = new Set(['write', 'pwrite64', 'writev', 'pwritev', 'ftruncate']);
const SYNCS = new Set(['fsync', 'fdatasync']);
/** As `sync-server.ts` names its commands. Digits after an id would be another's. */
const COMMAND = /order-\d{6}/g;

export interface Durability {
  readonly faults: readonly string[];
  readonly acknowledged: number;
  /** Syncs of the write-ahead log before the last acknowledgement. */
  readonly walSyncs: number;
  /** How often the write-ahead log was begun anew. */
  readonly walRestarts: number;
}

/**
 * Whether each command had been written to the write-ahead log, and that synced, when it was acknowledged (by the
 * command's id in the pages, so `calls` must show whole pages if `byContent`), with nothing left unsynced; whether the
 * log was copied only once synced, and begun anew only once its copy was.
 */
export function durability(calls: readonly Call[], file: string, { byContent }: { byContent: boolean }): Durability {
  const faults: string[] = [];
  const wal = `${file}-wal`;
  const dirty = { file: false, wal: false };
  const written = new Set<string>();
  const durable = new Set<string>();
  let [acknowledged, walSyncs, walRestarts] = [0, 0, -1];
  for (const { call, on, text, offset } of calls) {
    if (on === wal && WRITES.has(call)) {
      if (offset === 0) {
        if (dirty.file) faults.push('the write-ahead log was begun anew before its copy was synced');
        walRestarts += 1;
      }
      dirty.wal = true;
      for (const [id] of text.matchAll(COMMAND)) written.add(id);
    } else if (on === wal && SYNCS.has(call)) {
      dirty.wal = false;
      walSyncs += 1;
      for (const id of written) durable.add(id);
      written.clear();
    } else if (on === file && WRITES.has(call)) {
      if (dirty.wal) faults.push('the log was copied into its file before it was synced');
      dirty.file = true;
    } else if (on === file && SYNCS.has(call)) {
      dirty.file = false;
    } else if (call === 'write' && text.includes('acknowledged')) {
      acknowledged += 1;
      const [id = 'none'] = text.match(COMMAND) ?? [];
      if (dirty.wal) faults.push(`${id} was acknowledged with the write-ahead log written and not synced`);
      else if (byContent && !durable.has(id)) faults.push(`${id} was acknowledged before it was written and synced`);
    }
  }
  return { faults, acknowledged, walSyncs, walRestarts };
}
