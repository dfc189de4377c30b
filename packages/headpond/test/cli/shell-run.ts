/** `headpond cli` to its end: in this process, or in one of its own where signals or the end of a process matter. */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { PassThrough } from 'node:stream'
import { runShell as runShellOn } from '#src/cli/shell/shell.ts'
import { EXECUTABLE } from '../server-process.ts'

export interface Ending {
  /** A character for each byte. */
  output: string
  errors: string
  exitCode: number | null
}

export interface RunOptions {
  readonly input?: string | Buffer
  readonly env?: Readonly<Record<string, string>>
  /** Ends it, as Ctrl-C does, when the output satisfies this. It runs in a process of its own then. */
  readonly until?: (output: string) => boolean
}

export async function runShell(args: readonly string[], options: RunOptions = {}): Promise<Ending> {
  if (options.until !== undefined) return runShellProcess(args, options)
  const input = new PassThrough()
  const output = collected()
  const errorOutput = collected()
  input.end(options.input ?? '')
  const streams = { input, output: output.stream, errorOutput: errorOutput.stream }
  const exitCode = await runShellOn(args, { ...streams, env: options.env ?? {}, signals: new EventEmitter() })
  return { output: await output.text('latin1'), errors: await errorOutput.text('utf8'), exitCode }
}

export async function runShellProcess(args: readonly string[], options: RunOptions = {}): Promise<Ending> {
  const { REDISCLI_AUTH, HEADPOND_AUTH, ...inherited } = process.env
  const child = spawn(process.execPath, [EXECUTABLE, 'cli', ...args], {
    env: { ...inherited, ...options.env },
    timeout: 60_000,
  })
  const ending = { output: '', errors: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    ending.output += chunk.toString('latin1')
    if (options.until?.(ending.output)) child.kill('SIGINT')
  })
  child.stderr.on('data', (chunk: Buffer) => (ending.errors += chunk.toString()))
  child.stdin.on('error', () => {}) // it may end before it has read everything
  child.stdin.end(options.input ?? '')
  const [exitCode] = await once(child, 'close')
  return { ...ending, exitCode }
}

function collected(): { stream: PassThrough; text: (encoding: BufferEncoding) => Promise<string> } {
  const stream = new PassThrough()
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const text = async (encoding: BufferEncoding) => {
    stream.end()
    await once(stream, 'end')
    return Buffer.concat(chunks).toString(encoding)
  }
  return { stream, text }
}
