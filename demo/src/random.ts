// Seeded random numbers for the demo: the same seed gives the same images on every machine and in every run.

export interface Random {
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Uniform over the integers low … high, both included. */
  integer(low: number, high: number): number;
  pick<T>(choices: readonly T[]): T;
}

/** A stream of numbers that depends on nothing but its keys, so that image 7 is the same whether or not image 6 was made. */
export function createRandom(...keys: readonly number[]): Random {
  let state = keys.reduce((hash, key) => scramble(hash ^ scramble(key + GOLDEN)), GOLDEN);
  // Weyl sequence through a bijective mix: period 2^32, far beyond what one image draws.
  const next = (): number => {
    state = (state + GOLDEN) >>> 0;
    return scramble(state) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + (high - low) * next();
  const integer = (low: number, high: number): number => Math.floor(between(low, high + 1));
  return {
    between,
    integer,
    pick<T>(choices: readonly T[]): T {
      const choice = choices[integer(0, choices.length - 1)];
      if (choice === undefined) throw new Error('Expected at least one choice to pick from');
      return choice;
    },
  };
}

/** 2^32 ÷ golden ratio: odd, with well spread bits. */
const GOLDEN = 0x9e3779b9;

/** Finaliser of 32 bits: every input bit reaches every output bit. */
function scramble(value: number): number {
  let bits = value >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return (bits ^ (bits >>> 15)) >>> 0;
}
