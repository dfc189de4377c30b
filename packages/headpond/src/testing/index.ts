/**
 * A server for tests: one for each worker of the test runner, empty before each test, closed at the end.
 *
 *   import * as vitest from 'vitest'                   import * as nodeTest from 'node:test'
 *   const headpond = useHeadpond(vitest)               const headpond = useHeadpond(nodeTest)
 *
 *   const headpond = useHeadpond()                     jest, and vitest with `globals: true`
 *
 *   test('...', async () => {
 *     const redis = new Redis(headpond.url)
 *     await headpond.server.seed({ greeting: 'hello' })
 *   })
 */
import { type CreateServerOptions, createServer, type HeadpondServer } from '../server/create-server.ts'

type Hook = (callback: () => Promise<void>) => unknown

/** The hooks of a test runner: `before` and `after` in node:test, `beforeAll` and `afterAll` elsewhere. */
export interface TestHooks {
  readonly before?: Hook
  readonly beforeAll?: Hook
  readonly beforeEach?: Hook
  readonly after?: Hook
  readonly afterAll?: Hook
}

export interface TestServerOptions extends CreateServerOptions {
  /** False keeps the data from one test to the next. */
  readonly emptyBeforeEach?: boolean
}

/** The server of this worker, from the first hook to the last. Reading it earlier throws. */
export interface TestServer {
  readonly server: HeadpondServer
  /** redis://127.0.0.1:<port> */
  readonly url: string
  /** REDIS_URL, REDIS_HOST, REDIS_PORT ... */
  readonly env: Readonly<Record<string, string>>
}

interface Shared {
  readonly server: Promise<HeadpondServer>
  userCount: number
}

/** The servers of this worker by their options: files that want the same share one. */
const shared = new Map<string, Shared>()

/** Ties a server to the tests of the calling file. Throws when there are no hooks to tie it to. */
export function useHeadpond(
  hooks: TestHooks = globalThis as unknown as TestHooks,
  options: TestServerOptions = {},
): TestServer {
  const { emptyBeforeEach = true, ...serverOptions } = options
  const beforeAll = hooks.beforeAll ?? hooks.before
  const afterAll = hooks.afterAll ?? hooks.after
  const { beforeEach } = hooks
  if (beforeAll === undefined || afterAll === undefined || beforeEach === undefined) {
    throw new Error('useHeadpond: no beforeAll, beforeEach and afterAll here; give the module of your test runner')
  }
  const name = JSON.stringify(serverOptions)
  let server: HeadpondServer | null = null
  beforeAll(async () => {
    server = await acquire(name, serverOptions)
  })
  beforeEach(async () => {
    if (emptyBeforeEach) await server?.reset()
  })
  afterAll(async () => {
    server = null
    await release(name)
  })
  const running = (): HeadpondServer => {
    if (server === null)
      throw new Error('useHeadpond: the server runs from beforeAll to afterAll, and not at this moment')
    return server
  }
  return {
    get server() {
      return running()
    },
    get url() {
      return running().urls.redis
    },
    get env() {
      return running().env
    },
  }
}

function acquire(name: string, options: CreateServerOptions): Promise<HeadpondServer> {
  const existing = shared.get(name)
  if (existing !== undefined) {
    existing.userCount++
    return existing.server
  }
  const server = createServer({ ephemeral: true, ...options })
  shared.set(name, { server, userCount: 1 })
  return server
}

async function release(name: string): Promise<void> {
  const existing = shared.get(name)
  if (existing === undefined || --existing.userCount > 0) return
  shared.delete(name)
  await (await existing.server).close()
}
