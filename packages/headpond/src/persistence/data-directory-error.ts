/** A directory or file that cannot be used: what to tell the one who started the server. */
export class DataDirectoryError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`)
    this.name = 'DataDirectoryError'
  }
}
