/** `headpond check` and the tools of Redis come to the same for the same damaged files, and repair them alike. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCheck } from 'headpond/src/cli/check.ts'
import { chooseSeed, SeededRandom } from 'headpond/test/seeded-random.ts'
import { RedisServer } from './redis-server.ts'

const INCREMENT = 'appendonly.aof.1.incr.aof'
const MANIFEST = 'appendonly.aof.manifest'

/** Files of redis-server: an append-only file of a base and an increment, and a snapshot. */
async function makeFiles(dir: string): Promise<void> {
  const redis = await RedisServer.start('--dir', dir, '--appendonly', 'yes', '--aof-timestamp-enabled', 'yes')
  const client = await redis.connect()
  try {
    for (let index = 0; index < 20; index++) {
      await client.call('SET', `key${index}`, 'x'.repeat(index * 3))
      await client.call('HSET', 'hash', `f${index}`, String(index))
      if (index % 5 > 0) continue
      for (const command of [['MULTI'], ['INCR', 'n'], ['RPUSH', 'list', `${index}`], ['EXEC']])
        await client.call(...command)
    }
    await client.call('SAVE')
  } finally {
    client.close()
    await redis.stop()
  }
}

async function check(...argv: string[]): Promise<{ isWell: boolean; text: string }> {
  let text = ''
  const exitCode = await runCheck(argv, { write: (more) => void (text += more), confirm: async () => false })
  return { isWell: exitCode === 0, text }
}

function redisCheck(program: string, args: string[]): { isWell: boolean; text: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input: 'y\n' })
  return { isWell: status === 0, text: stdout + stderr }
}

async function inDirectory(run: (base: string) => Promise<void>): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'headpond-check-'))
  try {
    await run(base)
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

/** Half an annotation is well for redis-check-aof; see differences.md. */
function outsideAnnotations(bytes: Buffer, sizeBytes: number): number {
  const lineStart = bytes.lastIndexOf('\n', sizeBytes - 1) + 1
  return bytes[lineStart] === '#'.charCodeAt(0) ? bytes.indexOf('\n', lineStart) + 1 : sizeBytes
}

test('what is cut off or follows the end of an append-only file', { timeout: 170_000 }, (t) =>
  inDirectory(async (base) => {
    const seed = chooseSeed()
    t.diagnostic(`SEED=${seed}`)
    const random = new SeededRandom(seed)
    const whole = join(base, 'whole')
    mkdirSync(whole)
    await makeFiles(whole)
    const bytes = readFileSync(join(whole, 'appendonlydir', INCREMENT))
    const damages: ((path: string) => void)[] = [
      () => {},
      ...Array.from({ length: 12 }, () => {
        const sizeBytes = outsideAnnotations(bytes, 1 + random.below(bytes.length - 1))
        return (path: string) => truncateSync(path, sizeBytes)
      }),
      (path) => appendFileSync(path, '\0\0\0\0\0\0'),
      (path) => appendFileSync(path, '*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n'),
      (path) => appendFileSync(path, '*2\r\n$3\r\nGET\r\n$9\r\nshort\r\n'),
      (path) => appendFileSync(path, 'GET x\r\n'),
    ]
    for (const [index, damage] of damages.entries()) {
      const [ours, theirs] = ['ours', 'theirs'].map((name) => {
        const dir = join(base, `${name}-${index}`)
        cpSync(join(whole, 'appendonlydir'), dir, { recursive: true })
        damage(join(dir, INCREMENT))
        return dir
      })
      const said = `damage ${index}`
      const verdict = await check(ours)
      const redisVerdict = redisCheck('redis-check-aof', [join(theirs, MANIFEST)])
      assert.equal(verdict.isWell, redisVerdict.isWell, `${said}\n${verdict.text}\n${redisVerdict.text}`)
      if (verdict.isWell) continue
      // Nothing is changed by looking; both repair it to the same bytes.
      const before = readFileSync(join(ours, INCREMENT))
      assert.deepEqual(before, readFileSync(join(theirs, INCREMENT)), said)
      const fixed = await check(ours, '--fix', '--yes')
      const redisFixed = redisCheck('redis-check-aof', ['--fix', join(theirs, MANIFEST)])
      assert.equal(fixed.isWell, redisFixed.isWell, `${said}\n${fixed.text}\n${redisFixed.text}`)
      const after = readFileSync(join(ours, INCREMENT))
      assert.deepEqual(after, readFileSync(join(theirs, INCREMENT)), `${said}\n${fixed.text}\n${redisFixed.text}`)
      assert.match(fixed.text, new RegExp(`${before.length - after.length} bytes were dropped`), said)
    }
  }),
)

test('a damaged snapshot', { timeout: 170_000 }, (t) =>
  inDirectory(async (base) => {
    const seed = chooseSeed()
    t.diagnostic(`SEED=${seed}`)
    const random = new SeededRandom(seed)
    await makeFiles(base)
    const whole = readFileSync(join(base, 'dump.rdb'))
    const path = join(base, 'damaged.rdb')
    const damaged = [
      whole,
      ...Array.from({ length: 10 }, () => whole.subarray(0, random.below(whole.length))),
      ...Array.from({ length: 20 }, () => {
        const copy = Buffer.from(whole)
        copy[random.below(copy.length)] ^= 1 << random.below(8)
        return copy
      }),
    ].filter((bytes) => bytes.subarray(0, 5).toString() === 'REDIS')
    for (const [index, bytes] of damaged.entries()) {
      writeFileSync(path, bytes)
      const verdict = await check(path)
      const redisVerdict = redisCheck('redis-check-rdb', [path])
      assert.equal(verdict.isWell, redisVerdict.isWell, `${index}\n${verdict.text}\n${redisVerdict.text}`)
      assert.deepEqual(readFileSync(path), Buffer.from(bytes))
    }
  }),
)
