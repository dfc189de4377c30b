import type { Formats } from '../record-line.ts'

export interface DumpOptions {
  readonly showsRecords: boolean
  readonly fromOffset: number
  readonly formats: Formats
}

/** One thing of a file, in both forms. */
export interface DumpLine {
  /** Something is wrong with the file. */
  readonly isProblem?: boolean
  /** Without the line end; it may be several lines. */
  readonly text: () => string
  readonly json: () => Record<string, unknown>
}
