/** The examples on the servers that Headpond stands in for: redis-server and Apache Kafka's own broker. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ServiceProcess } from 'headpond-examples-shared'
import { Redis } from 'ioredis'
import { ApacheKafka, kafkaProblem } from './kafka/apache-kafka.ts'
import { RedisServer } from './redis-server.ts'

/** Seen from the compiled file. */
const EXAMPLES = new URL('../../examples/', import.meta.url)
const skip = kafkaProblem() ?? false

let redis: RedisServer
let kafka: ApacheKafka
let env: Record<string, string>

before(async () => {
  if (skip !== false) return
  redis = await RedisServer.start()
  kafka = await ApacheKafka.start()
  env = { REDIS_URL: `redis://127.0.0.1:${redis.port}`, KAFKA_BROKERS: `127.0.0.1:${kafka.port}`, PORT: '0' }
})

after(async () => {
  await kafka?.stop()
  await redis?.stop()
})

function start(file: string, more: Record<string, string> = {}): Promise<ServiceProcess> {
  return ServiceProcess.start(new URL(file, EXAMPLES), { ...env, ...more }, { isQuiet: true })
}

async function ask<T>(url: string, body?: unknown): Promise<{ status: number; answer: T }> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: response.status, answer: (await response.json()) as T }
}

/** Other processes tell nothing of themselves: they are asked until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(50)
}

test('email-dedup: of 200 at once one is sent', { skip }, async (t) => {
  const main = await start('email-dedup/dist/main.js', { SMTP_URL: '' })
  t.after(() => main.end('SIGKILL'))
  const email = { to: 'ada@example.com', subject: 'Your order', text: 'It is on its way.' }
  // Who is told to come again (the same one is being enqueued just now, or a server was slow), does.
  const post = async () => {
    for (;;) {
      const said = await ask<{ id: string }>(`${main.url}/emails`, email)
      if (said.status !== 409 && said.status !== 503) return said
      await pause(50)
    }
  }
  const answers = await Promise.all(Array.from({ length: 200 }, post))
  const queued = answers.filter(({ status }) => status === 202)
  assert.equal(queued.length, 1)
  assert.ok(answers.every(({ status, answer }) => [200, 202].includes(status) && answer.id === queued[0].answer.id))
  const state = `${main.url}/emails/${queued[0].answer.id}`
  await until(async () => (await ask<{ status: string }>(state)).answer.status === 'sent')
  assert.equal((await ask(`${main.url}/emails`, email)).status, 200)
  const client = new Redis(redis.port)
  t.after(() => client.disconnect())
  const [key] = await client.keys('email:window:*')
  const ttl = await client.ttl(key)
  assert.ok(ttl > 0 && ttl <= 60, String(ttl))
  assert.equal(await main.end('SIGTERM'), 0)
})

test('jackpot: a killed history and a killed monitor catch up', { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-jackpot-'))
  const running: ServiceProcess[] = []
  t.after(async () => {
    for (const service of running) await service.end('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  const service = async (name: string): Promise<ServiceProcess> => {
    const started = await start(`jackpot/dist/${name}/main.js`, { DATABASE_URL: join(directory, 'history.sqlite') })
    running.push(started)
    return started
  }
  const report = async (url: string, count: number) => {
    const wins = Array.from({ length: count }, () => ({ player: 'Ada', game: 'Slots', amountCents: 5 }))
    for (const { status } of await Promise.all(wins.map((win) => ask(`${url}/wins`, win)))) assert.equal(status, 201)
  }
  const [processor, history, monitor] = await Promise.all(['processor', 'history', 'monitor'].map(service))
  await report(processor.url, 100)
  await history.end('SIGKILL')
  await monitor.end('SIGKILL')
  await report(processor.url, 100)
  const [later, another] = await Promise.all([service('history'), service('monitor')])
  type Totals = { winCount: number; amountCents: number }
  for (const url of [`${later.url}/totals`, `${another.url}/leaderboard`]) {
    await until(async () => (await ask<Totals>(url)).answer.winCount >= 200)
    await pause(200) // time for what would be too much
    const { winCount, amountCents } = (await ask<Totals>(url)).answer
    assert.deepEqual({ winCount, amountCents }, { winCount: 200, amountCents: 1000 })
  }
})
