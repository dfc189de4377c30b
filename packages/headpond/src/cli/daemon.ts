import { spawn } from 'node:child_process'

/** Set for the process that is the daemon. No directive, though its name begins as theirs do. */
const DAEMON_VARIABLE = 'HEADPOND_DAEMON_PROCESS'

export function isDaemonProcess(env: NodeJS.ProcessEnv): boolean {
  return env[DAEMON_VARIABLE] !== undefined && process.send !== undefined
}

/** The environment as the user set it. */
export function environmentOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { [DAEMON_VARIABLE]: _, ...rest } = env
  return rest
}

export interface DaemonOptions {
  /** It goes on writing to the standard error of the one who starts it. */
  readonly keepsErrorOutput?: boolean
  /** What it reads from standard input. */
  readonly input?: Uint8Array
  /** What is said of a process that cannot be started, before the reason. */
  readonly failure: string
}

/**
 * Starts this program again, without a terminal and in a session of its own, and waits until it has reported that it is
 * ready or has ended. Resolves with the exit code of the one who waits.
 */
export function startDaemon(args: readonly string[], options: DaemonOptions): Promise<number> {
  return new Promise((resolve) => {
    const { input } = options
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...args], {
      detached: true,
      env: { ...process.env, [DAEMON_VARIABLE]: '1' },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', options.keepsErrorOutput ? 'inherit' : 'pipe', 'ipc'],
    })
    child.stdin?.on('error', () => {}).end(input)
    child.stderr?.pipe(process.stderr)
    child.once('error', (error) => {
      process.stderr.write(`${options.failure}: ${error.message}\n`)
      resolve(1)
    })
    // Not `exit`: what it has written last may come later.
    child.once('close', (code) => resolve(code ?? 1))
    child.once('message', () => {
      child.stderr?.unpipe()
      child.stderr?.destroy()
      child.disconnect()
      child.unref()
      resolve(0)
    })
  })
}

/**
 * Tells the one who waits, if there still is one, that all is well. What is written to its standard error after that goes
 * nowhere.
 */
export function reportReady(): void {
  process.stderr.on('error', () => {})
  if (process.connected) process.send!('ready', undefined, undefined, () => process.disconnect?.())
}
