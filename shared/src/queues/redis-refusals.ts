// Says what a Redis lacks: why it could not be reached, or why it will not do. For the files beside it.
import { describeError, hasErrorCode, Refusal, type RefusalCode } from '../errors.ts';

/** Whom the address makes expect: decides what helps. */
export type RedisKind = 'server' | 'cluster' | 'sentinel';

interface Explanation {
  /** `queue-unreachable`: may mend itself, a worker waits for it. `queue-unsuitable`: somebody has to do something. */
  readonly code: RefusalCode;
  readonly received: string;
  readonly hint: string;
}

const CERTIFICATE =
  /SELF_SIGNED|UNABLE_TO|CERT_|ALTNAME|self[- ]signed|unable to (?:get|verify)|certificate (?:has expired|is not yet valid)|does not match certificate/i;
/** `docs` is where a user of the package and one of the repository find it alike. */
export const RIGHTS_HINT =
  'It needs the keys of the queue, +@read +@write +@connection +eval +evalsha +time +info and +client|list; docs/scaling.md has the ACL line.';

/** @param expected such as `a Redis server at redis://HOST` */
export function explainFailure(error: unknown, expected: string, kind: RedisKind = 'server'): Refusal {
  const { code, received, hint } = explain(error, kind);
  return new Refusal(code, `Expected ${expected} but received ${received}`, { hint, cause: error });
}

function explain(error: unknown, kind: RedisKind): Explanation {
  const text = describeFailure(error).replace(/\s+/g, ' ').trim();
  const unsuitable = 'queue-unsuitable';
  const passwords =
    kind === 'sentinel'
      ? 'after the master: …/MASTER?sentinel_password=PASSWORD'
      : 'in the address: redis://USER:PASSWORD@HOST:6379';
  if (/WRONGPASS|invalid password|invalid username|Client sent AUTH/i.test(text)) {
    return { code: unsuitable, received: 'a refusal of the password', hint: `Correct it ${passwords}.` };
  }
  if (/NOAUTH|DENIED/.test(text)) {
    return { code: unsuitable, received: 'a request for a password', hint: `Add it ${passwords}.` };
  }
  if (/NOPERM|ACL failure|can't (?:access|run)|no permissions/i.test(text)) {
    return { code: unsuitable, received: `a lack of rights (${text})`, hint: RIGHTS_HINT };
  }
  if (/unknown command.*sentinel/i.test(text)) {
    const hint = 'Write redis:// for that server, or name the port of the Sentinels, as a rule 26379.';
    return { code: unsuitable, received: 'a Redis server, which is no Sentinel', hint };
  }
  if (/cluster support disabled/i.test(text)) {
    return {
      code: unsuitable,
      received: 'a server that is no part of one',
      hint: 'Write redis:// instead of redis+cluster://.',
    };
  }
  if (/OOM command not allowed/.test(text)) {
    return { code: 'queue-unreachable', received: 'one whose memory of Redis is full', hint: FULL_HINT };
  }
  if (/READONLY|MISCONF|NOREPLICAS|CLUSTERDOWN|MASTERDOWN|LOADING/.test(text)) {
    return {
      code: 'queue-unreachable',
      received: `one that cannot be written to (${text})`,
      hint: 'Wait until it can, or mend the server.',
    };
  }
  if (CERTIFICATE.test(text) || CERTIFICATE.test(codeOf(error))) {
    const hint = 'Name the certificate of who signed it in REDIS_TLS_CA_FILE, and the server as its certificate does.';
    return { code: unsuitable, received: `a certificate that is not trusted (a TLS error: ${text})`, hint };
  }
  if (/alert|handshake failure/i.test(text) && /SSL|TLS/i.test(`${text}${codeOf(error)}`)) {
    const hint = 'It may ask for a client certificate: REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE.';
    return { code: unsuitable, received: `a refusal of the encryption (a TLS error: ${text})`, hint };
  }
  if (/SSL|TLS|wrong version number/i.test(text)) {
    return {
      code: unsuitable,
      received: `a TLS error (${text})`,
      hint: 'Use rediss:// with TLS and redis:// without.',
    };
  }
  if (hasCode(error, 'EACCES')) {
    return {
      code: unsuitable,
      received: 'a socket that this user may not open (EACCES)',
      hint: 'Set unixsocketperm of Redis, or the group of this user.',
    };
  }
  if (hasCode(error, 'ECONNRESET') || hasCode(error, 'EPIPE') || /Connection is closed/.test(text)) {
    const hint =
      'It ends the connection: rediss:// is with TLS, redis:// without, and REDIS_TLS_CERT_FILE is for a server that asks for a client certificate.';
    const detail = hasCode(error, 'ECONNRESET') ? 'ECONNRESET' : text;
    return { code: 'queue-unreachable', received: `no answer (${detail})`, hint };
  }
  if (causesOf(error).some(cause => cause instanceof Error && cause.name === 'ReplyError')) {
    return {
      code: unsuitable,
      received: `an error (${text})`,
      hint: 'docs/scaling.md says what the queue needs of a server.',
    };
  }
  const code = ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'ENOENT'].find(
    code => hasCode(error, code),
  );
  const hint =
    kind === 'server'
      ? 'Start one (`docker run -p 6379:6379 redis:7`, or `redis-server`), or correct the address in `--redis`.'
      : 'Start it, or correct the address in `--redis`.';
  const detail = code === undefined || kind === 'cluster' ? text : code;
  return { code: 'queue-unreachable', received: `no answer (${detail})`, hint };
}

export const FULL_HINT =
  'Raise its maxmemory (a waiting shard takes about a kilobyte), then run `npx layertap resume`: nothing is lost.';

/** With what a cluster keeps apart: the last error of a node. */
export function describeFailure(error: unknown): string {
  const text = describeError(error);
  const node = error instanceof Error && 'lastNodeError' in error ? describeError(error.lastNodeError) : '';
  return node === '' || text.includes(node) ? text : `${text} ${node}`;
}

function codeOf(error: unknown): string {
  return causesOf(error)
    .map(cause => (cause instanceof Error && 'code' in cause ? String(cause.code) : ''))
    .join(' ');
}

function hasCode(error: unknown, code: string): boolean {
  return causesOf(error).some(cause => hasErrorCode(cause, code));
}

/** The error with what caused it: by hand, a cluster's last node, or several attempts at once (one host, two addresses). */
function causesOf(error: unknown): readonly unknown[] {
  if (!(error instanceof Error)) return [];
  const inner = [
    error.cause,
    'lastNodeError' in error ? error.lastNodeError : undefined,
    ...(error instanceof AggregateError ? error.errors : []),
  ];
  return [error, ...inner.flatMap(causesOf)];
}
