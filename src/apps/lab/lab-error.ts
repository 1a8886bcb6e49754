// What a lab cannot do, in plain words, with what to do about it.

/** Wrong use or a missing condition; `remedy` is a whole sentence, or empty. */
export class LabError extends Error {
  override readonly name = "LabError";
  readonly remedy: string;

  constructor(message: string, remedy = "") {
    super(message);
    this.remedy = remedy;
  }
}
