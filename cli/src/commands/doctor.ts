// layertap doctor: one line for each piece that layertap stands on, with a fix for what is missing.
import { examine, formatFindings } from '../../../setup/src/doctor.ts';
import { fitAdvice } from '../../../shared/src/advice.ts';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { defineCommand } from '../command.ts';

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Check what this machine has: engines, Redis, Docker, cache, processor, memory',
  positionals: '',
  options: outputOptions,
  async run({ options }): Promise<number> {
    const findings = await examine();
    process.stdout.write(`${options.json ? JSON.stringify(findings) : fitAdvice(formatFindings(findings))}\n`);
    return 0;
  },
});
