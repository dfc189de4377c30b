import { readFileSync } from 'node:fs'
import { systemWords } from '../../net/remote-socket.ts'
import type { ShellOptions } from './options.ts'
import { ShellError } from './shell-error.ts'

/** `--eval file key ... , argument ...` as the EVAL that it means: the comma, a word of its own, ends the keys. */
export function readScript({ scriptFile = '', command }: ShellOptions): Uint8Array[] {
  let script: Buffer
  try {
    script = readFileSync(scriptFile)
  } catch (error) {
    throw new ShellError(`Can't open file '${scriptFile}': ${systemWords(error)}`)
  }
  const commaAt = command.indexOf(',')
  const keys = commaAt < 0 ? command : command.slice(0, commaAt)
  const args = commaAt < 0 ? [] : command.slice(commaAt + 1)
  return [Buffer.from('EVAL'), script, ...[String(keys.length), ...keys, ...args].map((word) => Buffer.from(word))]
}
