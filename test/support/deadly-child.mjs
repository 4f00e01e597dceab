// A double of the engine process that dies of rows: a job's `fingerprint` says of which. Plain JavaScript, since it starts often.
//
// `deadly 3 5`: of those rows. `deadly any`: of each. `deadly-start`: before it looks at any.
// `unlucky FILE`: somebody kills it while it looks at rows, as often as the file says.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

let turn = Promise.resolve();

process.on('disconnect', () => process.exit(1));
process.on('message', message => {
  turn = turn.then(() => work(message));
});

async function work({ type, key, job, attempt, rows, row, death }) {
  if (type === 'close') process.exit(0);
  if (type === 'quarantine') putAway(job, row, death);
  if (type === 'probe') await send({ type: 'log', level: 'info', message: 'probed', fields: { rows } });
  if (type === 'shard') {
    const { out, runId, shard } = job;
    await send({ type: 'progress', out, runId, shard, attempt, rows: 2, failed: 0, seconds: {} });
  }
  if (type !== 'quarantine' && dies(job, rows ?? rowsLeft(job))) process.kill(process.pid, 'SIGSEGV');
  await send({ type: 'done', key, receipt: { shard: job.shard, attempt } });
}

function dies(job, rows) {
  const [behaviour, ...details] = job.fingerprint.split(' ');
  if (behaviour === 'deadly-start') return true;
  if (rows.length === 0) return false;
  if (behaviour === 'deadly') return details[0] === 'any' || rows.some(row => details.includes(String(row)));
  const left = Number(readFileSync(details[0], 'utf8'));
  if (left > 0) writeFileSync(details[0], String(left - 1));
  return left > 0;
}

/** As quarantine.ts does it, without a copy. */
function putAway({ out, shard }, row, death) {
  const folder = `${out}/quarantine/000/000000-${row}`;
  mkdirSync(folder, { recursive: true });
  const sample = { sampleId: `row ${row}`, uri: '/nowhere', sha256: null, copy: null, reproduce: null };
  writeFileSync(`${folder}/crash.json`, JSON.stringify({ version: 1, shard, row, death, ...sample }));
}

function rowsLeft({ out }) {
  const { manifest } = JSON.parse(readFileSync(`${out}/run.json`, 'utf8'));
  const away = new Set();
  try {
    for (const name of readdirSync(`${out}/quarantine/000`)) away.add(Number(name.split('-')[1]));
  } catch {
    // There is no quarantine yet.
  }
  return Array.from({ length: manifest.rows }, (_, row) => row).filter(row => !away.has(row));
}

function send(message) {
  return new Promise(resolve => process.send(message, resolve));
}
