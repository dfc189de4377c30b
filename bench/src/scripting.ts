// Scripts: what EVALSHA and FCALL cost beside the commands that they run.

import { createHash } from 'node:crypto'
import type { Fixture } from './fixtures.ts'
import { loadCommands } from './loader.ts'
import type { RespOptions } from './options.ts'
import { connectionCount, type Line } from './redis-benchmark.ts'
import type { Report } from './report.ts'
import type { ServerSpec } from './servers.ts'
import { measureLines, metricsOf } from './throughput.ts'

const pipelines = [1, 16]

/** As applications write it: reads the state, refills by the time that has gone, takes one. */
const tokenBucket = `
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local capacity, rate, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tokens = tonumber(state[1]) or capacity
local at = tonumber(state[2]) or now
tokens = math.min(capacity, tokens + (now - at) * rate)
local allowed = 0
if tokens >= 1 then
  tokens = tokens - 1
  allowed = 1
end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('PEXPIRE', KEYS[1], 60000)
return {allowed, math.floor(tokens)}`

const library = `#!lua name=bench
redis.register_function('get', function(keys) return redis.call('GET', keys[1]) end)`

function incrementing(callCount: number): string {
  return `for i = 1, ${callCount} do redis.call('INCR', KEYS[1]) end return 1`
}

interface Test {
  readonly name: string
  /** The command without its script, and with it. */
  readonly script?: string
  readonly command?: readonly string[]
  readonly args: readonly string[]
  readonly weight: number
}

const key = 'key:__rand_int__'

const tests: readonly Test[] = [
  { name: 'evalsha_empty', script: 'return 1', args: ['0'], weight: 3 },
  { name: 'evalsha_1_call', script: "return redis.call('GET', KEYS[1])", args: ['1', key], weight: 4 },
  { name: 'evalsha_5_calls', script: incrementing(5), args: ['1', key], weight: 8 },
  { name: 'evalsha_20_calls', script: incrementing(20), args: ['1', key], weight: 24 },
  {
    name: 'evalsha_token_bucket',
    script: tokenBucket,
    args: ['1', 'bucket:__rand_int__', '10', '0.001', '1700000000000'],
    weight: 15,
  },
  { name: 'fcall_1_call', command: ['FCALL', 'get'], args: ['1', key], weight: 4 },
]

const scripts: Fixture = {
  name: 'scripts and a library',
  load: (port) =>
    loadCommands(port, [
      ...tests.flatMap(({ script }) => (script === undefined ? [] : [['SCRIPT', 'LOAD', script]])),
      ['FUNCTION', 'LOAD', 'REPLACE', library],
    ]),
}

export const scriptingLines: readonly Line[] = tests.flatMap(({ name, script, command, args, weight }) =>
  pipelines.map((pipeline) => {
    const called = command ?? ['EVALSHA', createHash('sha1').update(script!).digest('hex')]
    const workload = [...called, ...args]
    return {
      name: `${name} P${pipeline}`,
      pipeline,
      workload,
      sample: workload.map((arg) => arg.replace('__rand_int__', '0'.repeat(12))),
      fixture: scripts,
      weight,
    }
  }),
)

const metrics = metricsOf('scripting', `redis-benchmark, ${connectionCount} connections`)

export async function measureScripting(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await measureLines(scriptingLines, metrics, options.quick ? 0.4 : 1, specs, options, report, progress)
}
