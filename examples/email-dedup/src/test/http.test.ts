/** What the endpoint refuses, and how it says so. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createServer, type HeadpondServer } from 'headpond'
import { connectRedis, serviceLog } from 'headpond-examples-shared'
import type { Hono } from 'hono'
import { DedupWindow } from '../dedup-window.ts'
import { DeliveryClaims } from '../delivery-claims.ts'
import { fingerprintOf } from '../email.ts'
import { httpApp } from '../http-app.ts'
import { EMAIL } from './stage.ts'

let server: HeadpondServer
let redis: Awaited<ReturnType<typeof connectRedis>>
let app: Hono
const published: string[] = []

before(async () => {
  server = await createServer()
  redis = await connectRedis(server.urls.redis, serviceLog('test'))
  app = httpApp({
    window: new DedupWindow(redis),
    claims: new DeliveryClaims(redis),
    publisher: { publish: async ({ value }) => void published.push(value) },
    log: serviceLog('test'),
  })
})

after(async () => {
  redis.disconnect()
  await server.close()
})

function post(body: string, contentType = 'application/json'): Promise<Response> {
  return Promise.resolve(app.request('/emails', { method: 'POST', body, headers: { 'content-type': contentType } }))
}

const faults: readonly [fault: string, field: string, body: unknown][] = [
  ['nothing', 'to', {}],
  ['no object', 'body', [EMAIL]],
  ['no object', 'body', null],
  ['no address', 'to', { ...EMAIL, to: 'ada' }],
  ['two addresses', 'to', { ...EMAIL, to: 'ada@example.com, bob@example.com' }],
  ['a header in the address', 'to', { ...EMAIL, to: 'ada@example.com\r\nBcc: bob@example.com' }],
  ['a number for an address', 'to', { ...EMAIL, to: 7 }],
  ['a header in the subject', 'subject', { ...EMAIL, subject: 'Hello\r\nBcc: bob@example.com' }],
  ['an empty subject', 'subject', { ...EMAIL, subject: ' ' }],
  ['a long subject', 'subject', { ...EMAIL, subject: 'x'.repeat(201) }],
  ['no text', 'text', { to: EMAIL.to, subject: EMAIL.subject }],
  ['a long text', 'text', { ...EMAIL, text: 'x'.repeat(20_001) }],
  ['an unknown field', 'cc', { ...EMAIL, cc: 'bob@example.com' }],
]

for (const [fault, field, body] of faults) {
  test(`422: ${fault} (${field})`, async () => {
    const response = await post(JSON.stringify(body))
    assert.equal(response.status, 422)
    const answer = (await response.json()) as { faults: Record<string, string> }
    assert.ok(field in answer.faults, JSON.stringify(answer))
  })
}

test('400, 413, 415, 404', async () => {
  assert.equal((await post('{"to":')).status, 400)
  assert.equal((await post('')).status, 400)
  assert.equal((await post(JSON.stringify({ ...EMAIL, text: 'x'.repeat(70_000) }))).status, 413)
  assert.equal((await post(JSON.stringify(EMAIL), 'text/plain')).status, 415)
  assert.equal((await app.request('/emails')).status, 404)
  assert.equal((await app.request('/')).status, 404)
})

test('none of these was published, or has opened a window', async () => {
  assert.deepEqual(published, [])
  assert.equal(await server.execute('DBSIZE'), 0)
  assert.equal((await post(JSON.stringify(EMAIL))).status, 202)
  assert.equal(published.length, 1)
})

test('503 while Redis does not answer, and the email is not enqueued', async () => {
  server.faults.error({ command: 'SET', times: 1 }, 'LOADING Redis is loading the dataset in memory')
  const response = await post(JSON.stringify({ ...EMAIL, text: 'another' }))
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1'])
  assert.equal(published.length, 1)
})

test('an answer of Redis that comes too late leaves no window behind', async (t) => {
  const impatient = await connectRedis(server.urls.redis, serviceLog('test'), 500)
  t.after(() => impatient.disconnect())
  const hasty = httpApp({
    window: new DedupWindow(impatient),
    claims: new DeliveryClaims(impatient),
    publisher: { publish: async ({ value }) => void published.push(value) },
    log: serviceLog('test'),
  })
  const late = { ...EMAIL, text: 'late' }
  const key = `email:window:${fingerprintOf(late)}`
  const headers = { 'content-type': 'application/json' }
  server.faults.delay({ command: 'SET' }, '1h')
  const response = await hasty.request('/emails', { method: 'POST', body: JSON.stringify(late), headers })
  assert.equal(response.status, 503)
  // Now it is carried out, and what was sent after it.
  server.clock.advance('1h')
  while (!String(await server.execute('GET', key)).startsWith('released ')) {
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.equal((await post(JSON.stringify(late))).status, 202)
})
