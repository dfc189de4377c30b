// Accesses to replay: recorded ones, from a directory.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

export interface Trace {
  readonly name: string
  /** Cache sizes to measure, in keys, rising; the middle one is what verdicts go by. */
  readonly sizes: readonly number[]
  /** The keys in the order of their accesses. */
  load(): Int32Array
}

/**
 * The traces that `traces.json` of a directory lists, each `{ name, file, sizes }`; a file has one decimal key a line, gzipped.
 * Throws when there is none.
 */
export function recordedTraces(directory: string): Trace[] {
  const listed = JSON.parse(readFileSync(join(directory, 'traces.json'), 'utf8')) as {
    name: string
    file: string
    sizes: number[]
  }[]
  return listed.map(({ name, file, sizes }) => ({
    name,
    sizes: sizes.toSorted((a, b) => a - b),
    load: () => parseKeys(gunzipSync(readFileSync(join(directory, file)))),
  }))
}

function parseKeys(text: Uint8Array): Int32Array {
  const keys: number[] = []
  let key = 0
  let hasDigits = false
  for (const byte of text) {
    const digit = byte - 48
    if (digit >= 0 && digit <= 9) {
      key = key * 10 + digit
      hasDigits = true
    } else if (hasDigits) {
      keys.push(key)
      key = 0
      hasDigits = false
    }
  }
  if (hasDigits) keys.push(key)
  return Int32Array.from(keys)
}
