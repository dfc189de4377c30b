import { RemoteError, systemWords } from '../../net/remote-socket.ts'
import { FileSource } from '../../persistence/file-source.ts'
import { RDB_MAGIC } from '../../persistence/rdb/file-format.ts'
import { RdbError } from '../../persistence/rdb/rdb-error.ts'
import { DirectoryTarget } from './directory-target.ts'
import { Follower } from './follower.ts'
import { ImportError } from './import-error.ts'
import { STOPPED } from './messages.ts'
import { IMPORT_USAGE, type ImportOptions, parseImportOptions } from './options.ts'
import { type ImportConsole, Progress } from './progress.ts'
import { RemoteTarget } from './remote-target.ts'
import { loadSnapshot } from './snapshot-load.ts'
import type { ImportTarget } from './target.ts'

export interface ImportContext {
  readonly console: ImportConsole
  readonly env: NodeJS.ProcessEnv
  /** Ends the import: with `--follow` that is how it is meant to end. */
  readonly stop: AbortSignal
}

/** `headpond import`: resolves with the exit code, 0 when everything is there. */
export async function runImport(argv: readonly string[], context: ImportContext): Promise<number> {
  const { console } = context
  try {
    const options = parseImportOptions(argv, context.env)
    if (options === null) {
      console.write(IMPORT_USAGE)
      return 0
    }
    return await runWith(options, context)
  } catch (error) {
    if (!(error instanceof ImportError)) throw error
    console.write(`headpond import: ${error.message}\n`)
    return 1
  }
}

async function runWith(options: ImportOptions, { console, stop }: ImportContext): Promise<number> {
  const progress = new Progress(console)
  // What can be wrong with the source is told before anything happens to the target.
  const file = 'file' in options.source ? openFile(options.source.file) : null
  let target: ImportTarget | null = null
  try {
    target = await openTarget(options, progress)
    await checkRoom(options, target)
    const replaces = options.existing === 'replace'
    const isComplete =
      'server' in options.source
        ? await new Follower(options.source.server, target, progress, {
            stop,
            follows: options.follows,
            replaces,
          }).run()
        : await importFile(file!, target, progress, { stop, replaces })
    return isComplete && target.answers.refusedCount === 0 ? 0 : 1
  } finally {
    file?.close()
    await target?.close()
  }
}

/** Opens a snapshot, and sees whether it is one. */
function openFile(path: string): FileSource {
  try {
    const file = new FileSource(path)
    const head = Buffer.alloc(RDB_MAGIC.length)
    file.readNow(head, 0)
    file.seek(0)
    if (head.toString('latin1') === RDB_MAGIC) return file
    file.close()
  } catch (error) {
    throw new ImportError(`${path}: ${systemWords(error)}`)
  }
  throw new ImportError(`${path}: no snapshot: it does not begin with '${RDB_MAGIC}'`)
}

function openTarget({ source, target, databaseCount }: ImportOptions, progress: Progress): Promise<ImportTarget> {
  const warn = (message: string) => progress.tell(`warning: ${message}`)
  if ('directory' in target) return DirectoryTarget.open(target.directory, databaseCount, warn)
  if ('server' in source && source.server.text === target.server.text) {
    throw new ImportError('source and target are the same server')
  }
  return RemoteTarget.connect(target.server, warn)
}

async function checkRoom({ existing, target: where }: ImportOptions, target: ImportTarget): Promise<void> {
  if (existing !== 'refuse') return
  const keyCount = await target.keyCount()
  if (keyCount === 0) return
  const other = 'directory' in where ? ' If a server runs on it, import into that one with --to redis://...' : ''
  throw new ImportError(
    `${target.name} holds ${keyCount} keys already: --replace deletes them, --merge keeps those that the source does not have.${other}`,
  )
}

async function importFile(
  file: FileSource,
  target: ImportTarget,
  progress: Progress,
  { stop, replaces }: { stop: AbortSignal; replaces: boolean },
): Promise<boolean> {
  const source = {
    totalBytes: file.sizeBytes,
    read: (bytes: Uint8Array, at: number) => file.read(bytes, at),
  }
  try {
    if (replaces) await target.clear()
    const isComplete = await loadSnapshot(source, target, progress, stop)
    if (!isComplete) progress.tell(STOPPED)
    return isComplete
  } catch (error) {
    if (error instanceof RdbError) throw new ImportError(`${file.path} cannot be read: ${error.message}`)
    if (error instanceof RemoteError) throw new ImportError(error.message)
    throw error
  }
}
