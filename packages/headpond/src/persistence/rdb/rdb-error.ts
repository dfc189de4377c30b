/** RDB bytes that cannot be what their writer wrote: cut short, damaged, or of a kind that we do not know. */
export class RdbError extends Error {
  readonly code = 'RDB_DAMAGED'
  /** Where in the reader's bytes the damage was noticed. */
  readonly atByte: number

  constructor(problem: string, atByte: number) {
    super(`${problem} (at byte ${atByte})`)
    this.name = 'RdbError'
    this.atByte = atByte
  }
}
