// layertap layers: what --layer can name in a model.
import type { LayerTable } from '../../../extractor/src/layer-table.ts';
import { type ModelFile, openModel } from '../../../extractor/src/model.ts';
import { resolveModel } from '../../../extractor/src/model-download.ts';
import { describeError, Refusal } from '../../../shared/src/errors.ts';
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
    const table = await tableWithShapes(model);
    if (options.json) {
      process.stdout.write(
        `${JSON.stringify({ path: model.path, format: model.format, sha256: model.sha256, ...table })}\n`,
      );
      return 0;
    }
    const hasUnsupported = table.layers.some(layer => layer.unsupported !== undefined);
    const rows = table.layers.map(layer => [
      String(layer.index),
      layer.name,
      layer.className,
      layer.outputShape.map(axis => axis ?? '?').join(' × '),
      String(layer.parameters),
      ...(hasUnsupported ? [layer.unsupported ?? ''] : []),
    ]);
    const titles = ['index', 'name', 'class', 'output shape', 'parameters'];
    const marked = hasUnsupported ? [...titles, 'cannot be taken, since'] : titles;
    process.stdout.write(`${formatTable(marked, rows)}\n`);
    return 0;
  },
});

/** A model that cannot be run can still be listed, with the shapes that its file holds. */
async function tableWithShapes(model: ModelFile): Promise<LayerTable> {
  try {
    return (await model.probeShapes?.()) ?? model.table;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`layertap: Shapes are as the file gives them. ${describeError(error)}\n`);
    return model.table;
  }
}
