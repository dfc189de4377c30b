/** What was asked for cannot be done: one line for standard error, and exit code 1. */
export class ShellError extends Error {
  override readonly name = 'ShellError'
}
