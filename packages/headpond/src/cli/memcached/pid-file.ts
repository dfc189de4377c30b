import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** Writes the file whole, beside its place first: who sees it sees a number. */
export function writePidFile(path: string, warn: (message: string) => void): void {
  try {
    const other = Number.parseInt(readFileSync(path, 'latin1'), 10)
    if (Number.isInteger(other) && isRunning(other)) {
      warn(`WARNING: The pid file contained the following (running) pid: ${other}`)
    }
  } catch {
    // There is none yet.
  }
  try {
    writeFileSync(`${path}.tmp`, `${process.pid}\n`)
    renameSync(`${path}.tmp`, path)
  } catch (error) {
    warn(`Could not open the pid file ${path} for writing: ${(error as Error).message}`)
  }
}

export function removePidFile(path: string, warn: (message: string) => void): void {
  try {
    rmSync(path)
  } catch (error) {
    warn(`Could not remove the pid file ${path}: ${(error as Error).message}`)
  }
}

function isRunning(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch {
    return false
  }
}
