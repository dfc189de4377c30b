/** A server with a Kafka port for one test, and clients of it; all of it is gone when the test is over. */
import type { TestContext } from 'node:test'
import { type CreateServerOptions, createServer, type HeadpondServer } from '#src/server/create-server.ts'
import { WireClient } from './wire-client.ts'

export interface TestBroker {
  readonly server: HeadpondServer
  /** `127.0.0.1:port`. */
  readonly address: string
  /** What was logged, line by line. */
  readonly logged: string[]
  connect(): Promise<WireClient>
}

export async function startBroker(t: TestContext, options: CreateServerOptions = {}): Promise<TestBroker> {
  const logged: string[] = []
  const log = {
    info: (line: string) => void logged.push(line),
    warn: (line: string) => void logged.push(line),
    error: (details: object, line: string) => {
      logged.push(line)
      console.error(line, details)
    },
  }
  const server = await createServer({ kafkaPort: 'auto', log, ...options })
  const clients: WireClient[] = []
  t.after(async () => {
    for (const client of clients) client.close()
    await server.close()
  })
  const address = server.urls.kafka!
  return {
    server,
    address,
    logged,
    async connect() {
      const client = await WireClient.connect(address)
      clients.push(client)
      return client
    },
  }
}
