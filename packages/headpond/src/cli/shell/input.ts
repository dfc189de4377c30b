import type { Readable } from 'node:stream'

const NEWLINE = 0x0a

/** All of an input. */
export async function readInput(input: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of input) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Its lines as bytes, as they come; the last one need not end. */
export async function* inputLines(input: Readable): AsyncGenerator<Buffer> {
  let rest: Buffer[] = []
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let at = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      yield Buffer.concat([...rest, chunk.subarray(at, end)])
      rest = []
      at = end + 1
    }
    if (at < chunk.length) rest.push(chunk.subarray(at))
  }
  if (rest.length > 0) yield Buffer.concat(rest)
}
