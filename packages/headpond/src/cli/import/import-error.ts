/** What stops an import, to be told to whoever began it. */
export class ImportError extends Error {
  override readonly name = 'ImportError'
}
