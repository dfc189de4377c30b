import { spawn } from 'node:child_process'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** Set for the process that is the daemon. */
const DAEMON_VARIABLE = 'HEADPOND_MEMCACHED_DAEMON'

export function isDaemonProcess(env: NodeJS.ProcessEnv): boolean {
  return env[DAEMON_VARIABLE] !== undefined && process.send !== undefined
}

/**
 * Starts this program again, without a terminal and in a session of its own, and waits until it listens or has failed.
 * Resolves with the exit code of the one who waits.
 */
export function startDaemon(argv: readonly string[], verbosity: number): Promise<number> {
  return new Promise((resolve) => {
    const output = verbosity > 0 ? 'inherit' : 'pipe'
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1], 'memcached', ...argv], {
      detached: true,
      env: { ...process.env, [DAEMON_VARIABLE]: '1' },
      stdio: ['ignore', 'ignore', output, 'ipc'],
    })
    child.stderr?.pipe(process.stderr)
    child.once('error', (error) => {
      process.stderr.write(`failed to daemon() in order to daemonize: ${error.message}\n`)
      resolve(1)
    })
    child.once('exit', (code) => resolve(code ?? 1))
    child.once('message', () => {
      child.stderr?.unpipe()
      child.stderr?.destroy()
      child.disconnect()
      child.unref()
      resolve(0)
    })
  })
}

/** Tells the one who waits that all is well. What is written to its standard error after that goes nowhere. */
export function reportReady(): void {
  process.stderr.on('error', () => {})
  process.send!('ready', undefined, undefined, () => process.disconnect?.())
}

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
