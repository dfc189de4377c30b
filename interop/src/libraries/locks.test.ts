/** Locks and semaphores of redis-semaphore. */
import assert from 'node:assert/strict'
import { createServer } from 'headpond'
import { Redis } from 'ioredis'
import { MultiSemaphore, Mutex, RedlockMutex, Semaphore, TimeoutError } from 'redis-semaphore'
import { connect, testOnBoth } from './both-servers.ts'

/** Locks are held for longer than any test takes, and asked for again at once. */
const patient = { lockTimeout: 60_000, acquireTimeout: 30_000, retryInterval: 1 }

testOnBoth('redis-semaphore: one at a time, or as many as may', async (place) => {
  const redis = connect(place)
  let holders = 0
  let most = 0
  async function hold(lock: { acquire(): Promise<void>; release(): Promise<void> }): Promise<void> {
    await lock.acquire()
    most = Math.max(most, ++holders)
    await redis.ping()
    holders--
    await lock.release()
  }
  await Promise.all(Array.from({ length: 20 }, () => hold(new Mutex(redis, 'one', patient))))
  assert.equal(most, 1)
  most = 0
  await Promise.all(Array.from({ length: 20 }, () => hold(new Semaphore(redis, 'three', 3, patient))))
  assert.ok(most > 1 && most <= 3, `${most}`)

  const two = new MultiSemaphore(redis, 'weights', 3, 2, patient)
  await two.acquire()
  const refused = new MultiSemaphore(redis, 'weights', 3, 2, { ...patient, acquireAttemptsLimit: 1 })
  assert.equal(await refused.tryAcquire(), false)
  await two.release()
  assert.equal(await refused.tryAcquire(), true)
  await refused.release()
})

testOnBoth('redis-semaphore: a lock that nobody renews is lost', async (place) => {
  const redis = connect(place)
  let onLockLost = (_: Error): void => {}
  const lost = new Promise<Error>((resolve) => {
    onLockLost = resolve
  })
  await new Mutex(redis, 'renewed', { ...patient, refreshInterval: 5, onLockLost }).acquire()
  await assert.rejects(new Mutex(redis, 'renewed', { ...patient, acquireTimeout: 5 }).acquire(), TimeoutError)
  await redis.set('mutex:renewed', 'somebody else')
  assert.match((await lost).message, /renewed/)

  const gone = new Mutex(redis, 'gone', { ...patient, refreshInterval: 0 })
  await gone.acquire()
  if (place.headpond) place.headpond.clock.advance('61s')
  else await redis.pexpire('mutex:gone', 0) // the original's clock is the machine's
  const next = new Mutex(redis, 'gone', patient)
  assert.equal(await next.tryAcquire(), true)
  await gone.release()
  assert.equal(await redis.exists('mutex:gone'), 1)
  await next.release()
  assert.equal(await redis.exists('mutex:gone'), 0)
})

testOnBoth('redis-semaphore: Redlock over three servers holds while most of them agree', async (place) => {
  await using second = await createServer()
  const third = await createServer()
  const clients = [place.port, second.port, third.port].map((port) => new Redis(port, '127.0.0.1'))
  for (const client of clients) client.on('error', () => {})
  try {
    const mutex = new RedlockMutex(clients, 'resource', patient)
    await mutex.acquire()
    const other = new RedlockMutex(clients, 'resource', { ...patient, acquireAttemptsLimit: 1 })
    assert.equal(await other.tryAcquire(), false)
    clients[2].disconnect()
    await third.close()
    assert.equal(await other.tryAcquire(), false)
    await mutex.release()
    assert.equal(await other.tryAcquire(), true)
    await other.release()
  } finally {
    for (const client of clients) client.disconnect()
    await third.close()
  }
})
