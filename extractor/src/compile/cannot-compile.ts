// Why a model stays on the engine that it has: no failure of the run, so no Refusal until the user insists on it.

export class CannotCompile extends Error {
  /** @param reason ends the sentence "The model cannot be compiled: …" */
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'CannotCompile';
  }
}
