// Attributes of a traced kernel, with their types checked: TensorFlow.js does not declare them for a recorder.

type Attributes = Readonly<Record<string, unknown>>;

export function numberAttribute(attributes: Attributes, name: string): number {
  const value = attributes[name];
  if (typeof value !== 'number') throw new Error(`Expected a number for the attribute ${name} but received ${value}`);
  return value;
}

export function booleanAttribute(attributes: Attributes, name: string): boolean {
  return attributes[name] === true;
}

/** A list, or one number as a list of it. */
export function numbersAttribute(attributes: Attributes, name: string): readonly number[] {
  const value = attributes[name];
  if (typeof value === 'number') return [value];
  if (Array.isArray(value) && value.every(item => typeof item === 'number')) return value;
  throw new Error(`Expected numbers for the attribute ${name} but received ${value}`);
}

export function pairsAttribute(attributes: Attributes, name: string): readonly (readonly [number, number])[] {
  const value = attributes[name];
  if (!Array.isArray(value)) throw new Error(`Expected pairs for the attribute ${name} but received ${value}`);
  return value.map(pair => [Number(pair[0]), Number(pair[1])]);
}
