import { closeSync, constants, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'

/**
 * The one file that is appended to: as little of a file as that takes, so that a test can put a disk in its place that is
 * full or broken.
 */
export interface LogFile {
  readonly sizeBytes: number
  /** Appends bytes[start, end). Returns how many were written, which may be fewer. Throws the system's error. */
  write(bytes: Uint8Array, start: number, end: number): number
  truncate(sizeBytes: number): void
  /** Makes what was written last, without waiting for it. */
  sync(callback: (error: Error | null) => void): void
  syncNow(): void
  /** Nothing is under way any more. */
  close(): void
}

export type OpenLogFile = (path: string) => LogFile

/** Opens a file of the file system, which is made if it is not there. */
export function openLogFile(path: string): LogFile {
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o644)
  return {
    sizeBytes: fstatSync(fd).size,
    write: (bytes, start, end) => writeSync(fd, bytes, start, end - start),
    truncate: (sizeBytes) => ftruncateSync(fd, sizeBytes),
    sync: (callback) => fdatasync(fd, callback),
    syncNow: () => fdatasyncSync(fd),
    close: () => closeSync(fd),
  }
}
