import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCheck } from '#src/cli/check.ts'
import { DataServer, inDirectory } from '../persistence/aof/data-server.ts'

class Console {
  text = ''
  questions: string[] = []
  answer = false

  write(text: string): void {
    this.text += text
  }

  async confirm(question: string): Promise<boolean> {
    this.questions.push(question)
    return this.answer
  }
}

async function check(...argv: string[]): Promise<{ exitCode: number; text: string }> {
  const console = new Console()
  return { exitCode: await runCheck(argv, console), text: console.text }
}

const directoryOf = (dir: string) => join(dir, 'appendonlydir')
const increment = (dir: string) => join(directoryOf(dir), 'appendonly.aof.1.incr.aof')

/** A directory with a snapshot, and an append-only file of three commands. */
async function fill(dir: string): Promise<void> {
  const server = await DataServer.start(dir)
  await server.ask('SET a 1')
  await server.ask('SAVE')
  for (const line of ['MULTI', 'INCR a', 'RPUSH l x', 'EXEC']) await server.ask(line)
  await server.stop()
}

test('what is well is told: by directory, by manifest, by file', () =>
  inDirectory(async (dir) => {
    await fill(dir)
    for (const path of [dir, directoryOf(dir), join(directoryOf(dir), 'appendonly.aof.manifest'), increment(dir)]) {
      const { exitCode, text } = await check(path)
      assert.equal(exitCode, 0, text)
      assert.match(text, /1\.incr\.aof: well, 6 commands, \d+ bytes/)
    }
    assert.match((await check(dir)).text, /dump\.rdb: well, 1 keys, \d+ bytes/)
    assert.match((await check(join(dir, 'dump.rdb'))).text, /well, 1 keys/)
  }))

test('a cut is told, and dropped only when that is agreed to', () =>
  inDirectory(async (dir) => {
    await fill(dir)
    const sizeBytes = statSync(increment(dir)).size
    truncateSync(increment(dir), sizeBytes - 5)
    const transactionAt = readFileSync(increment(dir)).indexOf('*1\r\n$5\r\nMULTI')
    const { exitCode, text } = await check(dir)
    assert.equal(exitCode, 1)
    assert.match(text, /it ends in the middle of a command\n/)
    assert.match(
      text,
      new RegExp(`from byte ${transactionAt} on, ${sizeBytes - 5 - transactionAt} bytes are not: .*MULTI`),
    )

    const console = new Console()
    assert.equal(await runCheck([dir, '--fix'], console), 1)
    assert.equal(console.questions.length, 1)
    assert.equal(statSync(increment(dir)).size, sizeBytes - 5)
    console.answer = true
    assert.equal(await runCheck([dir, '--fix'], console), 0)
    assert.equal(statSync(increment(dir)).size, transactionAt)
    assert.equal((await check(dir)).exitCode, 0)
  }))

test('damage, unknown commands and an open transaction at the end are dropped with --yes', () =>
  inDirectory(async (dir) => {
    await fill(dir)
    const well = readFileSync(increment(dir))
    const tails = [
      '\0\0\0\0',
      '*1\r\n$5\r\nNOSUC\r\n',
      '*2\r\n$3\r\nSET\r\n$1\r\na\r\n',
      '*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n',
    ]
    for (const tail of tails) {
      writeFileSync(increment(dir), well)
      appendFileSync(increment(dir), tail)
      assert.equal((await check(dir)).exitCode, 1)
      const { exitCode, text } = await check(dir, '--fix', '--yes')
      assert.equal(exitCode, 0, text)
      assert.match(text, new RegExp(`${tail.length} bytes were dropped`))
      assert.deepEqual(readFileSync(increment(dir)), well)
    }
  }))

test('what cannot be fixed is told, and left alone', () =>
  inDirectory(async (dir) => {
    await fill(dir)
    appendFileSync(join(directoryOf(dir), 'appendonly.aof.manifest'), 'file appendonly.aof.2.incr.aof seq 2 type i\n')
    writeFileSync(join(directoryOf(dir), 'appendonly.aof.2.incr.aof'), '')
    truncateSync(increment(dir), statSync(increment(dir)).size - 5)
    const cut = await check(dir, '--fix', '--yes')
    assert.equal(cut.exitCode, 1)
    assert.match(cut.text, /It cannot be fixed: what later files say builds on/)

    const bytes = readFileSync(join(dir, 'dump.rdb'))
    bytes[bytes.length - 1] ^= 1
    writeFileSync(join(dir, 'dump.rdb'), bytes)
    assert.match(
      (await check(join(dir, 'dump.rdb'), '--fix', '--yes')).text,
      /the snapshot is damaged: .*take it from a copy/,
    )
    assert.deepEqual(readFileSync(join(dir, 'dump.rdb')), bytes)

    writeFileSync(join(directoryOf(dir), 'appendonly.aof.manifest'), 'nonsense\n')
    assert.match((await check(dir)).text, /line 1: Invalid AOF manifest file format/)
  }))

test('what a running server appends to is left alone', { skip: process.platform !== 'linux' }, () =>
  inDirectory(async (dir) => {
    await fill(dir)
    const server = await DataServer.start(dir)
    truncateSync(increment(dir), statSync(increment(dir)).size - 5)
    const bytes = readFileSync(increment(dir))
    for (const path of [dir, increment(dir)]) {
      const { exitCode, text } = await check(path, '--fix', '--yes')
      assert.equal(exitCode, 1)
      assert.match(text, /It is not fixed: a server that is running keeps its data here/)
    }
    assert.deepEqual(readFileSync(increment(dir)), bytes)
    await server.stop()
    assert.equal((await check(dir, '--fix', '--yes')).exitCode, 0)
  }),
)

test('a snapshot is found by its beginning, and one that a crash left half written is no damage', () =>
  inDirectory(async (dir) => {
    await fill(dir)
    renameSync(join(dir, 'dump.rdb'), join(dir, 'snapshot'))
    const halfWritten = join(dir, `temp-${process.pid}-99.rdb`)
    writeFileSync(halfWritten, readFileSync(join(dir, 'snapshot')).subarray(0, 20))
    const { exitCode, text } = await check(dir)
    assert.equal(exitCode, 0, text)
    assert.match(text, /snapshot: well, 1 keys/)
    assert.ok(text.includes(`${halfWritten}: half written by a server that has ended`), text)
    assert.equal((await check(halfWritten)).exitCode, 1)
  }))

test('what is not there, and what is not understood', () =>
  inDirectory(async (dir) => {
    assert.deepEqual(await check(join(dir, 'nothing')), {
      exitCode: 1,
      text: `${join(dir, 'nothing')}: cannot be read (ENOENT)\n`,
    })
    mkdirSync(join(dir, 'empty'))
    assert.match((await check(join(dir, 'empty'))).text, /no data/)
    assert.match((await check()).text, /^Usage/)
    assert.match((await check(dir, '--fixx')).text, /^Usage/)
    assert.equal((await check('--help')).exitCode, 0)
  }))
