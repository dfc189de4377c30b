/**
 * Loaded into a server's process before anything else (`node --import`), it writes down what the server does to the files
 * under a directory, and which syncs are complete, so that `disk-states.ts` can tell what a loss of power may leave.
 *
 * It stands between the program and node:fs, and thus sees every way to the disk, whatever module takes it. Of each file it
 * keeps a second link, so that its content outlives its name.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import type { DiskEvent } from './disk-states.ts'

const root = resolve(process.env['RECORDED_DIRECTORY'] ?? '')
const shadows = process.env['RECORDED_TO'] ?? ''
if (shadows === '') throw new Error('RECORDED_DIRECTORY and RECORDED_TO say what is recorded, and where')

const original = { ...fs }
const originalPromises = { ...fs.promises }
original.mkdirSync(shadows, { recursive: true })
const journal = original.openSync(join(shadows, 'journal'), 'a')
/** What is open under the directory, by file descriptor. */
const open = new Map<number, { path: string; inode: number; isDirectory: boolean }>()
let syncCount = 0

type EventBody = DiskEvent extends infer Each ? (Each extends unknown ? Omit<Each, 'atMs'> : never) : never

function note(event: EventBody): void {
  const atMs = Number(process.hrtime.bigint()) / 1e6
  original.writeSync(journal, `${JSON.stringify({ atMs, ...event })}\n`)
}

function isRecorded(path: unknown): path is string {
  return typeof path === 'string' && (resolve(path) === root || resolve(path).startsWith(`${root}/`))
}

function keep(path: string, inode: number): void {
  const shadow = join(shadows, String(inode))
  if (!original.existsSync(shadow)) original.linkSync(path, shadow)
}

/** What is there at the start is taken to be safe. */
function recordExisting(directory: string): void {
  for (const entry of original.readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) {
      note({ kind: 'exists', path, inode: 0, sizeBytes: 0 })
      recordExisting(path)
    } else {
      const { ino, size } = original.statSync(path)
      keep(path, ino)
      note({ kind: 'exists', path, inode: ino, sizeBytes: size })
    }
  }
}
if (original.existsSync(root)) recordExisting(root)

// ---- Opening and closing ----

function opened(fd: number, path: string, wasThere: boolean): void {
  const status = original.fstatSync(fd)
  const isDirectory = status.isDirectory()
  open.set(fd, { path: resolve(path), inode: status.ino, isDirectory })
  if (isDirectory) return
  keep(path, status.ino)
  if (!wasThere) note({ kind: 'create', path: resolve(path), inode: status.ino })
  else if (status.size === 0) note({ kind: 'truncate', inode: status.ino, sizeBytes: 0 })
}

function wrapSync(name: string, wrap: (run: (...args: never[]) => unknown) => (...args: never[]) => unknown): void {
  const functions = fs as unknown as Record<string, (...args: never[]) => unknown>
  functions[name] = wrap(functions[name])
}

wrapSync('openSync', (run) => (...args) => {
  const [path] = args as unknown[]
  if (!isRecorded(path)) return run(...args)
  const wasThere = original.existsSync(path)
  const fd = run(...args) as number
  opened(fd, path, wasThere)
  return fd
})

wrapSync('closeSync', (run) => (...args) => {
  open.delete(args[0] as number)
  return run(...args)
})

/** Those with a callback: `before` runs at once, `after` before the callback. */
function wrapAsync<State>(
  name: string,
  before: (args: unknown[]) => State,
  after: (state: State, error: Error | null, result: unknown) => void,
): void {
  wrapSync(name, (run) => (...args) => {
    const all = args as unknown[]
    const state = before(all)
    const callback = all.at(-1) as (error: Error | null, ...results: unknown[]) => void
    const wrapped = (error: Error | null, ...results: unknown[]) => {
      after(state, error, results[0])
      callback(error, ...results)
    }
    return run(...([...all.slice(0, -1), wrapped] as never[]))
  })
}

