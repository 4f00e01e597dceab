// How a refusal tells whoever asks what to give: as flags of a command, or as options of `features`.

/** Who wants a recipe: a command line, or a call of `features`. */
export type RecipeAsker = 'command' | 'function';

/** Fields of a recipe as one would write them: `--scale 1/255 --mean 1`, or `{ recipe: { scale: 1 / 255, mean: 1 } }`. */
export function sayFields(asker: RecipeAsker, fields: Readonly<Record<string, string>>): string {
  const entries = Object.entries(fields);
  if (asker === 'command') return entries.map(([name, value]) => `--${name} ${value}`).join(' ');
  const options = entries.map(([name, value]) => {
    const [width, height] = value.split('x');
    return name === 'size' ? `width: ${width}, height: ${height}` : `${name}: ${value.replace('/', ' / ')}`;
  });
  return `{ recipe: { ${options.join(', ')} } }`;
}

/** A preset or a recipe file as one would write it. */
export function sayRecipe(asker: RecipeAsker, name: string): string {
  return asker === 'command' ? `--recipe ${name}` : `{ recipe: '${name}' }`;
}
