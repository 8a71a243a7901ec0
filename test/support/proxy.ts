/** A network between a client and a server of which a test is the master: it cuts connections, holds bytes back, and lets
 * them arrive late. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

export class Proxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #held: { readonly to: Socket; readonly bytes: Buffer }[] = [];
  /** Looks at what a client sends: true to hold it back, with all that this client sends after it. */
  hold: (bytes: Buffer) => boolean = () => false;
  /** Looks at what the server answers: true to let nothing of it arrive. */
  swallow: (bytes: Buffer) => boolean = () => false;

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

  /** Clients lose their connections; what is held back may still arrive, as from a buffer in between. */
  cut(): void {
    for (const { client, server } of this.#links) {
      client.destroy();
      if (!this.#held.some(({ to }) => to === server)) server.destroy();
    }
  }

  /** What was held back arrives, and then the end of its connection. */
  release(): void {
    for (const { to, bytes } of this.#held.splice(0)) to.write(bytes);
  }

  async close(): Promise<void> {
    for (const { client, server } of this.#links) {
      client.destroy();
      server.destroy();
    }
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    const link = { client, server };
    this.#links.add(link);
    client.on('data', (bytes) => {
      const isHeld = this.#held.some(({ to }) => to === server);
      if (isHeld || this.hold(bytes)) this.#held.push({ to: server, bytes });
      else server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (!this.swallow(bytes)) client.write(bytes);
    });
    for (const socket of [client, server]) socket.on('error', () => undefined);
    client.on('close', () => {
      if (!this.#held.some(({ to }) => to === server)) server.destroy();
    });
    server.on('close', () => {
      client.destroy();
      this.#links.delete(link);
    });
  }
}
