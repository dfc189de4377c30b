import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { encodeRequest } from '../../resp/wire-reply.ts'
import { errorText } from './format.ts'
import type { Session } from './session.ts'

const MARK_BYTES = 20

/**
 * `--pipe`: standard input goes to the server as it is, RESP or inline commands, without waiting for replies. These are
 * counted; the last is known by an ECHO of our own.
 */
export async function sendPipe(session: Session, input: Readable): Promise<number> {
  const { console, options } = session
  const client = await session.client()
  const mark = randomBytes(MARK_BYTES)
  let errorCount = 0
  let replyCount = 0
  let lastReplyMs = performance.now()
  const timeoutMs = options.pipeTimeoutSeconds * 1000
  let timer: NodeJS.Timeout | undefined

  const ended = new Promise<'done' | 'silent' | 'lost'>((resolve) => {
    client.onUnasked = (reply) => {
      lastReplyMs = performance.now()
      if (reply.kind === 'bulk' && reply.bytes.equals(mark)) return resolve('done')
      replyCount++
      if (reply.kind !== 'error') return
      errorCount++
      console.printError(errorText(reply))
    }
    client.onLost = (error) => {
      console.printError(`Error: ${error.message}`)
      resolve('lost')
    }
    const watch = () => {
      const silentMs = performance.now() - lastReplyMs
      if (silentMs >= timeoutMs) resolve('silent')
      else timer = setTimeout(watch, timeoutMs - silentMs)
    }
    const sendAll = async () => {
      for await (const bytes of input as AsyncIterable<Buffer>) {
        await client.send(bytes)
        if (client.loss !== null) return
      }
      // The input may end within an inline command.
      await client.send(Buffer.concat([Buffer.from('\r\n'), encodeRequest(['ECHO', mark])]))
      if (client.loss !== null) return
      console.print('All data transferred. Waiting for the last reply...\n')
      lastReplyMs = performance.now()
      if (timeoutMs > 0) watch()
    }
    sendAll().catch((error: unknown) => {
      console.printError(`Error: ${error instanceof Error ? error.message : String(error)}`)
      resolve('lost')
    })
  })
  const end = await ended
  client.onLost = () => {}
  clearTimeout(timer)
  input.destroy()
  if (end === 'lost') return 1
  if (end === 'done') console.print('Last reply received from server.\n')
  else {
    console.printError(`No replies for ${options.pipeTimeoutSeconds} seconds: exiting.`)
    errorCount++
  }
  console.print(`errors: ${errorCount}, replies: ${replyCount}\n`)
  return errorCount > 0 ? 1 : 0
}
