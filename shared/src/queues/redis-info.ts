// Asks one server for its INFO, whatever it is and may be used for: for tests and benchmarks that start servers.
import { makeServerClient } from './redis-clients.ts';
import { type RedisSettings, readTarget } from './redis-target.ts';
import { within } from './within.ts';

/** `redis_version`, `process_id` and so on; undefined where no answer comes. */
export async function readInfo(
  settings: RedisSettings,
  timeoutMs = 2000,
): Promise<ReadonlyMap<string, string> | undefined> {
  const { address, tls } = await readTarget(settings);
  if (address.kind !== 'server') throw new TypeError(`Expected the address of one server but received ${address.kind}`);
  const { client, disconnect } = await makeServerClient(address, tls);
  try {
    const text = await within(timeoutMs, async () => {
      await client.connect();
      return client.info();
    });
    const lines = text.split('\r\n').filter(line => line.includes(':') && !line.startsWith('#'));
    return new Map(lines.map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
  } catch {
    return undefined;
  } finally {
    disconnect();
  }
}
