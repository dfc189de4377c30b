/**
 * Conversations in the text protocol of memcached, as files that people can read:
 *
 *   # a comment: why this is so
 *   > set a 5 0 3             a line that is sent, CRLF behind it; \xNN is any byte, {251k} is 251 times k
 *   > abc
 *   STORED                    what comes back, up to the next line that is sent
 *   @wait 2s                  time passes
 *   @connect                  another connection goes on
 *   @only headpond            up to the next blank line: not what memcached does, or not its own numbers
 *
 * A conversation is played on a server that holds nothing.
 */
import { ByteClient } from './byte-client.ts'

export interface Player {
  /** Where the server listens. */
  readonly port: number
  /** Lets time pass. */
  wait(seconds: number): Promise<void>
  /** False for blocks that are not for this server. */
  plays(only: string): boolean
}

interface Exchange {
  sent: string
  expected: string[]
}

/** Plays a conversation and returns it with what really came back. */
export async function play(text: string, player: Player): Promise<string> {
  let client = await ByteClient.connect(player.port)
  const output: string[] = []
  let exchange: Exchange | null = null
  let isSkipping = false

  const finish = async () => {
    if (exchange === null) return
    const { sent, expected } = exchange
    exchange = null
    if (isSkipping) output.push(...expected)
    else output.push(...shown(await client.ask(sent)))
  }
  const lines = text.replace(/\n$/, '').split('\n')
  for (const line of lines) {
    const command = /^> ?(.*)$/.exec(line)
    if (command !== null) {
      if (exchange !== null && exchange.expected.length > 0) await finish()
      exchange ??= { sent: '', expected: [] }
      exchange.sent += `${bytesOf(command[1])}\r\n`
      output.push(line)
      continue
    }
    if (exchange !== null && line !== '' && !/^[#@]/.test(line)) {
      exchange.expected.push(line)
      continue
    }
    await finish()
    output.push(line)
    const [word, argument] = line.split(' ')
    if (line === '') isSkipping = false
    else if (word === '@only') isSkipping = !player.plays(argument)
    else if (isSkipping || !word.startsWith('@')) continue
    else if (word === '@wait') await player.wait(Number.parseInt(argument, 10))
    else if (word === '@connect') {
      client.close()
      client = await ByteClient.connect(player.port)
    } else throw new Error(`not a line of a transcript: ${line}`)
  }
  await finish()
  client.close()
  return `${output.join('\n')}\n`
}

function bytesOf(line: string): string {
  return line
    .replace(/\{(\d+)(.)\}/g, (_, count: string, character: string) => character.repeat(Number(count)))
    .replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** An answer as lines of ASCII: what is none of its printable characters is escaped, and so are lines that look like ours. */
function shown(answer: string): string[] {
  if (answer === '') return []
  const lines = answer.split('\r\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line) => {
    const escaped = line.replace(/[^\x20-\x7e]| $/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
    return escaped === '' || /^[>#@]/.test(escaped)
      ? `\\x${(line.charCodeAt(0) || 0).toString(16).padStart(2, '0')}${escaped.slice(1)}`
      : escaped
  })
}
