// Images that are whole for everybody, and deadly for processes with the faults of poison.mjs.
import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';

/** See FAULTS in poison.mjs. */
export type Fault = 'segfault' | 'abort' | 'killed' | 'memory' | 'hang';

/** The environment of processes that die of them. The heap is small, so that it is soon full. */
export const POISON_ENVIRONMENT: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `--import ${new URL('poison.mjs', import.meta.url)} --max-old-space-size=128`,
};

/** Deadly to decode, each time. */
export async function writePoison(path: string, fault: Fault): Promise<void> {
  await writeMarked(path, fault);
}

/** Kills the processes that decode it for as often as the number in `counter` says, and never again. */
export async function writeUnlucky(path: string, counter: string, deaths: number): Promise<void> {
  await writeFile(counter, String(deaths));
  await writeMarked(path, `unlucky ${counter}`);
}

/** Deadly for ONNX Runtime, not for the decoder. */
export async function writeInferencePoison(path: string): Promise<void> {
  await sharp({ create: { width: 40, height: 40, channels: 3, background: '#777777' } })
    .png()
    .toFile(path);
}

/** Decoders ignore what follows the end of a PNG. */
async function writeMarked(path: string, mark: string): Promise<void> {
  const image = sharp({ create: { width: 40, height: 30, channels: 3, background: '#123456' } });
  await writeFile(path, Buffer.concat([await image.png().toBuffer(), Buffer.from(`layertap-poison:${mark}`)]));
}
