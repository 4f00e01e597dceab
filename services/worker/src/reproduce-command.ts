// The command that does again what a run did to one image, for a user to paste. For quarantine.ts.
import { canonicalJson } from '../../../shared/src/fingerprint.ts';
import { modelsOf } from '../../../shared/src/request.ts';
import type { RunRecord } from '../../../shared/src/run.ts';

/** `list` and `recipe` are files of `folder`, an absolute path; the output goes beside where the command is called. */
export function reproduceCommand(run: RunRecord, folder: string, list: string, recipe: string): string {
  const models = modelsOf(run.request);
  const words = ['npx', 'layertap', 'extract', `${folder}/${list}`];
  for (const { model, modelUrl, modelName } of models) {
    words.push('--model', `${modelName === undefined ? '' : `${modelName}=`}${modelUrl ?? model}`);
  }
  for (const { layers, modelName } of models) {
    for (const layer of layers) words.push('--layer', modelName === undefined ? layer : `${modelName}/${layer}`);
  }
  // A flag holds for all models: of several recipes, each is found where the run found it.
  if (new Set(models.map(model => canonicalJson(model.recipe))).size === 1)
    words.push('--recipe', `${folder}/${recipe}`);
  const engines = new Set(models.map(({ engine }) => engine));
  if (engines.size === 1) words.push('--engine', run.request.engine);
  words.push('--batch', '1', '--out', 'reproduction');
  return words.map(shellWord).join(' ');
}

function shellWord(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
