// The forms of a Redis address: one server, a cluster, a master behind Sentinels, a socket. For redis-connection.ts;
// redactUrl for all that print an address.
import { Refusal } from '../errors.ts';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

interface Common {
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** IP version, where the address asks for one. */
  readonly family: 4 | 6 | undefined;
}

export interface ServerAddress extends Common {
  readonly kind: 'server';
  readonly at: HostAndPort | { readonly path: string };
}

export interface ClusterAddress extends Common {
  readonly kind: 'cluster';
  readonly nodes: readonly HostAndPort[];
}

export interface SentinelAddress extends Common {
  readonly kind: 'sentinel';
  readonly sentinels: readonly HostAndPort[];
  readonly master: string;
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
}

export type RedisAddress = ServerAddress | ClusterAddress | SentinelAddress;

const FORMS =
  'redis://USER:PASSWORD@HOST:6379/DB, rediss://… for TLS, unix:///PATH, redis+cluster://HOST,HOST or redis+sentinel://HOST,HOST/MASTER';
const SERVER_PORT = 6379;
const SENTINEL_PORT = 26379;
const PARAMETERS = ['username', 'password', 'db', 'family', 'sentinel_username', 'sentinel_password'] as const;
type Parameter = (typeof PARAMETERS)[number];
const SCHEME = /^(?:(?:redis|valkey)(s?)(?:\+(cluster|sentinel))?|(unix)):\/\//i;
/** A password may hold `?`, `/`, `#` and `@` as they are: only what looks like a parameter of ours begins the query. */
const QUERY = new RegExp(`\\?(?=(?:${PARAMETERS.join('|')})=)`, 'i');

export function parseRedisUrl(url: string): RedisAddress {
  const form = SCHEME.exec(url);
  if (form === null) {
    if (url.startsWith('/')) return parseSocket(url, url);
    throw unreadable(url, `Write ${FORMS}.`);
  }
  const rest = url.slice(form[0].length);
  if (form[3] !== undefined) return parseSocket(url, rest);
  const { before, query } = splitQuery(url, rest);
  const { userinfo, after } = splitUserinfo(before);
  const [hosts = '', ...path] = after.split('/');
  const common = { tls: form[1] !== '', ...credentials(userinfo, query), family: familyOf(url, query) };
  switch (form[2]?.toLowerCase()) {
    case 'cluster':
      if (path.length > 1) throw unreadable(url, `Write ${FORMS}.`);
      return {
        kind: 'cluster',
        ...common,
        nodes: parseHosts(url, hosts, SERVER_PORT),
        database: databaseOf(url, path[0], query),
      };
    case 'sentinel': {
      const [master = '', database, ...more] = path;
      if (master === '' || more.length > 0)
        throw unreadable(url, 'Name the master after the hosts: redis+sentinel://HOST,HOST/MASTER or …/MASTER/DB.');
      return {
        kind: 'sentinel',
        ...common,
        sentinels: parseHosts(url, hosts, SENTINEL_PORT),
        master: decode(master),
        database: databaseOf(url, database, query),
        sentinelUsername: query.get('sentinel_username'),
        sentinelPassword: query.get('sentinel_password'),
      };
    }
    default: {
      const [at, ...others] = parseHosts(url, hosts === '' ? 'localhost' : hosts, SERVER_PORT);
      if (at === undefined || path.length > 1) throw unreadable(url, `Write ${FORMS}.`);
      if (others.length > 0)
        throw unreadable(url, 'Several hosts are redis+cluster://HOST,HOST or redis+sentinel://HOST,HOST/MASTER.');
      return { kind: 'server', ...common, at, database: databaseOf(url, path[0], query) };
    }
  }
}

