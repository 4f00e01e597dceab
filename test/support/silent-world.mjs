// The inside of a world without a network, for silent-world.ts: runs commands in namespaces of its own and tells what they tried to
// reach and which files they left. Plain JavaScript: `unshare` starts it, and nothing may be written for it.
//
//   unshare --net --mount --pid … node silent-world.mjs PLAN.json > REPORT.json
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as passed } from 'node:timers/promises';
import koffi from 'koffi';

/** Hidden under a file system in memory of this world alone. */
const STATE = '/mnt';
const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));

raiseLoopback();
mount('-t', 'tmpfs', 'tmpfs', STATE);
// A socket that is seen through an overlay answers nobody.
mkdirSync(join(STATE, 'door'));
mount('--bind', dirname(plan.redisSocket), join(STATE, 'door'));
const watched = watchFolders(['/tmp', '/var/tmp', '/dev/shm', homedir(), plan.root]);
const queries = await openNameServer();
await openDoorTo(join(STATE, 'door', basename(plan.redisSocket)));
const turns = openTurns(plan.atOnce);
const before = counters();
const chains = await Promise.all(plan.chains.map(runChain));
const after = counters();
const attempts = Object.fromEntries(Object.keys(after).map(name => [name, after[name] - before[name]]));
const strays = watched.flatMap(({ folder, upper }) => filesIn(upper).map(path => join(folder, path)));
process.stdout.write(JSON.stringify({ queries, attempts, strays, chains }));
process.exit(0);

/** A new network namespace has a loopback device, which is down. */
function raiseLoopback() {
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int, int, int)');
  const ioctl = libc.func('int ioctl(int, unsigned long, void *)');
  const [AF_INET, SOCK_DGRAM, SIOCSIFFLAGS, IFF_UP] = [2, 2, 0x8914, 1];
  const request = Buffer.alloc(40);
  request.write('lo');
  request.writeInt16LE(IFF_UP, 16);
  if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, request) !== 0) throw new Error('Expected to raise `lo`');
}

function mount(...args) {
  const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`Expected \`mount ${args.join(' ')}\` to work: ${error?.message ?? stderr}`);
}

/** What is written into them lies apart from now on: it is seen, and gone with this world. */
function watchFolders(folders) {
  const outermost = [...new Set(folders)]
    .filter(folder => existsSync(folder))
    .filter((folder, _, all) => !all.some(other => other !== folder && `${folder}/`.startsWith(`${other}/`)));
  return outermost.map((folder, index) => {
    const [upper, work] = ['upper', 'work'].map(name => join(STATE, `watch-${index}`, name));
    mkdirSync(upper, { recursive: true });
    mkdirSync(work);
    mount('-t', 'overlay', 'overlay', '-o', `lowerdir=${folder},upperdir=${upper},workdir=${work}`, folder);
    return { folder, upper };
  });
}

/** The only one there is; it knows no name. */
async function openNameServer() {
  const files = { '/etc/resolv.conf': 'nameserver 127.0.0.1\n', '/etc/nsswitch.conf': 'hosts: files dns\n' };
  for (const [path, text] of Object.entries(files)) {
    const own = join(STATE, path.replaceAll('/', '-'));
    writeFileSync(own, text);
    if (existsSync(path)) mount('--bind', own, path);
  }
  if (existsSync('/run/nscd')) mount('-t', 'tmpfs', 'tmpfs', '/run/nscd');
  const asked = [];
  const server = createSocket('udp4');
  server.on('message', (query, { port, address }) => {
    asked.push(
      query
        .subarray(13, query.indexOf(0, 13))
        .toString('latin1')
        .replace(/[^\w-]/g, '.'),
    );
    const answer = Buffer.from(query);
    answer[2] |= 0x80;
    answer[3] = (answer[3] & 0xf0) | 3;
    server.send(answer, port, address);
  });
  await new Promise(resolve => server.bind(53, '127.0.0.1', resolve));
  return asked;
}

