// Rows of one policy as a number and a digest: see plan/row-digest.ts.

export interface RowSum {
  readonly rows: number;
  /** 16 hexadecimal digits, whatever the order of the rows. */
  readonly digest: string;
}

/** True if both are of the same rows. */
export function sameRows(a: RowSum, b: RowSum): boolean {
  return a.rows === b.rows && a.digest === b.digest;
}
