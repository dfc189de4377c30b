/** express-session with connect-redis: sessions that outlive requests and end in time. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { RedisStore } from 'connect-redis'
import session from 'express-session'
import { createClient } from 'redis'
import { connect, type Place, testOnBoth } from './both-servers.ts'

interface Visit {
  readonly cookie: string
  readonly body: unknown
}

testOnBoth('connect-redis: a session over requests, renewed, replaced, ended', async (place) => {
  const { visit, store } = await startSite(place)
  const first = await visit('/count')
  assert.deepEqual(first.body, { count: 1 })
  assert.deepEqual((await visit('/count', first.cookie)).body, { count: 2 })
  assert.deepEqual((await visit('/count')).body, { count: 1 })
  assert.equal(await store.length(), 2)
  assert.deepEqual((await store.all()).map(({ count }: { count: number }) => count).sort(), [1, 2])

  const redis = connect(place)
  const [key] = await redis.keys('site:*')
  assert.ok((await redis.ttl(key)) > 3590)
  await redis.expire(key, 100)
  await Promise.all((await store.ids()).map((id: string) => store.touch(id, { cookie: new session.Cookie() })))
  assert.ok((await redis.ttl(key)) > 3590)

  const replaced = await visit('/regenerate', first.cookie)
  assert.notEqual(replaced.cookie, first.cookie)
  assert.deepEqual((await visit('/count', first.cookie)).body, { count: 1 })
  assert.deepEqual((await visit('/destroy', replaced.cookie)).body, {})
  assert.deepEqual((await visit('/count', replaced.cookie)).body, { count: 1 })
  await store.clear()
  assert.equal(await store.length(), 0)
})

testOnBoth('connect-redis: a session that has ended begins anew', async (place) => {
  const { visit } = await startSite(place)
  const { cookie } = await visit('/count')
  if (place.headpond) {
    place.headpond.clock.advance('30m')
    assert.deepEqual((await visit('/count', cookie)).body, { count: 2 })
    // The last visit has renewed it.
    place.headpond.clock.advance('59m')
    assert.deepEqual((await visit('/count', cookie)).body, { count: 3 })
    place.headpond.clock.advance('61m')
  } else {
    // The original's clock is the machine's.
    const redis = connect(place)
    for (const key of await redis.keys('site:*')) await redis.pexpire(key, 0)
  }
  assert.deepEqual((await visit('/count', cookie)).body, { count: 1 })
})

testOnBoth('connect-redis: hundreds of sessions are listed and cleared', async (place) => {
  const { store } = await startSite(place)
  const cookie = new session.Cookie()
  await Promise.all(Array.from({ length: 500 }, (_, n) => store.set(`id-${n}`, { cookie, n } as session.SessionData)))
  assert.equal((await store.all()).length, 500)
  assert.equal(new Set(await store.ids()).size, 500)
  await store.clear()
  assert.deepEqual(await store.ids(), [])
})

async function startSite(place: Place) {
  const client = createClient({ url: place.url })
  await client.connect()
  place.after(() => client.destroy())
  const store = new RedisStore({ client, prefix: 'site:', ttl: 3600 })
  const middleware = session({ store, secret: 'a secret of the test', resave: false, saveUninitialized: false })

  const site = createServer((request, response) => {
    // express-session asks of a request and a response no more than Node's own have.
    middleware(request as never, response as never, (error?: unknown) => {
      if (error) response.writeHead(500).end(String(error))
      else answer(request as IncomingMessage & { session: SiteSession }, response)
    })
  })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  place.after(() => site.close())
  const { port } = site.address() as { port: number }

  async function visit(path: string, cookie = ''): Promise<Visit> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie, connection: 'close' } })
    const body = await response.text()
    assert.equal(response.status, 200, body)
    return { cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie, body: JSON.parse(body) }
  }
  return { store, visit }
}

type SiteSession = session.Session & { count?: number }

function answer(request: IncomingMessage & { session: SiteSession }, response: ServerResponse): void {
  const done = (error: unknown, body: object): void => {
    if (error) response.writeHead(500)
    response.end(JSON.stringify(error ? String(error) : body))
  }
  if (request.url === '/destroy') request.session.destroy((error) => done(error, {}))
  else if (request.url === '/regenerate') {
    request.session.regenerate((error) => {
      request.session.count = 100
      done(error, {})
    })
  } else {
    request.session.count = (request.session.count ?? 0) + 1
    done(null, { count: request.session.count })
  }
}
