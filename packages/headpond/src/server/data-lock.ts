import { statSync } from 'node:fs'
import { createConnection, createServer, type Server } from 'node:net'
import { DataDirectoryError } from '../persistence/data-directory-error.ts'

/**
 * Two servers that append to one file would ruin it; files of different names may lie side by side, as in Redis. The one
 * that has it listens on a Unix socket in Linux's abstract namespace, named after the directory and the file: nothing is
 * left behind, and whatever ends the process gives it back. Other systems have no such names, and no lock.
 */
export class DataLock {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** Rejects with DataDirectoryError when another server has it. */
  static async take(dir: string, appendDirectoryName: string, appendFileName: string): Promise<DataLock | null> {
    if (process.platform !== 'linux') return null
    const { dev, ino } = statSync(dir)
    const path = `\0headpond-append-only:${dev}:${ino}:${appendDirectoryName}/${appendFileName}`
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end(String(process.pid))
    })
    const isTaken = await new Promise<boolean>((resolve) => {
      // Anything but an address in use means that there are no such names here.
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'))
      server.listen(path, () => resolve(false))
    })
    if (isTaken) {
      const holder = await holderOf(path)
      throw new DataDirectoryError(
        dir,
        `another Headpond${holder} keeps its data here. Stop that one, or set dir to a directory of this one's own`,
      )
    }
    server.unref()
    return new DataLock(server)
  }

  release(): void {
    this.#server.close()
  }
}

/** ` (pid 7)`, or nothing when it has just ended. */
function holderOf(path: string): Promise<string> {
  return new Promise((resolve) => {
    let pid = ''
    createConnection(path)
      .on('data', (bytes) => (pid += bytes))
      .on('error', () => {})
      .on('close', () => resolve(pid === '' ? '' : ` (pid ${pid})`))
  })
}
