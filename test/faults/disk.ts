/**
 * Disks that fill up, each for one server process: a small file system in memory, which is gone when its processes are,
 * and a limit on the size of files, which needs no rights and is another error to SQLite.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Done, Step } from './disk-server.ts';
import { startServer, type Server } from './server-process.ts';

export interface Disk {
  /** Where the log is, to be copied: the server knows it by another name. */
  readonly file: string;
  /** Leaves room for so many bytes more. */
  readonly fill: (leaving: number) => void;
  readonly free: () => void;
  readonly step: (step: Step) => Promise<Done>;
  /** Kills the server and starts another on the same disk, as full as it was. */
  readonly restart: () => Promise<void>;
}

export type MakeDisk = (folder: string) => Promise<Disk>;

const script = new URL('disk-server.ts', import.meta.url);

/** A server that takes one step after the other. */
class Stepping {
  readonly server: Server;
  #taken = 0;

  constructor(server: Server) {
    this.server = server;
  }

  async step(step: Step): Promise<Done> {
    this.server.tell(step);
    return (await this.server.heard('done', (this.#taken += 1))) as unknown as Done;
  }
}

async function ready(server: Server): Promise<Stepping> {
  await server.heard('ready');
  return new Stepping(server);
}

const SIZE = 40 * 2 ** 20;
const PAGE = 4_096;

/** A file system of 40 MiB, in a mount namespace: it goes when its last process ends, however that ends. */
export const smallDisk: MakeDisk = async (folder) => {
  const at = join(folder, 'disk');
  mkdirSync(at);
  const file = join(at, 'market.db');
  // Without root: as root of a user namespace of its own.
  const root = process.getuid?.() === 0;
  const mount = ['sh', '-c', `mount -t tmpfs -o size=${SIZE} tmpfs "$0" && exec "$@"`, at];
  const holder = startServer(script, [file], ['unshare', ...(root ? ['-m'] : ['-r', '-m']), ...mount]);
  await holder.heard('ready').catch((error: unknown) => {
    throw new Error('This test must mount a tmpfs: run it as root, or where user namespaces are allowed.', {
      cause: error,
    });
  });
  const enter = ['nsenter', '-t', `${holder.pid}`, ...(root ? ['-m'] : ['-U', '--preserve-credentials', '-m'])];
  const start = (): Promise<Stepping> => ready(startServer(script, [file], enter));
  let running = await start();
  const inside = `/proc/${holder.pid}/root${at}`;
  const filler = join(inside, 'filler');
  return {
    file: join(inside, 'market.db'),
    fill(leaving) {
      rmSync(filler, { force: true });
      const used = readdirSync(inside).reduce((sum, name) => sum + statSync(join(inside, name)).blocks * 512, 0);
      writeFileSync(filler, new Uint8Array(Math.floor((SIZE - used - leaving) / PAGE) * PAGE));
    },
    free: () => rmSync(filler),
    step: (step) => running.step(step),
    async restart() {
      await running.server.kill();
      running = await start();
    },
  };
};

/** A limit on how long the files of the process may be: writing beyond it fails, if not as on a full disk. */
export const limitedFiles: MakeDisk = async (folder) => {
  const file = join(folder, 'market.db');
  let running = await ready(startServer(script, [file]));
  let limit = 'unlimited';
  const apply = (): void => {
    // The soft limit alone, so that it may be raised again.
    execFileSync('prlimit', ['--pid', `${running.server.pid}`, `--fsize=${limit}:`]);
  };
  return {
    file,
    fill(leaving) {
      limit = `${(statSync(file, { throwIfNoEntry: false })?.size ?? 0) + leaving}`;
      apply();
    },
    free() {
      limit = 'unlimited';
      apply();
    },
    step: (step) => running.step(step),
    async restart() {
      await running.server.kill();
      running = await ready(startServer(script, [file]));
      apply();
    },
  };
};
