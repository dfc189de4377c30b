/** A foreign program that runs to its end, or until a test has seen enough of it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

export interface Ending {
  readonly output: string
  readonly errors: string
  readonly exitCode: number | null
}

const TIMEOUT_MS = 60_000

/** Why tests with a program are skipped; false when it is there. */
export function skipUnless(program: string, args: readonly string[], howToGetIt: string): string | false {
  const { error } = spawnSync(program, args, { stdio: 'ignore' })
  return error === undefined ? false : `${program} is not installed: ${howToGetIt}`
}

export class Program {
  readonly #child: ChildProcess
  readonly #name: string
  #output = ''
  #errors = ''
  #onOutput = () => {}

  constructor(
    name: string,
    args: readonly string[],
    { input, env = {} }: { input?: string | Uint8Array; env?: Readonly<Record<string, string>> } = {},
  ) {
    this.#name = name
    this.#child = spawn(name, args, { env: { ...process.env, ...env }, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' })
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString()
      this.#onOutput()
    })
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString()
      this.#onOutput()
    })
    this.#child.on('close', () => this.#onOutput())
    this.#child.stdin!.on('error', () => {}) // it may end before it has read everything
    if (input !== undefined) this.#child.stdin!.end(input)
  }

  get output(): string {
    return this.#output
  }

  get errors(): string {
    return this.#errors
  }

  write(text: string): void {
    this.#child.stdin!.write(text)
  }

  /** Resolves when what it has written satisfies this. Rejects when it ends before. */
  async until(isEnough: (output: string, errors: string) => boolean): Promise<void> {
    while (!isEnough(this.#output, this.#errors)) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`${this.#name} ended (${this.#child.exitCode}):\n${this.#output}\n${this.#errors}`)
      }
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve
      })
    }
  }

  async ended(): Promise<Ending> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'close')
    return { output: this.#output, errors: this.#errors, exitCode: this.#child.exitCode }
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ending> {
    this.#child.kill(signal)
    return this.ended()
  }
}

/** Runs a program to its end. Rejects when it fails. */
export async function runProgram(
  name: string,
  args: readonly string[],
  options: { input?: string | Uint8Array; env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const { output, errors, exitCode } = await new Program(name, args, { input: '', ...options }).ended()
  if (exitCode !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${exitCode}:\n${output}\n${errors}`)
  return output
}
