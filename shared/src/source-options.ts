// What the user says about a source, beside where it is. Kept in run.json, so that `extend` reads it the same way.
import { z } from 'zod';

const name = z.string().min(1);

export const sourceOptions = {
  followLinks: z.boolean().default(false).meta({
    description: 'In a folder, follow links to folders, and to images outside of it',
  }),
  pathColumn: name.optional().meta({
    description: 'Column of a list that holds the paths; without it, the first of a known name',
    value: 'NAME',
  }),
  labelColumn: name.optional().meta({ description: 'Column of a list that is carried as `label`', value: 'NAME' }),
  carry: z.array(name).min(1).optional().meta({
    description: 'Columns of a list that are carried into the output; without it, all of them',
    value: 'NAME',
  }),
  noCarry: z.boolean().default(false).meta({ description: 'Carry no column of a list into the output' }),
} as const;

/** Those that are not at their default; undefined where all are. */
export const SourceSettings = z.strictObject({
  followLinks: z.literal(true).optional(),
  pathColumn: name.optional(),
  labelColumn: name.optional(),
  carry: z.array(name).optional(),
  noCarry: z.literal(true).optional(),
});
export type SourceSettings = z.output<typeof SourceSettings>;

export function sourceSettings(options: z.output<z.ZodObject<typeof sourceOptions>>): SourceSettings | undefined {
  const { followLinks, pathColumn, labelColumn, carry, noCarry } = options;
  const settings: SourceSettings = {
    ...(followLinks && { followLinks }),
    ...(pathColumn !== undefined && { pathColumn }),
    ...(labelColumn !== undefined && { labelColumn }),
    ...(carry !== undefined && { carry: [...carry] }),
    ...(noCarry && { noCarry }),
  };
  return Object.keys(settings).length === 0 ? undefined : settings;
}
