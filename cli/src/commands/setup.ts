// layertap setup: fetches and builds TensorFlow's library, which no other command does unless it is told `--prepare`.
import { examine, formatFindings } from '../../../setup/src/doctor.ts';
import { prepareTensorFlow } from '../../../setup/src/tensorflow-library.ts';
import { prepareBuildTools } from '../../../setup/src/tools.ts';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { defineCommand } from '../command.ts';

export const setup = defineCommand({
  name: 'setup',
  summary: "Fetch and build TensorFlow's library into the cache, then check this machine",
  positionals: '',
  options: outputOptions,
  async run({ options }): Promise<number> {
    await prepareBuildTools(line => process.stderr.write(`${line}\n`));
    const status = await prepareTensorFlow({ retryAfterMs: 0 });
    const findings = await examine();
    process.stdout.write(
      `${options.json ? JSON.stringify({ tensorflow: status, findings }) : formatFindings(findings)}\n`,
    );
    return status.available ? 0 : 1;
  },
});
