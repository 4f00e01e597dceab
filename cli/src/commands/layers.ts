// layertap layers: what --layer can name in a model.
import { openModel } from '../../../extractor/src/model.ts';
import { resolveModel } from '../../../extractor/src/model-download.ts';
import { outputOptions } from '../../../shared/src/extract-options.ts';
import { defineCommand } from '../command.ts';
import { onlyPositional } from '../positional.ts';
import { formatTable } from '../table.ts';

export const layers = defineCommand({
  name: 'layers',
  summary: 'List the layers of a model: index, name, class, output shape, parameters',
  positionals: 'MODEL',
  options: outputOptions,
  async run({ options, positionals }): Promise<number> {
    const model = await openModel(await resolveModel(onlyPositional('layers', 'MODEL', positionals)));
    if (options.json) {
      process.stdout.write(
        `${JSON.stringify({ path: model.path, format: model.format, sha256: model.sha256, ...model.table })}\n`,
      );
      return 0;
    }
    const rows = model.table.layers.map(layer => [
      String(layer.index),
      layer.name,
      layer.className,
      layer.outputShape.map(axis => axis ?? '?').join(' × '),
      String(layer.parameters),
    ]);
    process.stdout.write(`${formatTable(['index', 'name', 'class', 'output shape', 'parameters'], rows)}\n`);
    return 0;
  },
});
