// Amounts of bytes as people write and read them: powers of 1000.

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `1.5 MB` */
export function formatBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${UNITS[power]}`;
}

/** `10GB`, `1.5 MB`, `2GiB` (powers of 1024), `1000`; undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  const [, amount, unit = '', binary] = /^(\d+(?:\.\d+)?)\s*(?:([kmgtp])(i)?)?b?$/i.exec(text.trim()) ?? [];
  if (amount === undefined) return undefined;
  const power = unit === '' ? 0 : 'kmgtp'.indexOf(unit.toLowerCase()) + 1;
  return Math.round(Number(amount) * (binary === undefined ? 1000 : 1024) ** power);
}
