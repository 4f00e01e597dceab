// A port that closes every connection at once: tells a test that somebody has tried it so many times.

import { createServer } from 'node:net';
import { defer } from './deferred.ts';

export interface SlammingServer {
  readonly port: number;
  /** Resolves when that many connections have come and gone. */
  readonly tried: Promise<void>;
  close(): Promise<void>;
}

export async function openSlammingServer(times: number, port = 0): Promise<SlammingServer> {
  const tried = defer();
  let count = 0;
  const server = createServer(socket => {
    socket.on('error', () => undefined);
    socket.destroy();
    count += 1;
    if (count === times) tried.resolve();
  });
  const listening = defer();
  server.listen(port, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server of a port has a port');
  return {
    port: address.port,
    tried: tried.promise,
    close: () => new Promise(resolve => void server.close(() => resolve())),
  };
}
