/** Kafka Connect with its connectors of files: lines of one file through a topic into another; a worker that begins anew goes on. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createServer, type HeadpondServer } from 'headpond'
import { freePort } from 'headpond/test/free-port.ts'
import { kafkaClassPath } from './distribution.ts'
import { Program } from './program.ts'

const VERSION = '4.2.0'
const TIMEOUT_MS = 60_000
const STRINGS = 'org.apache.kafka.connect.storage.StringConverter'

const jars = kafkaClassPath(VERSION, 'connect')
const skip = 'reason' in jars ? jars.reason : false

async function start(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-connect-'))
  const server = await createServer()
  const workers: Program[] = []
  t.after(async () => {
    for (const worker of workers) await worker.stop('SIGKILL')
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  })
  t.diagnostic(`Kafka Connect ${VERSION}`)
  const path = (name: string) => join(directory, name)
  return {
    server,
    path,
    startWorker: (mode: 'Standalone' | 'Distributed', settings: Record<string, string>, files: readonly string[]) => {
      if ('reason' in jars) throw new Error(jars.reason)
      const common = {
        'bootstrap.servers': server.urls.kafka,
        'key.converter': STRINGS,
        'value.converter': STRINGS,
        'offset.flush.interval.ms': '500',
        ...settings,
      }
      writeProperties(path('worker.properties'), common)
      const flags = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
      const log = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
      const main = `org.apache.kafka.connect.cli.Connect${mode}`
      const args = ['-cp', jars.classPath, main, path('worker.properties'), ...files]
      const worker = new Program('java', [...flags, log, ...args])
      workers.push(worker)
      return worker
    },
  }
}

function writeProperties(file: string, properties: Readonly<Record<string, string>>): void {
  writeFileSync(file, Object.entries(properties).map(([name, value]) => `${name}=${value}\n`).join('')) // biome-ignore format: one line
}

const source = (file: string) => ({
  'connector.class': 'org.apache.kafka.connect.file.FileStreamSourceConnector',
  'tasks.max': '1',
  file,
  topic: 'lines',
})
const sink = (file: string) => ({
  'connector.class': 'org.apache.kafka.connect.file.FileStreamSinkConnector',
  'tasks.max': '1',
  file,
  topics: 'lines',
})

/** The sink has committed what it has written. */
const sunk = async (server: HeadpondServer, count: number) => {
  await server.kafka.waitForRecords('lines', count, { timeoutMs: TIMEOUT_MS })
  await server.kafka.waitForGroup('connect-sink', { lag: 0, timeoutMs: TIMEOUT_MS })
}

test('a standalone worker: from file to file, and on after a restart', { skip }, async (t) => {
  const { server, path, startWorker } = await start(t)
  const worker = async () =>
    startWorker(
      'Standalone',
      { 'offset.storage.file.filename': path('offsets'), listeners: `http://127.0.0.1:${await freePort()}` },
      [path('source.properties'), path('sink.properties')],
    )
  writeProperties(path('source.properties'), { name: 'source', ...source(path('in.txt')) })
  writeProperties(path('sink.properties'), { name: 'sink', ...sink(path('out.txt')) })
  writeFileSync(path('in.txt'), 'one\ntwo\nthree\n')
  const first = await worker()
  await sunk(server, 3)
  await first.stop()
  assert.equal(readFileSync(path('out.txt'), 'utf8'), 'one\ntwo\nthree\n')
  appendFileSync(path('in.txt'), 'four\nfive\n')
  const second = await worker()
  await sunk(server, 5)
  await second.stop()
  assert.equal(readFileSync(path('out.txt'), 'utf8'), 'one\ntwo\nthree\nfour\nfive\n')
  const values = (await server.kafka.records('lines')).map(({ value }) => value)
  assert.deepEqual(values, ['one', 'two', 'three', 'four', 'five'])
})

test('distributed workers: what they are to do and where they are lies in topics', { skip }, async (t) => {
  const { server, path, startWorker } = await start(t)
  const worker = async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const internal = (name: string) => [
      [`${name}.storage.topic`, `connect-${name}`],
      [`${name}.storage.replication.factor`, '1'],
    ]
    const topics = Object.fromEntries(['config', 'offset', 'status'].flatMap(internal))
    const started = startWorker('Distributed', { 'group.id': 'workers', listeners: url, ...topics }, [])
    await server.kafka.waitForGroup('workers', { members: 1, timeoutMs: TIMEOUT_MS })
    return { url, stop: () => started.stop() }
  }
  const create = async (url: string, name: string, config: Record<string, string>) => {
    const body = JSON.stringify({ name, config })
    const headers = { 'content-type': 'application/json' }
    for (;;) {
      const answer = await fetch(`${url}/connectors`, { method: 'POST', headers, body })
      if (answer.status === 201) return
      // It joins its group before it has read its topics, and listens before it knows what to answer.
      assert.ok([404, 409, 503].includes(answer.status), await answer.text())
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  writeFileSync(path('in.txt'), 'one\ntwo\n')
  const first = await worker()
  await create(first.url, 'source', source(path('in.txt')))
  await create(first.url, 'sink', sink(path('out.txt')))
  await sunk(server, 2)
  await first.stop()
  assert.equal(readFileSync(path('out.txt'), 'utf8'), 'one\ntwo\n')
  appendFileSync(path('in.txt'), 'three\n')
  await server.kafka.waitForGroup('workers', { state: 'Empty', timeoutMs: TIMEOUT_MS })
  const second = await worker()
  await sunk(server, 3)
  await second.stop()
  assert.equal(readFileSync(path('out.txt'), 'utf8'), 'one\ntwo\nthree\n')
})
