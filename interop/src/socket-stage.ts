import type { RawClient } from 'headpond/test/raw-client.ts'
import { conversationOf, type Stage } from 'headpond/test/transcript.ts'

/** While clients are paused, nobody answers. */
const PING_TIMEOUT_MS = 200

/** A server of another process, or one that is treated like that. */
export function socketStage(connect: () => Promise<RawClient>): Stage {
  return {
    kind: 'redis',
    connect: async () => conversationOf(await connect()),
    // Replies are waited for; what nobody expects shows up here, or with the next command at the latest.
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    // Sockets that became readable between two of the server's polls are served in any order; so a PING may overtake
    // what was sent before it, but by the answer to a second one that poll is over.
    untilRun: async () => {
      const bystander = await connect()
      for (let round = 0; round < 2; round++) {
        bystander.send('PING')
        await bystander.waitFor(1, PING_TIMEOUT_MS)
        bystander.take()
      }
      bystander.close()
    },
  }
}
