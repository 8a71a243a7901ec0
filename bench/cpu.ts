/** CPU time of processes that aren't ours to ask: Linux tells it in /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second for all programs, whatever the kernel's own clock. */
const TICK_MS = 10;

interface Stat {
  readonly parent: number;
  /** Its own CPU time, and that of its children that have ended, in ticks. */
  readonly own: number;
  readonly ended: number;
}

/** What a process and all that descend from it have used, in milliseconds. */
export function cpuOf(root: number): number {
  const all = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat) all.set(pid, stat);
  }
  const descends = (pid: number): boolean => pid === root || (all.has(pid) && descends(all.get(pid)!.parent));
  let ticks = 0;
  for (const [pid, { own, ended }] of all) if (descends(pid)) ticks += own + ended;
  return ticks * TICK_MS;
}

function statOf(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // It has ended meanwhile.
  }
  // The second field is the program's name, in brackets that it may hold itself; the first after it is the third.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return { parent: field(4), own: field(14) + field(15), ended: field(16) + field(17) };
}
