/** A network between a client and a PostgreSQL of which a test is the master: it cuts connections, holds messages back,
 * loses them, and lets them arrive late. Whoever looks at a message sees all of it, and nothing of the next. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Messages } from './messages.ts';

type Side = 'client' | 'server';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

interface Held {
  readonly to: Socket;
  readonly bytes: Buffer;
}

/** Where a connection is cut: a half is half of a message. */
export interface CutPoint {
  /** Whose messages are counted. */
  readonly from: Side;
  /** So many arrive; nothing after that does. */
  readonly messages: number;
}

export class Proxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #held: Held[] = [];
  #cutAfter: CutPoint | undefined;
  #passed = 0;
  /** Looks at what a client sends: true to hold it back, with all that this client sends after it. */
  hold: (bytes: Buffer) => boolean = () => false;
  /** Looks at what the server answers: true to let nothing of it arrive. */
  swallow: (bytes: Buffer) => boolean = () => false;
  /** Looks at what the server answers: true to hold it back, with all that it answers after it on this connection. */
  holdAnswer: (bytes: Buffer) => boolean = () => false;
  /** Looks at what the server answers, and may give other bytes in their place. */
  rewrite: (bytes: Buffer) => Buffer = (bytes) => bytes;
  /** How long what the server answers is on its way, in milliseconds. */
  delayMs = 0;

  /** Whether new connections are turned away, as if nobody listened; and how many were. */
  refuses = false;
  refused = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    server.on('connection', (client) => {
      if (!proxy.refuses) return proxy.#join(client, connect(port, '127.0.0.1'));
      proxy.refused += 1;
      client.destroy();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Whether something is held back. */
  get holding(): boolean {
    return this.#held.length > 0;
  }

  /** Cuts one connection, once: the one that comes to this point, counted from now over all of them. */
  set cutAfter(point: CutPoint | undefined) {
    this.#cutAfter = point;
    this.#passed = 0;
  }

  /** Undefined once a connection was cut. */
  get cutAfter(): CutPoint | undefined {
    return this.#cutAfter;
  }

  /** Clients lose their connections; what is held back may still arrive, as from a buffer in between. */
  cut(): void {
    for (const { client, server } of this.#links) {
      client.destroy();
      if (!this.#isHeld(server)) server.destroy();
    }
  }

  /** What was held back arrives, and then the end of its connection, if it has come to one. */
  release(): void {
    for (const { to, bytes } of this.#held.splice(0)) if (!to.destroyed) to.write(bytes);
  }

  async close(): Promise<void> {
    for (const { client, server } of this.#links) {
      client.destroy();
      server.destroy();
    }
    this.#server.close();
    await once(this.#server, 'close');
  }

  #isHeld(to: Socket): boolean {
    return this.#held.some((held) => held.to === to);
  }

  #join(client: Socket, server: Socket): void {
    const link = { client, server };
    this.#links.add(link);
    const [sent, answered] = [new Messages('client'), new Messages('server')];
    client.on('data', (bytes) => {
      for (const message of sent.take(bytes)) {
        if (this.#isCut('client', message, server, link)) return;
        if (this.#isHeld(server) || this.hold(message)) this.#held.push({ to: server, bytes: message });
        else server.write(message);
      }
    });
    server.on('data', (bytes) => {
      for (const message of answered.take(bytes)) {
        if (this.#isCut('server', message, client, link)) return;
        if (this.swallow(message)) continue;
        const given = this.rewrite(message);
        if (this.#isHeld(client) || this.holdAnswer(message)) this.#held.push({ to: client, bytes: given });
        else this.#answer(client, given);
      }
    });
    for (const socket of [client, server]) {
      socket.on('error', () => undefined);
      // Message by message, each would wait for the last one to be confirmed.
      socket.setNoDelay(true);
    }
    client.on('close', () => {
      if (!this.#isHeld(server)) server.destroy();
    });
    server.on('close', () => {
      client.destroy();
      this.#links.delete(link);
    });
  }

  // Timers of one length come in the order in which they were set: so nothing overtakes while it isn't changed.
  #answer(client: Socket, bytes: Buffer): void {
    if (this.delayMs === 0) client.write(bytes);
    else setTimeout(() => client.destroyed || client.write(bytes), this.delayMs);
  }

  /** Whether the connection is at the point where it is to be cut; half of the message may still arrive. */
  #isCut(from: Side, message: Buffer, to: Socket, { client, server }: Link): boolean {
    if (this.#cutAfter?.from !== from) return false;
    const left = this.#cutAfter.messages - this.#passed;
    this.#passed += 1;
    if (left >= 1) return false;
    this.#cutAfter = undefined;
    if (left > 0) to.write(message.subarray(0, Math.ceil(message.length / 2)));
    client.destroy();
    server.end();
    return true;
  }
}
