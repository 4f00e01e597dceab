// A TCP proxy on loopback that behaves as a bad network does: it holds everything back, or drops its connections.
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** From now on nothing passes and nobody is told, as when a cable is pulled. */
  block(): void;
  /** What was held back passes. */
  unblock(): void;
  /** Ends all connections that are open. */
  cut(): void;
  close(): Promise<void>;
}

export async function openTcpProxy(target: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let blocked = false;
  const server = createServer(client => {
    const upstream = createConnection(target, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      pairs.delete(pair);
    };
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('data', bytes => void to.write(bytes));
      from.on('error', end);
      from.on('close', end);
      if (blocked) from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const all = (action: (socket: Socket) => void): void => {
    for (const pair of pairs) pair.forEach(action);
  };
  return {
    port: (server.address() as AddressInfo).port,
    block(): void {
      blocked = true;
      all(socket => socket.pause());
    },
    unblock(): void {
      blocked = false;
      all(socket => socket.resume());
    },
    cut: () => all(socket => socket.destroy()),
    async close(): Promise<void> {
      server.close();
      all(socket => socket.destroy());
      await once(server, 'close');
    },
  };
}