wrapAsync(
  'open',
  ([path]) => ({ path, wasThere: isRecorded(path) && original.existsSync(path) }),
  ({ path, wasThere }, error, fd) => {
    if (error === null && isRecorded(path)) opened(fd as number, path, wasThere)
  },
)
wrapAsync(
  'close',
  ([fd]) => open.delete(fd as number),
  () => {},
)

// ---- Writing ----

wrapSync('writeSync', (run) => (...args) => {
  const count = run(...args)
  const file = open.get(args[0] as number)
  if (file !== undefined) noteSize(file.inode, args[0] as number)
  return count
})

function noteSize(inode: number, fd: number): void {
  note({ kind: 'write', inode, sizeBytes: original.fstatSync(fd).size })
}

wrapAsync(
  'write',
  (args) => {
    const [fd, , , length, position] = args as [number, unknown, unknown, number, number]
    const file = open.get(fd)
    // It may be on the disk as soon as it is asked for.
    if (file !== undefined) note({ kind: 'write', inode: file.inode, sizeBytes: position + length })
  },
  () => {},
)

wrapAsync(
  'writev',
  (args) => {
    const [fd, parts, position] = args as [number, Uint8Array[], number]
    const file = open.get(fd)
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    if (file !== undefined) note({ kind: 'write', inode: file.inode, sizeBytes: position + length })
  },
  () => {},
)

wrapSync('writeFileSync', () => (...args) => {
  const [path, data, options] = args as unknown as [string, string | Uint8Array, { flag?: string } | undefined]
  const fd = fs.openSync(path, options?.flag ?? 'w')
  try {
    fs.writeSync(fd, typeof data === 'string' ? Buffer.from(data) : data)
  } finally {
    fs.closeSync(fd)
  }
})

for (const name of ['truncateSync', 'ftruncateSync']) {
  wrapSync(name, (run) => (...args) => {
    run(...args)
    const [which, sizeBytes] = args as unknown as [string | number, number]
    if (typeof which === 'number') {
      const file = open.get(which)
      if (file !== undefined) note({ kind: 'truncate', inode: file.inode, sizeBytes })
    } else if (isRecorded(which)) note({ kind: 'truncate', inode: original.statSync(which).ino, sizeBytes })
  })
}

// ---- Syncing ----

function syncBegins(fd: number): number {
  const file = open.get(fd)
  if (file === undefined) return 0
  const sync = ++syncCount
  const { path, inode, isDirectory } = file
  note(isDirectory ? { kind: 'sync directory', path, sync } : { kind: 'sync', inode, sync })
  return sync
}

function syncEnds(sync: number, error: Error | null): void {
  if (sync > 0 && error === null) note({ kind: 'synced', sync })
}

for (const name of ['fsync', 'fdatasync']) {
  wrapAsync(name, ([fd]) => syncBegins(fd as number), syncEnds)
  wrapSync(`${name}Sync`, (run) => (...args) => {
    const sync = syncBegins(args[0] as number)
    run(...args)
    syncEnds(sync, null)
  })
}

// ---- Names ----

wrapSync('mkdirSync', (run) => (...args) => {
  const [path] = args as unknown[]
  const missing: string[] = []
  for (let at = resolve(String(path)); isRecorded(at) && !original.existsSync(at); at = dirname(at)) missing.unshift(at)
  const made = run(...args)
  for (const each of missing) note({ kind: 'make directory', path: each })
  return made
})

function renamed(from: unknown, to: unknown): void {
  if (isRecorded(to)) note({ kind: 'rename', from: resolve(String(from)), to: resolve(to) })
}

wrapSync('renameSync', (run) => (...args) => {
  run(...args)
  renamed(args[0], args[1])
})
wrapAsync(
  'rename',
  ([from, to]) => renamed(from, to), // it may be on the disk as soon as it is asked for
  () => {},
)

function removed(path: unknown): void {
  if (isRecorded(path) && original.existsSync(path)) note({ kind: 'remove', path: resolve(path) })
}

for (const name of ['rmSync', 'unlinkSync']) {
  wrapSync(name, (run) => (...args) => {
    removed(args[0])
    return run(...args)
  })
}
fs.promises.rm = async (path, options) => {
  removed(path)
  await originalPromises.rm(path, options)
}

syncBuiltinESMExports()
