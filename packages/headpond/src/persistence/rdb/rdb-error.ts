/** RDB bytes that cannot be what their writer wrote: cut short, damaged, or of a kind that we do not know. */
export class RdbError extends Error {
  readonly code: string = 'RDB_DAMAGED'
  readonly problem: string
  /** Where in the reader's bytes, or in the file, the damage was noticed. */
  readonly atByte: number

  constructor(problem: string, atByte: number) {
    super(`${problem} (at byte ${atByte})`)
    this.name = 'RdbError'
    this.problem = problem
    this.atByte = atByte
  }
}

/** The reader has come to the end of its bytes. Where more can be had, reading may begin anew with so many more. */
export class RdbTruncated extends RdbError {
  /** Bytes that must lie from `atByte` on. */
  readonly neededBytes: number

  constructor(problem: string, atByte: number, neededBytes: number) {
    super(problem, atByte)
    this.neededBytes = neededBytes
  }
}

/** A collection without elements, which a defect of old versions of Redis could write: files are read without it. */
export class RdbEmptyValue extends RdbError {}
