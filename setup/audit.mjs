// npm run audit: the registry's audit of what a user installs. Says so where the registry does not answer such questions.
import { spawnSync } from 'node:child_process';

const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  encoding: 'utf8',
  timeout: 120_000,
  maxBuffer: 64 * 1024 * 1024,
});
const report = parse(stdout);
if (report?.metadata === undefined) {
  const reason = report?.message ?? report?.error?.summary ?? error?.message ?? 'it gave no report';
  console.log(
    `The registry does not audit: ${firstLine(reason)}. Nothing was checked; SECURITY.md says what is known.`,
  );
  process.exit(0);
}
const found = Object.values(report.vulnerabilities);
for (const { name, severity, range, via } of found) {
  const titles = via.map(cause => (typeof cause === 'string' ? `through ${cause}` : `${cause.title} (${cause.url})`));
  console.log(`${severity}: ${name} ${range}: ${titles.join('; ')}`);
}
const { dependencies } = report.metadata;
console.log(
  `${found.length} of ${dependencies.prod + dependencies.optional} packages have known problems: see SECURITY.md for each.`,
);
process.exit(found.length === 0 ? 0 : 1);

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function firstLine(text) {
  return String(text)
    .trim()
    .split('\n')[0]
    .replace(/https?:\/\/\S+/g, 'the registry');
}