/** The address without its passwords, also where it is malformed: for every message and log line. */
export function redactUrl(url: string): string {
  const scheme = /^(?:[a-z+]*:?\/\/)?/i.exec(url)?.[0] ?? '';
  const rest = url.slice(scheme.length);
  const at = QUERY.exec(rest)?.index ?? rest.length;
  const hidden = rest.slice(0, at).replace(/^(?!\/).*@/s, userinfo => {
    const user = userinfo.split(':')[0] ?? '';
    return userinfo.includes(':') ? `${user}:***@` : '***@';
  });
  return `${scheme}${hidden}${rest.slice(at).replace(/([?&])([^&]*)/g, (_, mark: string, text: string) => mark + redactParameter(text))}`;
}

/** A password that was not encoded may go on behind an `&`. */
function redactParameter(text: string): string {
  const name = text.slice(0, text.indexOf('='));
  if (/password$/i.test(name)) return `${name}=***`;
  return isParameter(name) ? text : '***';
}

function parseSocket(url: string, rest: string): ServerAddress {
  const { before, query } = splitQuery(url, rest);
  const { userinfo, after: path } = before.startsWith('/') ? { userinfo: '', after: before } : splitUserinfo(before);
  if (!path.startsWith('/') || path.length === 1)
    throw unreadable(url, 'Write unix:///PATH or unix://USER:PASSWORD@/PATH?db=N.');
  const common = { tls: false, ...credentials(userinfo, query), family: undefined };
  return { kind: 'server', ...common, at: { path: decode(path) }, database: databaseOf(url, undefined, query) };
}

function splitQuery(
  url: string,
  text: string,
): { readonly before: string; readonly query: ReadonlyMap<Parameter, string> } {
  const at = QUERY.exec(text)?.index ?? text.length;
  const query = new Map<Parameter, string>();
  for (const parameter of text.slice(at + 1).split('&')) {
    if (parameter === '') continue;
    const [name = '', ...value] = parameter.split('=');
    if (!isParameter(name) || value.length === 0)
      throw unreadable(
        url,
        `After the ? it takes ${PARAMETERS.join(', ')}; write & and = in a password as %26 and %3D.`,
      );
    query.set(name, decode(value.join('=')));
  }
  return { before: text.slice(0, at), query };
}

function splitUserinfo(text: string): { readonly userinfo: string; readonly after: string } {
  const at = text.lastIndexOf('@');
  return { userinfo: text.slice(0, Math.max(at, 0)), after: text.slice(at + 1) };
}

function credentials(userinfo: string, query: ReadonlyMap<Parameter, string>): Pick<Common, 'username' | 'password'> {
  const colon = userinfo.indexOf(':');
  const [username, password] = colon < 0 ? [userinfo, ''] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)];
  return {
    username: query.get('username') ?? (username === '' ? undefined : decode(username)),
    password: query.get('password') ?? (password === '' ? undefined : decode(password)),
  };
}

function parseHosts(url: string, text: string, defaultPort: number): readonly HostAndPort[] {
  return text.split(',').map(item => {
    const [, bracketed, plain, port] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(item.trim()) ?? [];
    const host = bracketed ?? plain;
    const number = port === undefined ? defaultPort : Number(port);
    if (host === undefined || number < 1 || number > 65_535) throw unreadable(url, `Write ${FORMS}.`);
    return { host, port: number };
  });
}

function databaseOf(url: string, path: string | undefined, query: ReadonlyMap<Parameter, string>): number {
  const text = path !== undefined && path !== '' ? path : (query.get('db') ?? '0');
  if (!/^\d{1,9}$/.test(text)) throw unreadable(url, 'The database is a number: redis://HOST:6379/2.');
  return Number(text);
}

function familyOf(url: string, query: ReadonlyMap<Parameter, string>): 4 | 6 | undefined {
  const text = query.get('family');
  if (text === undefined || text === '0') return undefined;
  if (text === '4' || text === '6') return Number(text) === 4 ? 4 : 6;
  throw unreadable(url, 'family is 4 or 6.');
}

function isParameter(name: string): name is Parameter {
  return PARAMETERS.some(known => known === name);
}

/** What is no percent encoding stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function unreadable(url: string, hint: string): Refusal {
  return new Refusal('bad-option', `Expected a Redis address for \`redis\` but received '${redactUrl(url)}'`, { hint });
}
