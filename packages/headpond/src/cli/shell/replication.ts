import { type FileHandle, open } from 'node:fs/promises'
import { type RemoteError, systemWords } from '../../net/remote-socket.ts'
import type { RemoteClient } from '../../resp/remote-client.ts'
import { errorText, formatReply } from './format.ts'
import type { Session } from './session.ts'
import { ShellError } from './shell-error.ts'

const MARK_BYTES = 40
const NEWLINE = 0x0a
/** A server puts a replica to use when it acknowledges, and drops one that stops doing so. */
const ACKNOWLEDGE_EVERY_MS = 1000

/** A snapshot in the answer to SYNC: its size tells where it ends, or a mark that follows it. */
type SnapshotEnd = { readonly sizeBytes: number } | { readonly mark: Buffer }

/** `--replica`, and SYNC: what a replica is told of the writes, as comma-separated values, as long as there is a connection. */
export async function followWrites(session: Session): Promise<never> {
  const { console } = session
  const client = await session.client()
  await configure(session, 'capa', 'eof')
  await configure(session, 'rdb-filter-only', '')
  const lost = new Promise<RemoteError>((resolve) => (client.onLost = resolve))
  const { hadMark, sizeBytes, rest } = await receiveSnapshot(
    client,
    (end) => {
      const what =
        'sizeBytes' in end ? `${end.sizeBytes} bytes of bulk transfer` : 'bytes of bulk transfer until EOF marker'
      console.printError(`SYNC with master, discarding ${what}...`)
    },
    () => {},
  )
  console.printError(`SYNC done${hadMark ? ` after ${sizeBytes} bytes` : ''}. Logging commands from master.`)
  client.onUnasked = (write) =>
    void console.write(formatReply(write, { form: 'csv', delimiter: '', replyDelimiter: '' }))
  client.readReplies(rest)
  const acknowledge = () => void client.send(Buffer.from('REPLCONF ACK 0\r\n'))
  const timer = setInterval(acknowledge, ACKNOWLEDGE_EVERY_MS)
  acknowledge()
  const { message } = await lost
  clearInterval(timer)
  throw new ShellError(`Error: ${message}`)
}

/** `--rdb` and `--functions-rdb`: a snapshot of the server's data in a file. */
export async function fetchSnapshot(session: Session): Promise<number> {
  const { console, options } = session
  const client = await session.client()
  await configure(session, 'capa', 'eof')
  await configure(session, 'rdb-only', '1')
  if (options.mode === 'functions-rdb' && !(await configure(session, 'rdb-filter-only', 'functions'))) {
    throw new ShellError('Failed requesting functions only RDB from server, aborting')
  }
  const path = options.rdbFile
  const file = path === '-' ? null : await openForWriting(path)
  try {
    const { hadMark, sizeBytes } = await receiveSnapshot(
      client,
      (end) => {
        const what = 'sizeBytes' in end ? `${end.sizeBytes} bytes` : 'bytes of bulk transfer until EOF marker'
        console.printError(`SYNC sent to master, writing ${what} to '${path}'`)
      },
      async (bytes) => {
        if (file !== null) await writeAll(file, bytes)
        else if (!console.write(bytes.toString('latin1'))) await console.drained()
      },
    )
    client.close()
    await file?.sync()
    console.printError(`Transfer finished with success${hadMark ? ` after ${sizeBytes} bytes` : '.'}`)
    return 0
  } finally {
    await file?.close()
  }
}

/** Tells the server what kind of replica this is. False when it is refused, which older servers do. */
async function configure(session: Session, name: string, value: string): Promise<boolean> {
  session.console.printError(`sending REPLCONF ${name} ${value}`)
  const reply = await session.call('REPLCONF', name, value)
  if (reply.kind !== 'error') return true
  session.console.printError(`REPLCONF ${name} error: ${errorText(reply)}`)
  return false
}

async function openForWriting(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o644)
  } catch (error) {
    throw new ShellError(`Error opening '${path}': ${systemWords(error)}`)
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  try {
    await file.writeFile(bytes)
  } catch (error) {
    throw new ShellError(`Error writing data to file: ${systemWords(error)}`)
  }
}

/**
 * Sends SYNC, and gives the snapshot to `take` piece by piece, reading no further while it works. What comes behind the
 * snapshot are requests, `rest` the first of them. Rejects with ShellError.
 */
function receiveSnapshot(
  client: RemoteClient,
  begin: (end: SnapshotEnd) => void,
  take: (bytes: Buffer) => Promise<void> | void,
): Promise<{ hadMark: boolean; sizeBytes: number; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let head: Buffer = Buffer.alloc(0)
    let end: SnapshotEnd | undefined
    let held: Buffer = Buffer.alloc(0) // may be the beginning of the mark
    let sizeBytes = 0

    let working: Promise<void> = Promise.resolve()

    const lostBefore = client.onLost
    client.onLost = (error) => {
      lostBefore(error)
      const what = end === undefined ? 'bulk length' : 'RDB payload'
      // What is being taken may have been the rest.
      void working.then(() => reject(new ShellError(`Error reading ${what} while SYNCing: ${error.message}`)))
    }
    const finish = (rest: Buffer) => {
      client.onLost = lostBefore
      resolve({ hadMark: end !== undefined && 'mark' in end, sizeBytes, rest })
    }
    const receive = async (bytes: Buffer) => {
      if (end === undefined) {
        head = Buffer.concat([head, bytes])
        // Newlines alone tell that the server is still preparing.
        const start = head.findIndex((byte) => byte !== NEWLINE)
        const lineEnd = start < 0 ? -1 : head.indexOf(NEWLINE, start)
        if (lineEnd < 0) return
        end = snapshotEndOf(head.toString('latin1', start, lineEnd).trimEnd())
        begin(end)
        bytes = head.subarray(lineEnd + 1)
      }
      if ('sizeBytes' in end) {
        const taken = bytes.subarray(0, end.sizeBytes - sizeBytes)
        sizeBytes += taken.length
        await take(taken)
        if (sizeBytes === end.sizeBytes) finish(bytes.subarray(taken.length))
        return
      }
      const all = Buffer.concat([held, bytes])
      const markAt = all.indexOf(end.mark)
      const takenBytes = markAt >= 0 ? markAt : Math.max(0, all.length - MARK_BYTES + 1)
      held = all.subarray(takenBytes)
      sizeBytes += takenBytes
      await take(all.subarray(0, takenBytes))
      if (markAt >= 0) finish(all.subarray(markAt + MARK_BYTES))
    }
    client.onBytes = (bytes) => {
      client.pause()
      working = receive(bytes).then(
        () => client.resume(),
        (error: unknown) => {
          reject(error)
          client.close()
        },
      )
    }
    void client.send(Buffer.from('SYNC\r\n'))
  })
}

/** From `$<size>`, or `$EOF:<mark>` where the server does not know the size when it begins. */
function snapshotEndOf(line: string): SnapshotEnd {
  const [, mark, size] = /^\$(?:EOF:(.{40})|(\d+))$/.exec(line) ?? []
  if (mark !== undefined) return { mark: Buffer.from(mark, 'latin1') }
  if (size !== undefined) return { sizeBytes: Number(size) }
  throw new ShellError(`SYNC with master failed: ${line}`)
}
