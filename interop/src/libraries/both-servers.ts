/**
 * A test that a library must pass on redis-server and on Headpond: what it expects is so what the library does on the
 * original, not what we think it does.
 */
import { test } from 'node:test'
import { createServer, type HeadpondServer } from 'headpond'
import { Redis } from 'ioredis'
import { RedisServer } from '../redis-server.ts'

export interface Place {
  readonly url: string
  readonly port: number
  /** Only where it is Headpond: its clock can be moved. */
  readonly headpond?: HeadpondServer
  /** Runs when the test is over, the last one first. */
  after(cleanUp: () => unknown): void
}

export function testOnBoth(title: string, play: (place: Place) => Promise<void>): void {
  test(`${title} (redis-server)`, async () => {
    const redis = await RedisServer.start()
    try {
      await playIn({ url: `redis://127.0.0.1:${redis.port}`, port: redis.port }, play)
    } finally {
      await redis.stop()
    }
  })
  test(`${title} (Headpond)`, async () => {
    await using headpond = await createServer()
    await playIn({ url: headpond.urls.redis, port: headpond.port, headpond }, play)
  })
}

async function playIn(server: Omit<Place, 'after'>, play: (place: Place) => Promise<void>): Promise<void> {
  const cleanUps: (() => unknown)[] = []
  try {
    await play({ ...server, after: (cleanUp) => cleanUps.push(cleanUp) })
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

/** A client of the test's own, closed with it. */
export function connect(place: Place): Redis {
  const redis = new Redis(place.port, '127.0.0.1')
  place.after(() => redis.disconnect())
  return redis
}

/** When the emitter has said this so many times. */
export function counted(emitter: NodeJS.EventEmitter, event: string, times: number): Promise<void> {
  return new Promise((resolve) => {
    emitter.on(event, () => {
      if (--times === 0) resolve()
    })
  })
}
