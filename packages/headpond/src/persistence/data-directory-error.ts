/** A directory or file that cannot be used: what to tell the one who started the server. */
export class DataDirectoryError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`)
    this.name = 'DataDirectoryError'
  }
}

/** Why a directory cannot be used, and what to do about it. */
export function directoryProblem(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  const reason = REASONS[code] ?? message
  return `the directory cannot be used: ${reason}. Set dir to another, or ephemeral to yes to keep nothing`
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left',
  EEXIST: 'there is a file of that name',
  ENOTDIR: 'there is a file in the way',
  ENOENT: 'it cannot be made',
}