/** Redis lies outside: a socket of the file system reaches it from any network namespace. */
async function openDoorTo(path) {
  const server = createServer(inside => {
    const outside = connect(path);
    inside.on('error', () => outside.destroy()).pipe(outside);
    outside.on('error', () => inside.destroy()).pipe(inside);
  });
  await new Promise(resolve => server.listen(6379, '127.0.0.1', resolve));
}

/** Every attempt to leave counts here, whatever library makes it and whatever it does about the error. */
function counters() {
  const tables = ['/proc/net/snmp', '/proc/net/snmp6'].map(path =>
    existsSync(path) ? readFileSync(path, 'utf8') : '',
  );
  const four = name => {
    const [, table, field] = /^(\w+?)(?:\.)(\w+)$/.exec(name);
    const [names, values] = tables[0].split('\n').filter(line => line.startsWith(`${table}:`));
    return Number(values.split(' ')[names.split(' ').indexOf(field)]);
  };
  return {
    'IPv4 without a route': four('Ip.OutNoRoutes'),
    'IPv6 without a route': Number(/^Ip6OutNoRoutes\s+(\d+)/m.exec(tables[1])?.[1] ?? 0),
    'TCP refused on loopback': four('Tcp.AttemptFails'),
    'UDP refused on loopback': four('Udp.NoPorts'),
  };
}

/** How many steps are at work at a time; what is ready and only stays does not count. */
function openTurns(free) {
  const waiting = [];
  return {
    take: async () => (free > 0 ? free-- : new Promise(resolve => waiting.push(resolve))),
    give: () => (waiting.length > 0 ? waiting.shift()() : free++),
  };
}

/** One step after the other, in a home, a working directory and a folder for temporary files of their own. */
async function runChain({ name, home, env = {}, steps, seconds = 0, until }) {
  const folder = join(STATE, name);
  const places = Object.fromEntries(['home', 'tmp', 'cwd', 'out', 'cache'].map(place => [place, join(folder, place)]));
  for (const place of Object.values(places)) mkdirSync(place, { recursive: true });
  if (home === 'read-only') mount('-t', 'tmpfs', '-o', 'ro', 'tmpfs', places.home);
  const fill = text => text.replaceAll(/\{(\w+)\}/g, (_, place) => places[place]);
  const environment = more => {
    const given = Object.entries({ ...env, ...more }).map(([key, value]) => [key, fill(value)]);
    return { PATH: process.env.PATH, HOME: places.home, TMPDIR: places.tmp, ...Object.fromEntries(given) };
  };
  const launch = step =>
    watch(
      spawn(process.execPath, step.args.map(fill), {
        cwd: places.cwd,
        env: environment(step.env),
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
      step,
    );
  const results = [];
  const kept = [];
  for (const step of steps) {
    await turns.take();
    const running = launch(step);
    if (step.keep) {
      kept.push(running);
      await running.ready;
    } else results.push(await running.ended);
    turns.give();
  }
  for (let second = 0; second < seconds && !queries.includes(until); second++) await passed(1000);
  for (const { child } of kept) child.kill('SIGTERM');
  for (const { ended } of kept) results.push(await ended);
  const left = ['home', 'tmp', 'cwd'].flatMap(place => filesIn(places[place]).map(path => join(place, path)));
  return { name, results, left };
}

/** A process that is kept is ready when it printed what its step waits for. */
function watch(child, { args, says }) {
  const timer = setTimeout(() => child.kill('SIGKILL'), plan.stepSeconds * 1000);
  let output = '';
  let tell;
  const ready = new Promise(resolve => {
    tell = resolve;
  });
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', text => {
      output = (output + text).slice(-4000);
      if (says !== undefined && output.includes(says)) tell();
    });
  const ended = new Promise(resolve => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      tell();
      resolve({ args, end: signal ?? code, output });
    });
  });
  return { child, ready, ended };
}

/** Of all kinds but folders that hold something, relative. */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory() || readdirSync(join(entry.parentPath ?? entry.path, entry.name)).length === 0)
    .map(entry => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
}
