// What a connection to Redis is made from: the address, read, with its certificates. For redis-connection.ts.
import { readFile } from 'node:fs/promises';
import { describeError, Refusal } from '../errors.ts';
import { parseRedisUrl, type RedisAddress, redactUrl } from './redis-address.ts';

/** Where Redis is and how it is spoken to. */
export interface RedisSettings {
  /** redis://, rediss://, unix://, redis[s]+cluster:// or redis[s]+sentinel:// with user and password where needed. */
  readonly url: string;
  /** Begin of all keys. @default 'bull' */
  readonly prefix?: string | undefined;
  /** Certificates of who signed the server's, in place of those that Node trusts. */
  readonly tlsCaFile?: string | undefined;
  /** This client's own certificate, for servers that ask for one. */
  readonly tlsCertFile?: string | undefined;
  readonly tlsKeyFile?: string | undefined;
  /** Works with a server that may drop jobs when its memory is full. @default false */
  readonly allowEviction?: boolean | undefined;
}

export interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface RedisTarget {
  readonly address: RedisAddress;
  /** The address without its passwords. */
  readonly shown: string;
  /** Undefined without TLS. */
  readonly tls: TlsFiles | undefined;
}

export async function readTarget(settings: RedisSettings): Promise<RedisTarget> {
  const address = parseRedisUrl(settings.url);
  const shown = redactUrl(settings.url);
  const { tlsCaFile, tlsCertFile, tlsKeyFile } = settings;
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined)) {
    throw new Refusal('bad-option', 'Expected a client certificate for Redis together with its key', {
      hint: 'Set REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE, or neither.',
    });
  }
  if (!address.tls) {
    if (tlsCaFile === undefined && tlsCertFile === undefined) return { address, shown, tls: undefined };
    throw new Refusal(
      'bad-option',
      `Expected an address with TLS for the certificates of Redis but received ${shown}`,
      {
        hint: 'Write rediss:// (rediss+cluster://, rediss+sentinel://), or unset REDIS_TLS_CA_FILE and REDIS_TLS_CERT_FILE.',
      },
    );
  }
  const tls: TlsFiles = {
    ...(tlsCaFile !== undefined && { ca: await readPem(tlsCaFile, 'REDIS_TLS_CA_FILE') }),
    ...(tlsCertFile !== undefined && { cert: await readPem(tlsCertFile, 'REDIS_TLS_CERT_FILE') }),
    ...(tlsKeyFile !== undefined && { key: await readPem(tlsKeyFile, 'REDIS_TLS_KEY_FILE') }),
  };
  return { address, shown, tls };
}

async function readPem(path: string, name: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new Refusal(
      'bad-option',
      `Expected a readable PEM file for ${name} but received '${path}' (${describeError(error)})`,
      {
        cause: error,
      },
    );
  });
  if (bytes.includes('-----BEGIN ')) return bytes;
  throw new Refusal('bad-option', `Expected a PEM file for ${name} but received '${path}', which has no BEGIN line`, {
    hint: 'Convert it: openssl x509 -inform der -in FILE -out FILE.pem',
  });
}
